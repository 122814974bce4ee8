/* Bytes of a cell, kept from one to the next. */
#ifndef DBAL__ODBC_BUFFER_H
#define DBAL__ODBC_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

typedef struct dbal__odbc_buffer {
    char *data;
    size_t size, room;
} dbal__odbc_buffer;

/* Room for so many bytes at least, what is there kept. False without memory. */
bool dbal__odbc_buffer_reserve(dbal__odbc_buffer *buffer, size_t room);
/* Gives back what is more than so much; what is there may be lost. */
void dbal__odbc_buffer_trim(dbal__odbc_buffer *buffer, size_t most);
void dbal__odbc_buffer_fini(dbal__odbc_buffer *buffer);

#endif
