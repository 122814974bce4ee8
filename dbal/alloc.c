#include "dbal/alloc.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <dbal/driver.h>
#include <dbal/memory.h>
#include <dbal/pool.h>

/* Larger than what malloc keeps for each thread. */
enum { CACHED = 1024 };

/* The library's one mutable setting; written before anything else is used. */
static dbal_allocator hook;

bool
dbal_set_allocator(const dbal_allocator *allocator)
{
    if (allocator == NULL) {
        hook = (dbal_allocator){NULL, NULL, NULL};
        return true;
    }
    if (allocator->malloc == NULL || allocator->realloc == NULL || allocator->free == NULL)
        return false;
    hook = *allocator;
    return true;
}

bool
dbal__alloc_may_cache(void)
{
    return hook.malloc == NULL;
}

#if defined(__has_feature)
#if __has_feature(address_sanitizer) && !defined(__SANITIZE_ADDRESS__)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif

bool
dbal__alloc_may_reuse(void)
{
#ifdef __SANITIZE_ADDRESS__
    return false;
#else
    return dbal__alloc_may_cache();
#endif
}

void *
dbal__alloc(size_t size)
{
    if (size == 0)
        size = 1;
    return hook.malloc != NULL ? hook.malloc(size) : malloc(size);
}

void *
dbal__zalloc(size_t size)
{
    /* what is large may be fresh from the system and zeroed already; calloc passes by the caches
     * that make small ones fast */
    if (hook.malloc == NULL && size > CACHED)
        return calloc(1, size);
    void *pointer = dbal__alloc(size);
    if (pointer != NULL)
        memset(pointer, 0, size);
    return pointer;
}

/* For a size of which it knows something, gcc would write what is slower than its library's memset(). */
#if defined(__GNUC__) && !defined(__clang__)
__attribute__((noipa))
#endif
void
dbal__clear(void *pointer, size_t size)
{
    memset(pointer, 0, size);
}

void *
dbal__array(size_t count, size_t size)
{
    if (size != 0 && count > SIZE_MAX / size)
        return NULL;
    return dbal__zalloc(count * size);
}

void *
dbal__realloc(void *pointer, size_t size)
{
    if (size == 0)
        size = 1;
    return hook.realloc != NULL ? hook.realloc(pointer, size) : realloc(pointer, size);
}

void
dbal__free(void *pointer)
{
    if (hook.free != NULL) {
        if (pointer != NULL)
            hook.free(pointer);
        return;
    }
    free(pointer);
}

void
dbal_free(void *pointer)
{
    dbal__free(pointer);
}

char *
dbal__strndup(const char *text, size_t size)
{
    char *copy = dbal__alloc(size + 1);
    if (copy == NULL)
        return NULL;
    if (size != 0)
        memcpy(copy, text, size);
    copy[size] = '\0';
    return copy;
}

char *
dbal__strdup(const char *text)
{
    return dbal__strndup(text, strlen(text));
}

void *
dbal_driver_alloc(size_t size)
{
    return dbal__zalloc(size);
}

void *
dbal_driver_realloc(void *pointer, size_t size)
{
    return dbal__realloc(pointer, size);
}

void
dbal_driver_free(void *pointer)
{
    dbal__free(pointer);
}
