/* What a driver declares besides what the contract asks of all. */
#ifndef CHECK_PROMISES_H
#define CHECK_PROMISES_H

#include <check.h>

void add_promises(Suite *suite);

#endif
