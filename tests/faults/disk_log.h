/*
 * What a program did to the files of one database, in order: each write with its bytes, each
 * truncation, sync, creation and removal. A disk after a power failure is rebuilt from it.
 */
#ifndef TESTS_FAULTS_DISK_LOG_H
#define TESTS_FAULTS_DISK_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum disk_name { DISK_DB, DISK_WAL, DISK_JOURNAL, DISK_NAMES } disk_name;

typedef enum disk_act {
    DISK_CREATE,
    DISK_WRITE,
    DISK_TRUNCATE,
    DISK_SYNC,
    DISK_DELETE,       /* the folder was not synced */
    DISK_DELETE_SYNCED /* it was */
} disk_act;

typedef struct disk_event {
    disk_act act;
    disk_name name;
    int64_t offset; /* of a write; the new size of a truncation */
    size_t size;
    unsigned char *data; /* of a write */
} disk_event;

/* Forgets all, and logs from now on. The file is there, the log and the journal are not. */
void disk_log_start(void);
/* Logs no more; what there is stays. */
void disk_log_stop(void);
void disk_log_clear(void);

/* Any thread, but only one at a time. */
void disk_log_add(disk_act act, disk_name name, int64_t offset, size_t size, const void *data);
/* A file was opened: an event when it was not there. */
void disk_log_opened(disk_name name);

/* How many events there are; any thread. */
size_t disk_log_position(void);
const disk_event *disk_log_at(size_t position);

#endif
