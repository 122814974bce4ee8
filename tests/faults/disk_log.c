#include "tests/faults/disk_log.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static disk_event *events;
static size_t room;
static atomic_size_t count;
static atomic_bool logging;
static bool there[DISK_NAMES];

void
disk_log_clear(void)
{
    for (size_t i = 0; i < count; i++)
        free(events[i].data);
    free(events);
    events = NULL;
    room = 0;
    atomic_store(&count, 0);
}

void
disk_log_start(void)
{
    disk_log_clear();
    there[DISK_DB] = true;
    there[DISK_WAL] = there[DISK_JOURNAL] = false;
    atomic_store(&logging, true);
}

void
disk_log_stop(void)
{
    atomic_store(&logging, false);
}

void
disk_log_add(disk_act act, disk_name name, int64_t offset, size_t size, const void *data)
{
    if (!atomic_load(&logging))
        return;
    if (count == room) {
        room = room == 0 ? 1024 : room * 2;
        events = realloc(events, room * sizeof *events);
        if (events == NULL)
            abort();
    }
    unsigned char *copy = data != NULL ? malloc(size) : NULL;
    if (data != NULL && copy == NULL)
        abort();
    if (data != NULL)
        memcpy(copy, data, size);
    events[count] = (disk_event){act, name, offset, size, copy};
    if (act == DISK_DELETE || act == DISK_DELETE_SYNCED)
        there[name] = false;
    atomic_fetch_add(&count, 1);
}

void
disk_log_opened(disk_name name)
{
    if (!atomic_load(&logging) || there[name])
        return;
    there[name] = true;
    disk_log_add(DISK_CREATE, name, 0, 0, NULL);
}

size_t
disk_log_position(void)
{
    return atomic_load(&count);
}

const disk_event *
disk_log_at(size_t position)
{
    return &events[position];
}
