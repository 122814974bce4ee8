/* The elements of an array of texts, as a request holds them. */
#ifndef DBAL__POSTGRES_ELEMENT_H
#define DBAL__POSTGRES_ELEMENT_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <dbal/driver.h>

/* Takes the first off; its data is NULL for an SQL NULL. False when none is left. */
static inline bool
dbal__postgres_element_next(dbal_bytes *rest, dbal_bytes *ret_element)
{
    uint32_t size;
    if (rest->size < sizeof size)
        return false;
    const char *at = rest->data;
    memcpy(&size, at, sizeof size);
    at += sizeof size;
    *ret_element = size == UINT32_MAX ? (dbal_bytes){NULL, 0} : (dbal_bytes){at, size};
    rest->data = at + ret_element->size;
    rest->size -= sizeof size + ret_element->size;
    return true;
}

#endif
