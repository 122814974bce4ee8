#include "tests/faults/disk_image.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SECTOR = 512 };

typedef struct bytes {
    unsigned char *data;
    size_t size, room;
} bytes;

/* One file, from its creation to its removal. */
typedef struct life life;
struct life {
    life *older;
    bytes durable;
    size_t *pending; /* positions of what no sync has followed */
    size_t pending_count, pending_room;
};

struct disk_image {
    life *lives[DISK_NAMES];   /* what each name means */
    life *on_disk[DISK_NAMES]; /* and what it surely means, since the folder's last sync */
    life *newest;              /* all there ever were */
    size_t position;
};

/* ---- bytes ------------------------------------------------------------------------------------- */

static void
set_size(bytes *to, size_t size)
{
    if (size > to->room) {
        to->room = size + size / 2 + 4096;
        to->data = realloc(to->data, to->room);
        ck_assert_ptr_nonnull(to->data);
    }
    if (size > to->size)
        memset(to->data + to->size, 0, size - to->size);
    to->size = size;
}

static void
put(bytes *to, size_t offset, const unsigned char *from, size_t size)
{
    if (offset + size > to->size)
        set_size(to, offset + size);
    if (size > 0)
        memcpy(to->data + offset, from, size);
}

/* ---- playing ----------------------------------------------------------------------------------- */

static life *
be_born(disk_image *image)
{
    life *one = calloc(1, sizeof *one);
    ck_assert_ptr_nonnull(one);
    one->older = image->newest;
    image->newest = one;
    return one;
}

static void
read_file(const char *path, bytes *to)
{
    FILE *file = fopen(path, "rb");
    ck_assert_ptr_nonnull(file);
    unsigned char block[4096];
    size_t much;
    while ((much = fread(block, 1, sizeof block, file)) > 0)
        put(to, to->size, block, much);
    fclose(file);
}

disk_image *
disk_image_new(const char *path)
{
    disk_image *image = calloc(1, sizeof *image);
    ck_assert_ptr_nonnull(image);
    image->lives[DISK_DB] = image->on_disk[DISK_DB] = be_born(image);
    read_file(path, &image->lives[DISK_DB]->durable);
    return image;
}

void
disk_image_free(disk_image *image)
{
    while (image->newest != NULL) {
        life *one = image->newest;
        image->newest = one->older;
        free(one->durable.data);
        free(one->pending);
        free(one);
    }
    free(image);
}

static void
postpone(life *one, size_t position)
{
    if (one->pending_count == one->pending_room) {
        one->pending_room = one->pending_room * 2 + 16;
        one->pending = realloc(one->pending, one->pending_room * sizeof *one->pending);
        ck_assert_ptr_nonnull(one->pending);
    }
    one->pending[one->pending_count++] = position;
}

static void
apply(bytes *to, const disk_event *event)
{
    if (event->act == DISK_TRUNCATE)
        set_size(to, (size_t)event->offset);
    else
        put(to, (size_t)event->offset, event->data, event->size);
}

static void
sync_folder(disk_image *image)
{
    memcpy(image->on_disk, image->lives, sizeof image->on_disk);
}

/* SQLite syncs the folder of a log or journal that it has made with the file's first sync. */
static void
sync_life(disk_image *image, disk_name name)
{
    life *one = image->lives[name];
    for (size_t i = 0; i < one->pending_count; i++)
        apply(&one->durable, disk_log_at(one->pending[i]));
    one->pending_count = 0;
    if (image->on_disk[name] != one)
        sync_folder(image);
}

static void
play_one(disk_image *image, size_t position)
{
    const disk_event *event = disk_log_at(position);
    life **one = &image->lives[event->name];
    switch (event->act) {
    case DISK_CREATE:
        *one = be_born(image);
        break;
    case DISK_WRITE:
    case DISK_TRUNCATE:
        ck_assert_ptr_nonnull(*one);
        postpone(*one, position);
        break;
    case DISK_SYNC:
        ck_assert_ptr_nonnull(*one);
        sync_life(image, event->name);
        break;
    case DISK_DELETE:
    case DISK_DELETE_SYNCED:
        *one = NULL;
        if (event->act == DISK_DELETE_SYNCED)
            sync_folder(image);
        break;
    }
}

void
disk_image_play(disk_image *image, size_t position)
{
    ck_assert_uint_le(image->position, position);
    while (image->position < position)
        play_one(image, image->position++);
}

/* ---- a power failure --------------------------------------------------------------------------- */

/* some of its sectors; the one at `torn` only to its half */
static void
apply_sectors(bytes *to, const disk_event *event, bool all_before, size_t torn, chance *luck)
{
    size_t begin = (size_t)event->offset, end = begin + event->size;
    for (size_t at = begin; at < end;) {
        size_t next = (at / SECTOR + 1) * SECTOR;
        size_t size = (next < end ? next : end) - at;
        bool is_torn = at / SECTOR == torn;
        if (is_torn || (all_before ? at / SECTOR < torn : chance_below(luck, 2) == 0))
            put(to, at, event->data + (at - begin), is_torn ? size / 2 : size);
        at = next;
    }
}

static size_t
any_sector(const disk_event *event, chance *luck)
{
    size_t first = (size_t)event->offset / SECTOR;
    size_t last = ((size_t)event->offset + event->size) / SECTOR;
    return first + chance_below(luck, (unsigned)(last - first + 1));
}

static void
lose(const life *one, disk_loss loss, chance *luck, bytes *to)
{
    size_t count = one->pending_count;
    if (loss == DISK_LOSES_ALL || count == 0)
        return;
    size_t torn = chance_below(luck, (unsigned)count);
    for (size_t i = 0; i < count && (loss != DISK_LOSES_THE_LAST || i <= torn); i++) {
        const disk_event *event = disk_log_at(one->pending[i]);
        bool whole = loss == DISK_LOSES_THE_LAST && i < torn;
        if (whole || (event->act == DISK_TRUNCATE && chance_below(luck, 2) == 0))
            apply(to, event);
        else if (event->act == DISK_WRITE)
            apply_sectors(to, event, loss == DISK_LOSES_THE_LAST,
                          i == torn ? any_sector(event, luck) : SIZE_MAX, luck);
    }
}

static void
write_file(const char *path, const bytes *from)
{
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    if (from->size != 0) /* an empty one has no data at all */
        ck_assert_uint_eq(fwrite(from->data, 1, from->size, file), from->size);
    ck_assert_int_eq(fclose(file), 0);
}

void
disk_image_fail(const disk_image *image, disk_loss loss, chance *luck, const char *path)
{
    static const char *const ends[DISK_NAMES] = {"", "-wal", "-journal"};
    bool loses_names = loss == DISK_LOSES_ALL || chance_below(luck, 2) == 0;
    char file[256];
    snprintf(file, sizeof file, "%s-shm", path);
    unlink(file);
    for (int name = 0; name < DISK_NAMES; name++) {
        const life *one = loses_names ? image->on_disk[name] : image->lives[name];
        snprintf(file, sizeof file, "%s%s", path, ends[name]);
        unlink(file);
        if (one == NULL)
            continue;
        bytes left = {NULL, 0, 0};
        put(&left, 0, one->durable.data, one->durable.size);
        lose(one, loss, luck, &left);
        write_file(file, &left);
        free(left.data);
    }
}
