/** @file memory.h  Where dbal's memory comes from. */
#ifndef DBAL_MEMORY_H
#define DBAL_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Replacements for malloc and its kin; they are called from any of dbal's threads. */
typedef struct dbal_allocator {
    void *(*malloc)(size_t size);                 /**< as malloc(3) */
    void *(*realloc)(void *pointer, size_t size); /**< as realloc(3) */
    void (*free)(void *pointer);                  /**< as free(3) */
} dbal_allocator;

/**
 * Replaces the allocator for the whole process, before anything else of dbal is used. With one set,
 * dbal keeps no free lists, so that every allocation is seen.
 *
 * @param allocator  copied; NULL: back to malloc
 * @return false when a function is missing
 */
bool dbal_set_allocator(const dbal_allocator *allocator);

#ifdef __cplusplus
}
#endif
#endif
