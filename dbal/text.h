/* Numbers and moments as text and back, whatever the process's locale is. */
#ifndef DBAL__TEXT_H
#define DBAL__TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <dbal/value.h>

/* Room that any of the texts below needs, with its NUL. */
enum { DBAL__TEXT_MAX = 64 };

/* The whole text must be the number, and exactly; white space around it is not allowed. */
bool dbal__text_to_int64(const char *text, size_t size, int64_t *ret_integer);
bool dbal__text_to_double(const char *text, size_t size, double *ret_real);
/* t, f, true, false, 1, 0 */
bool dbal__text_to_bool(const char *text, size_t size, bool *ret_boolean);
/* ISO 8601, "T" or a space between; an offset is taken into account. */
bool dbal__text_to_moment(dbal_type type, const char *text, size_t size, int64_t *ret_value);

/* They write a NUL-terminated text and give back its length. */
size_t dbal__text_of_integer(char *to, dbal_type type, int64_t integer);
/* Fifteen digits and always a point, as SQLite writes it. */
size_t dbal__text_of_double(char *to, double real);
size_t dbal__text_of_uuid(char *to, const uint8_t *bytes);

#endif
