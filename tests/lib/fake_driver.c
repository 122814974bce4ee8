#include "tests/lib/fake_driver.h"

#include <check.h>

void
fake_drivers_register(void)
{
    ck_assert(dbal_driver_register(&fake_blocking_driver, NULL));
    ck_assert(dbal_driver_register(&fake_native_driver, NULL));
}
