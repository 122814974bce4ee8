/* Leaves a request's parameters out of what the server says: it likes to quote them. */
#ifndef DBAL__POSTGRES_SECRET_H
#define DBAL__POSTGRES_SECRET_H

#include <stdbool.h>
#include <stddef.h>

#include <dbal/driver.h>

/* Longer messages are cut. */
enum { DBAL__POSTGRES_SECRET_ROOM = 2048 };

/*
 * Copies a text, with "…" in the place of each parameter of the request (may be NULL) that it
 * repeats. `pieces`: also of numbers, and of anything between quotes that is but a part of one.
 */
void dbal__postgres_secret_hide(const char *text, const dbal_request *request, bool pieces,
                                char to[DBAL__POSTGRES_SECRET_ROOM]);
/* The detail of a violated constraint, "Key (id)=(5) already exists.", without the row's values;
   false when there is nothing to be told. */
bool dbal__postgres_secret_key(const char *detail, char to[DBAL__POSTGRES_SECRET_ROOM]);

#endif
