/* UTF-8: the strict form, without surrogates, overlong forms, or anything above U+10FFFF. */
#ifndef DBAL__SQL_UTF8_H
#define DBAL__SQL_UTF8_H

#include <stdbool.h>
#include <stddef.h>

bool dbal__utf8_valid(const void *data, size_t size);
/* How many bytes from the start are whole, valid characters; `size` when all are. */
size_t dbal__utf8_span(const void *data, size_t size);
/* `size`, or less so that at most `most` bytes are left and no character is cut. */
size_t dbal__utf8_clip(const char *text, size_t size, size_t most);

#endif
