#include "tests/faults/fault_vfs.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

typedef struct faulty_file {
    sqlite3_file base;
    disk_name name;
    bool followed;        /* a file of the database itself, not a temporary one */
    sqlite3_file inner[]; /* the real one */
} faulty_file;

typedef struct rule {
    bool on;
    int name;
    unsigned nth, times; /* calls until it fails; how often, FAULT_FOR_EVER */
    unsigned failed;
    int code;
} rule;

/* Guards all below, and the order of what is done to the disk. */
static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;
static rule rules[FAULT_CALLS];
static long space = -1;
static bool without_shm;
static sqlite3_vfs *real;

/* ---- rules ------------------------------------------------------------------------------------ */

void
fault_vfs_fail(fault_call call, int name, unsigned nth, unsigned times, int code)
{
    pthread_mutex_lock(&guard);
    rules[call] = (rule){true, name, nth, times, 0, code};
    pthread_mutex_unlock(&guard);
}

void
fault_vfs_limit(long bytes)
{
    pthread_mutex_lock(&guard);
    space = bytes;
    pthread_mutex_unlock(&guard);
}

void
fault_vfs_heal(void)
{
    pthread_mutex_lock(&guard);
    for (int i = 0; i < FAULT_CALLS; i++)
        rules[i].on = false;
    space = -1;
    without_shm = false;
    pthread_mutex_unlock(&guard);
}

unsigned
fault_vfs_failed(fault_call call)
{
    pthread_mutex_lock(&guard);
    unsigned failed = rules[call].failed;
    pthread_mutex_unlock(&guard);
    return failed;
}

void
fault_vfs_without_shm(bool without)
{
    pthread_mutex_lock(&guard);
    without_shm = without;
    pthread_mutex_unlock(&guard);
}

/* SQLITE_OK, or the code to fail with; under the guard */
static int
look_up(fault_call call, disk_name name)
{
    rule *one = &rules[call];
    if (!one->on || (one->name != FAULT_ANY && one->name != (int)name))
        return SQLITE_OK;
    if (one->nth > 1) {
        one->nth--;
        return SQLITE_OK;
    }
    if (one->times != FAULT_FOR_EVER && one->failed == one->times)
        return SQLITE_OK;
    one->failed++;
    return one->code;
}

static int
verdict(fault_call call, disk_name name)
{
    pthread_mutex_lock(&guard);
    int code = look_up(call, name);
    pthread_mutex_unlock(&guard);
    return code;
}

/* ---- files ------------------------------------------------------------------------------------ */

static faulty_file *
self_of(sqlite3_file *file)
{
    return (faulty_file *)(void *)file;
}

static int
faulty_close(sqlite3_file *file)
{
    sqlite3_file *inner = self_of(file)->inner;
    return inner->pMethods->xClose(inner);
}

static int
faulty_read(sqlite3_file *file, void *to, int size, sqlite3_int64 offset)
{
    faulty_file *self = self_of(file);
    int code = self->followed ? verdict(FAULT_READ, self->name) : SQLITE_OK;
    if (code == SQLITE_IOERR_SHORT_READ)
        memset(to, 0, (size_t)size);
    return code != SQLITE_OK ? code : self->inner->pMethods->xRead(self->inner, to, size, offset);
}

/* whether the disk has room for it; what is there already needs none */
static bool
has_room(faulty_file *self, int size, sqlite3_int64 offset)
{
    sqlite3_int64 end = 0;
    if (space < 0)
        return true;
    self->inner->pMethods->xFileSize(self->inner, &end);
    long more = (long)(offset + size - end);
    if (more <= 0)
        return true;
    if (more > space)
        return false;
    space -= more;
    return true;
}

static int
faulty_write(sqlite3_file *file, const void *from, int size, sqlite3_int64 offset)
{
    faulty_file *self = self_of(file);
    if (!self->followed)
        return self->inner->pMethods->xWrite(self->inner, from, size, offset);
    pthread_mutex_lock(&guard);
    int code = look_up(FAULT_WRITE, self->name);
    if (code == SQLITE_OK && !has_room(self, size, offset))
        code = SQLITE_FULL;
    if (code == SQLITE_OK)
        code = self->inner->pMethods->xWrite(self->inner, from, size, offset);
    if (code == SQLITE_OK)
        disk_log_add(DISK_WRITE, self->name, offset, (size_t)size, from);
    pthread_mutex_unlock(&guard);
    return code;
}

static int
faulty_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    faulty_file *self = self_of(file);
    if (!self->followed)
        return self->inner->pMethods->xTruncate(self->inner, size);
    pthread_mutex_lock(&guard);
    int code = look_up(FAULT_TRUNCATE, self->name);
    if (code == SQLITE_OK)
        code = self->inner->pMethods->xTruncate(self->inner, size);
    if (code == SQLITE_OK)
        disk_log_add(DISK_TRUNCATE, self->name, size, 0, NULL);
    pthread_mutex_unlock(&guard);
    return code;
}

/* Nothing is really synced: no power fails here, and thousands of commits shall take no minutes. */
static int
faulty_sync(sqlite3_file *file, int flags)
{
    faulty_file *self = self_of(file);
    (void)flags;
    if (!self->followed)
        return SQLITE_OK;
    pthread_mutex_lock(&guard);
    int code = look_up(FAULT_SYNC, self->name);
    if (code == SQLITE_OK)
        disk_log_add(DISK_SYNC, self->name, 0, 0, NULL);
    pthread_mutex_unlock(&guard);
    return code;
}

static int
faulty_size(sqlite3_file *file, sqlite3_int64 *ret_size)
{
    sqlite3_file *inner = self_of(file)->inner;
    return inner->pMethods->xFileSize(inner, ret_size);
}

