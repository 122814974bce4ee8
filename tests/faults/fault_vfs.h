/*
 * A VFS over SQLite's own for Unix, under the name "faulty": it logs what reaches the disk, see
 * disk_log.h, and fails where it is told to. One for the process, for one database at a time.
 */
#ifndef TESTS_FAULTS_FAULT_VFS_H
#define TESTS_FAULTS_FAULT_VFS_H

#include <stdbool.h>

#include "tests/faults/disk_log.h"

typedef enum fault_call {
    FAULT_OPEN,
    FAULT_READ,
    FAULT_WRITE,
    FAULT_TRUNCATE,
    FAULT_SYNC,
    FAULT_LOCK,
    FAULT_MAP, /* shared memory */
    FAULT_CALLS
} fault_call;

enum { FAULT_ANY = -1, FAULT_FOR_EVER = 0 };

void fault_vfs_register(void);

/*
 * Fails calls on one file of the database, or FAULT_ANY: the nth from now (1: the next), and
 * `times` of them in all. A rule for each call; a later one takes its place.
 */
void fault_vfs_fail(fault_call call, int name, unsigned nth, unsigned times, int code);
/* So many bytes more can be written to new places of files; then the disk is full. */
void fault_vfs_limit(long bytes);
/* No rule, no limit. */
void fault_vfs_heal(void);
/* How often a rule has failed a call since it was made. */
unsigned fault_vfs_failed(fault_call call);

/* Files opened from now on have no shared memory, as on some network file systems. */
void fault_vfs_without_shm(bool without);

#endif
