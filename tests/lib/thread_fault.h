/*
 * Threads that cannot be started. For programs linked with -Wl,--wrap=pthread_create and this
 * file, which is why it is not part of the tests' library.
 */
#ifndef TESTS_LIB_THREAD_FAULT_H
#define TESTS_LIB_THREAD_FAULT_H

/* Counts anew: the nth thread from now fails with EAGAIN, once. 0: none does. */
void thread_fault_fail(unsigned long nth);
/* Counts anew: the nth thread from now fails, and all that follow. */
void thread_fault_fail_from(unsigned long nth);
/* Attempts since counting began. */
unsigned long thread_fault_count(void);

#endif
