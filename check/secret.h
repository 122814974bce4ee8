/* The password of a pool's URL, which nobody may show. */
#ifndef CHECK_SECRET_H
#define CHECK_SECRET_H

#include <dbal/driver.h>
#include <stdbool.h>

/* Its password from here on; one of up to three bytes may stand anywhere, and is none. Copied. */
void secret_keep(const dbal_url *url);
/*
 * Puts *** in its place. True when somebody shows it: a text with it may also speak of the user, the
 * host or the database, where these hold the same.
 */
bool secret_hide(char *text);

#endif