static int
faulty_lock(sqlite3_file *file, int level)
{
    faulty_file *self = self_of(file);
    int code = self->followed ? verdict(FAULT_LOCK, self->name) : SQLITE_OK;
    return code != SQLITE_OK ? code : self->inner->pMethods->xLock(self->inner, level);
}

static int
faulty_unlock(sqlite3_file *file, int level)
{
    sqlite3_file *inner = self_of(file)->inner;
    return inner->pMethods->xUnlock(inner, level);
}

static int
faulty_check_reserved(sqlite3_file *file, int *ret_reserved)
{
    sqlite3_file *inner = self_of(file)->inner;
    return inner->pMethods->xCheckReservedLock(inner, ret_reserved);
}

static int
faulty_control(sqlite3_file *file, int operation, void *arg)
{
    sqlite3_file *inner = self_of(file)->inner;
    return inner->pMethods->xFileControl(inner, operation, arg);
}

static int
faulty_sector(sqlite3_file *file)
{
    sqlite3_file *inner = self_of(file)->inner;
    return inner->pMethods->xSectorSize(inner);
}

/* no writes that are atomic in themselves: the log knows none */
static int
faulty_characteristics(sqlite3_file *file)
{
    sqlite3_file *inner = self_of(file)->inner;
    return inner->pMethods->xDeviceCharacteristics(inner) & ~SQLITE_IOCAP_BATCH_ATOMIC;
}

static int
faulty_shm_map(sqlite3_file *file, int region, int size, int extend, void volatile **ret_memory)
{
    faulty_file *self = self_of(file);
    int code = verdict(FAULT_MAP, self->name);
    if (code != SQLITE_OK)
        return code;
    return self->inner->pMethods->xShmMap(self->inner, region, size, extend, ret_memory);
}

static int
faulty_shm_lock(sqlite3_file *file, int offset, int count, int flags)
{
    sqlite3_file *inner = self_of(file)->inner;
    return inner->pMethods->xShmLock(inner, offset, count, flags);
}

static void
faulty_shm_barrier(sqlite3_file *file)
{
    sqlite3_file *inner = self_of(file)->inner;
    inner->pMethods->xShmBarrier(inner);
}

static int
faulty_shm_unmap(sqlite3_file *file, int remove)
{
    sqlite3_file *inner = self_of(file)->inner;
    return inner->pMethods->xShmUnmap(inner, remove);
}

#define BASIC                                                                                      \
    faulty_close, faulty_read, faulty_write, faulty_truncate, faulty_sync, faulty_size,            \
        faulty_lock, faulty_unlock, faulty_check_reserved, faulty_control, faulty_sector,          \
        faulty_characteristics

static const sqlite3_io_methods with_memory = {
    2, BASIC, faulty_shm_map, faulty_shm_lock, faulty_shm_barrier, faulty_shm_unmap, NULL, NULL};
static const sqlite3_io_methods without_memory = {1, BASIC, NULL, NULL, NULL, NULL, NULL, NULL};

/* ---- the VFS ---------------------------------------------------------------------------------- */

static bool
ends_with(const char *path, const char *end)
{
    size_t size = strlen(path), much = strlen(end);
    return size >= much && strcmp(path + size - much, end) == 0;
}

static bool
name_of(const char *path, int flags, disk_name *ret_name)
{
    if (path == NULL ||
        (flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL)) == 0)
        return false;
    *ret_name = (flags & SQLITE_OPEN_WAL) != 0            ? DISK_WAL
                : (flags & SQLITE_OPEN_MAIN_JOURNAL) != 0 ? DISK_JOURNAL
                                                          : DISK_DB;
    return true;
}

static int
faulty_open(sqlite3_vfs *vfs, sqlite3_filename path, sqlite3_file *file, int flags, int *ret_flags)
{
    faulty_file *self = self_of(file);
    (void)vfs;
    self->base.pMethods = NULL;
    self->followed = name_of(path, flags, &self->name);
    pthread_mutex_lock(&guard);
    int code = self->followed ? look_up(FAULT_OPEN, self->name) : SQLITE_OK;
    if (code == SQLITE_OK)
        code = real->xOpen(real, path, self->inner, flags, ret_flags);
    if (self->inner->pMethods != NULL && code == SQLITE_OK)
        self->base.pMethods = without_shm ? &without_memory : &with_memory;
    if (code == SQLITE_OK && self->followed && (flags & SQLITE_OPEN_CREATE) != 0)
        disk_log_opened(self->name);
    pthread_mutex_unlock(&guard);
    return code;
}

static int
faulty_delete(sqlite3_vfs *vfs, const char *path, int sync_folder)
{
    (void)vfs;
    pthread_mutex_lock(&guard);
    int code = real->xDelete(real, path, 0);
    if (code == SQLITE_OK && (ends_with(path, "-wal") || ends_with(path, "-journal")))
        disk_log_add(sync_folder != 0 ? DISK_DELETE_SYNCED : DISK_DELETE,
                     ends_with(path, "-wal") ? DISK_WAL : DISK_JOURNAL, 0, 0, NULL);
    pthread_mutex_unlock(&guard);
    return code;
}

/* The rest is SQLite's own: its functions look at nothing of their VFS that a copy has not. */
void
fault_vfs_register(void)
{
    static sqlite3_vfs faulty;
    if (real != NULL)
        return;
    real = sqlite3_vfs_find(NULL);
    if (real == NULL)
        abort();
    faulty = *real;
    faulty.zName = "faulty";
    faulty.pNext = NULL;
    faulty.szOsFile = (int)sizeof(faulty_file) + real->szOsFile;
    faulty.xOpen = faulty_open;
    faulty.xDelete = faulty_delete;
    if (sqlite3_vfs_register(&faulty, 0) != SQLITE_OK)
        abort();
}
