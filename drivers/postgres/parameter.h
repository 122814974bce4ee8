/* Values of URL parameters, looked at before anything is connected. */
#ifndef DBAL__POSTGRES_PARAMETER_H
#define DBAL__POSTGRES_PARAMETER_H

#include <stdbool.h>
#include <stdint.h>

#include <dbal/driver.h>

/* Whether a value is what its parameter may have, as far as that can be told here. */
bool dbal__postgres_parameter_check(const char *name, const char *value, dbal_fault *fault);
/* Whether it names a file, which must not depend on the current folder. */
bool dbal__postgres_parameter_is_file(const char *name, const char *value);
/* The same word as a constant; NULL when it is none of the parameter's. */
const char *dbal__postgres_parameter_word(const char *name, const char *value);
/* Seconds as a number with at most nine digits behind a point; 0 stands for no limit. */
bool dbal__postgres_parameter_seconds(const char *text, int64_t *ret_nanoseconds);

#endif
