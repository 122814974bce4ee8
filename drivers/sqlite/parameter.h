/* Values of URL parameters, read and checked. A fault names the parameter and what it can be. */
#ifndef DBAL__SQLITE_PARAMETER_H
#define DBAL__SQLITE_PARAMETER_H

#include <stdbool.h>
#include <stdint.h>

#include <dbal/driver.h>

/* "a, b, c", cut when there is no room. */
void dbal__sqlite_parameter_join(char *to, size_t room, const char *const *words);
/* An index into `words`: the first when it is not there, -1 with the fault set. */
int dbal__sqlite_parameter_word(const dbal_url *url, const char *name, const char *const *words,
                                dbal_fault *fault);
/* Seconds as nanoseconds, `off` as 0; *ret stays as it is when it is not there. */
bool dbal__sqlite_parameter_seconds(const dbal_url *url, const char *name, int most,
                                    int64_t *ret_nanoseconds, dbal_fault *fault);

/* Numbers and sizes that a parameter may have; a size takes k, M or G behind it. */
typedef struct dbal__sqlite_range {
    int64_t least, most;
    bool size;        /* in bytes */
    bool may_be_off;  /* `off` is taken too: */
    int64_t off;      /* as this */
    const char *says; /* "from 16k to 64G, such as 64M": what the range is in words, or NULL */
} dbal__sqlite_range;

/* *ret stays as it is when it is not there. */
bool dbal__sqlite_parameter_number(const dbal_url *url, const char *name,
                                   const dbal__sqlite_range *range, int64_t *ret_number,
                                   dbal_fault *fault);

#endif
