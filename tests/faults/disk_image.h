/*
 * A disk, played back from the log: what is surely on it, and what may or may not be there because
 * no sync has followed. Sectors are written whole or torn, in any order, between two syncs.
 */
#ifndef TESTS_FAULTS_DISK_IMAGE_H
#define TESTS_FAULTS_DISK_IMAGE_H

#include "tests/faults/disk_log.h"
#include "tests/lib/chance.h"

typedef struct disk_image disk_image;

/* The database file as it was when the log began is read from a path. */
disk_image *disk_image_new(const char *path);
void disk_image_free(disk_image *image);

/* Plays on, up to a position of the log. Never back. */
void disk_image_play(disk_image *image, size_t position);

/* What a power failure leaves of the writes that no sync has followed. */
typedef enum disk_loss {
    DISK_LOSES_ALL,
    DISK_LOSES_THE_LAST, /* a write in the midst of them is torn, nothing behind it is there */
    DISK_LOSES_SOME,     /* any sectors, and one of them half */
    DISK_LOSSES
} disk_loss;

/* Writes the files of a database as they are after a power failure now. */
void disk_image_fail(const disk_image *image, disk_loss loss, chance *luck, const char *path);

#endif
