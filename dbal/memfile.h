/*
 * Memory that one process writes and another reads: a file without a name, sealed before it is given
 * away, so that its reader need not fear that it shrinks or changes under its eyes.
 */
#ifndef DBAL__MEMFILE_H
#define DBAL__MEMFILE_H

#include <stdbool.h>
#include <stddef.h>

/* A sealed one with these bytes: its descriptor, or -1 with errno set. */
int dbal__memfile_make(const void *data, size_t size);

/* Its bytes, read only; unmapped with dbal__memfile_unmap(). NULL: it is not sealed, or not so large. */
const void *dbal__memfile_map(int fd, size_t size);
void dbal__memfile_unmap(const void *data, size_t size);

#endif
