/* The same again and again: nothing may be left of it. */
#ifndef CHECK_ROUNDS_H
#define CHECK_ROUNDS_H

#include <check.h>

void add_rounds(Suite *suite);

#endif
