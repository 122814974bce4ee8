#include "buffer.h"

#include <dbal/driver.h>

bool
dbal__odbc_buffer_reserve(dbal__odbc_buffer *buffer, size_t room)
{
    if (room <= buffer->room)
        return true;
    char *data = dbal_driver_realloc(buffer->data, room);
    if (data == NULL)
        return false;
    buffer->data = data;
    buffer->room = room;
    return true;
}

void
dbal__odbc_buffer_trim(dbal__odbc_buffer *buffer, size_t most)
{
    char *less = buffer->room > most ? dbal_driver_realloc(buffer->data, most) : NULL;
    if (less == NULL)
        return;
    buffer->data = less;
    buffer->room = most;
}

void
dbal__odbc_buffer_fini(dbal__odbc_buffer *buffer)
{
    dbal_driver_free(buffer->data);
    *buffer = (dbal__odbc_buffer){.data = NULL};
}
