/* Memory: every allocation of dbal passes here, so that tests can make any of them fail. */
#ifndef DBAL__ALLOC_H
#define DBAL__ALLOC_H

#include <stdbool.h>
#include <stddef.h>

void *dbal__alloc(size_t size);
void *dbal__zalloc(size_t size);
/* count * size, zeroed; NULL also when that overflows */
void *dbal__array(size_t count, size_t size);
void *dbal__realloc(void *pointer, size_t size);
void dbal__free(void *pointer);
/*
 * Zeroes a struct. Where compilers know the size of some hundred bytes they write them out as a
 * string instruction, which takes longer to begin than memset() takes for all.
 */
void dbal__clear(void *pointer, size_t size);
char *dbal__strdup(const char *text);
char *dbal__strndup(const char *text, size_t size);

/* whether free lists may be kept: not when a test counts allocations */
bool dbal__alloc_may_cache(void);
/* the same where a sanitizer should see that something is used after its end: not when there is one */
bool dbal__alloc_may_reuse(void);

#endif
