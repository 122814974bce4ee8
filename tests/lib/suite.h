/* The main of every test program. */
#ifndef TESTS_LIB_SUITE_H
#define TESTS_LIB_SUITE_H

#include <check.h>

/* Adds one test as a case of its own, with what runs before and after it. */
void suite_add(Suite *suite, const TTest *test, void (*before)(void), void (*after)(void));
/* Runs it; what main returns. */
int suite_run(Suite *suite);
/* The same for several, and frees them. */
int suite_run_all(SRunner *runner);

#endif
