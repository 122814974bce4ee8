/* The fake drivers, by their tables. */
#ifndef TESTS_LIB_FAKE_DRIVER_H
#define TESTS_LIB_FAKE_DRIVER_H

#include <dbal/driver.h>

/* `fake:NAME`; see fake_config.h and fake_script.h */
extern const dbal_driver fake_blocking_driver;
/* `native:NAME`: the native face over a socketpair, with a server in a thread at its other end */
extern const dbal_driver fake_native_driver;

/* Makes both known; may be called again. */
void fake_drivers_register(void);

#endif
