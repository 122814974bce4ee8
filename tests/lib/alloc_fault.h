/* An allocator that counts what lives and fails when told to; any thread. */
#ifndef TESTS_LIB_ALLOC_FAULT_H
#define TESTS_LIB_ALLOC_FAULT_H

/*
 * From now on dbal allocates through it. What dbal allocated before must not be freed while it is
 * installed.
 */
void alloc_fault_install(void);
void alloc_fault_remove(void);

/* Counts anew: the nth allocation from now fails, once. 0: none does. */
void alloc_fault_fail(unsigned long nth);
/* Counts anew: the nth allocation from now fails, and all that follow. */
void alloc_fault_fail_from(unsigned long nth);

/* Allocations since counting began, those that failed, and all that have not been freed. */
unsigned long alloc_fault_count(void);
unsigned long alloc_fault_failed(void);
long alloc_fault_live(void);

/*
 * Runs a scenario again and again, with the first allocation failing, then the second and so on,
 * until none fails; then the same with everything after it failing too. Each run must free all.
 * DBAL_TEST_ALLOC=n in the environment tries the nth alone.
 */
void alloc_fault_sweep(void (*scenario)(void *arg), void *arg);

#endif
