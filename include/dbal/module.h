/** @file module.h  What a module has that a gate calls in worker processes. Stands alone: a module needs nothing else of dbal. */
#ifndef DBAL_MODULE_H
#define DBAL_MODULE_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/** The name of the function that a module must have. */
#define DBAL_MODULE_ENTRY "dbal_module_call"

/** What stands before that function: visible from outside, under this very name in C++ too. */
#ifdef __cplusplus
#define DBAL_MODULE_VISIBLE extern "C" __attribute__((visibility("default")))
#else
#define DBAL_MODULE_VISIBLE __attribute__((visibility("default")))
#endif

/**
 * A module is a shared object with this one function, from bytes to bytes: see dbal_gate_call_module().
 * It runs in a worker process of its own, one call after the other, in its main thread; pointers of
 * the application mean nothing there. What a module keeps in its variables lives as long as that
 * process. It may crash: that is the call's error, and the next call has a new process.
 *
 * @param data       what the caller gave, at any address; good for the call. Not NULL, also when size is 0
 * @param size       bytes of it
 * @param ret_size   set to the bytes of the answer
 * @param ret_error  set when NULL is returned: what is wrong, a constant or text that lives until the next call
 * @return the answer, from malloc(3): freed by the worker; an empty one is memory too. NULL: it failed
 */
DBAL_MODULE_VISIBLE void *dbal_module_call(const void *data, size_t size, size_t *ret_size,
                                           const char **ret_error);

#ifdef __cplusplus
}
#endif
#endif
