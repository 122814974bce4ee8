#include "place.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

/* Often enough to lose little, seldom enough to cost nothing beside a statement. */
static const int64_t between_looks = 10000000;

enum { STAYS, GONE, REPLACED, LOG_GONE };

struct dbal__sqlite_place {
    dbal__sqlite_place *next;
    int pools; /* under `registry` */
    /* the files that are opened now; when they are lost and others are opened, it is one more */
    atomic_uint generation;
    atomic_int lost;        /* why connections to them are of no more use; STAYS: they are */
    atomic_int lost_before; /* the same of the generation before */
    pthread_mutex_t guard;  /* for all below */
    int connections;        /* of this generation: being opened, open, being closed */
    bool renewing;          /* the first one of the next generation is being opened */
    uint64_t device, inode; /* of this generation's database; 0: not known yet */
    char path[];
};

static pthread_mutex_t registry = PTHREAD_MUTEX_INITIALIZER;
static dbal__sqlite_place *places;

dbal__sqlite_place *
dbal__sqlite_place_get(const char *path)
{
    size_t size = strlen(path) + 1;
    pthread_mutex_lock(&registry);
    dbal__sqlite_place *place = places;
    while (place != NULL && strcmp(place->path, path) != 0)
        place = place->next;
    if (place == NULL && (place = dbal_driver_alloc(sizeof *place + size)) != NULL) {
        pthread_mutex_init(&place->guard, NULL);
        memcpy(place->path, path, size);
        place->next = places;
        places = place;
    }
    if (place != NULL)
        place->pools++;
    pthread_mutex_unlock(&registry);
    return place;
}

void
dbal__sqlite_place_release(dbal__sqlite_place *place)
{
    if (place == NULL)
        return;
    pthread_mutex_lock(&registry);
    bool last = --place->pools == 0;
    dbal__sqlite_place **at = &places;
    while (last && *at != place)
        at = &(*at)->next;
    if (last)
        *at = place->next;
    pthread_mutex_unlock(&registry);
    if (!last)
        return;
    pthread_mutex_destroy(&place->guard);
    dbal_driver_free(place);
}

/* ---- looking ----------------------------------------------------------------------------------- */

static bool
look(const dbal__sqlite_place *place, const char *end, struct stat *ret_status)
{
    char path[4200];
    snprintf(path, sizeof path, "%s%s", place->path, end);
    return stat(path, ret_status) == 0;
}

static uint64_t
inode_of(const dbal__sqlite_place *place, const char *end)
{
    struct stat status;
    return look(place, end, &status) ? status.st_ino : 0;
}

/* A file that cannot be looked at, for want of permission say, may still be there. */
static bool
has_gone(const dbal__sqlite_place *place, const char *end, uint64_t inode)
{
    struct stat status;
    if (inode == 0)
        return false;
    return look(place, end, &status) ? status.st_ino != inode : errno == ENOENT;
}

static int
compare(const dbal__sqlite_place *place, const dbal__sqlite_files *files)
{
    struct stat status;
    if (files->inode == 0)
        return STAYS;
    if (!look(place, "", &status))
        return errno == ENOENT || errno == ENOTDIR ? GONE : STAYS;
    if (status.st_ino != files->inode || status.st_dev != files->device)
        return REPLACED;
    return has_gone(place, "-wal", files->log) || has_gone(place, "-shm", files->memory) ? LOG_GONE
                                                                                         : STAYS;
}

static void
say(const dbal__sqlite_place *place, int lost, dbal_fault *fault)
{
    static const struct {
        const char *what, *hint;
    } words[] = {
        [GONE] = {"the database file %s is gone: it was deleted or moved while it was open",
                  "put it back, or close the pool and open it again, which makes a new file"},
        [REPLACED] = {"the database file %s was replaced by another file while it was open",
                      "work goes on with the new file once all connections to the old one are "
                      "closed; what was written just before is in the old one"},
        [LOG_GONE] = {"the files %s-wal and -shm were removed while the database was open",
                      "either somebody deleted them, or something in this process opened and "
                      "closed the database file by other means, which drops SQLite's locks; what "
                      "was written just before may be missing"},
    };
    dbal_fault_set(fault, DBAL_ERROR_OPERATIONAL, "58P01", words[lost].what, place->path);
    dbal_fault_set_hint(fault, words[lost].hint);
    dbal_fault_set_execution(fault, DBAL_EXECUTION_NOT_SENT);
}

static int64_t
coarse_clock(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* why a connection is of no more use */
static int
find_loss(dbal__sqlite_place *place, dbal__sqlite_files *files)
{
    int lost = atomic_load_explicit(&place->lost, memory_order_relaxed);
    if (atomic_load_explicit(&place->generation, memory_order_relaxed) != files->generation)
        return atomic_load(&place->lost_before);
    if (lost != STAYS)
        return lost;
    int64_t now = coarse_clock();
    if (now < files->look_at)
        return STAYS;
    files->look_at = now + between_looks;
    lost = compare(place, files);
    if (lost != STAYS)
        atomic_store(&place->lost, lost);
    return lost;
}

bool
dbal__sqlite_place_check(dbal__sqlite_place *place, dbal__sqlite_files *files, dbal_fault *fault)
{
    int lost = place != NULL && files->inode != 0 ? find_loss(place, files) : STAYS;
    if (lost == STAYS)
        return true;
    say(place, lost, fault);
    dbal_fault_set_retryable(fault, lost != GONE);
    dbal_fault_set_connection_lost(fault, true);
    return false;
}

bool
dbal__sqlite_place_is_lost(dbal__sqlite_place *place, dbal__sqlite_files *files)
{
    files->look_at = 0;
    return place != NULL && files->inode != 0 && find_loss(place, files) != STAYS;
}

/* ---- connections ------------------------------------------------------------------------------- */

static bool
is_same_file(const dbal__sqlite_place *place, const struct stat *file)
{
    return file->st_ino == place->inode && file->st_dev == place->device;
}

/* A log that was written for the file before would be copied into the one that is there now. */
static bool
has_foreign_log(const dbal__sqlite_place *place)
{
    struct stat file, log;
    return look(place, "", &file) && !is_same_file(place, &file) && look(place, "-wal", &log) &&
           log.st_size > 0;
}

/* Nothing that connections of this generation use would be used by the next one too. */
static bool
is_apart(const dbal__sqlite_place *place)
{
    struct stat status;
    bool same = look(place, "", &status) && is_same_file(place, &status);
    return !same && !look(place, "-wal", &status) && !look(place, "-shm", &status) &&
           !look(place, "-journal", &status);
}

/* The files were lost: whether those that are there now may be opened. */
static bool
may_renew(const dbal__sqlite_place *place, int lost, dbal_fault *fault)
{
    if (place->renewing || (place->connections > 0 && !is_apart(place))) {
        say(place, lost, fault); /* the others notice it too, and are closed */
        dbal_fault_set_retryable(fault, true);
        return false;
    }
    if (!has_foreign_log(place))
        return true;
    dbal_fault_set(fault, DBAL_ERROR_OPERATIONAL, "58P01",
                   "cannot open %s: it replaced another file, whose log %s-wal would be copied "
                   "into it",
                   place->path, place->path);
    dbal_fault_set_hint(fault, "move the -wal and -shm files away, or the old file back; if they "
                               "belong to the new file, close the pool and open it again");
    return false;
}

bool
dbal__sqlite_place_enter(dbal__sqlite_place *place, dbal__sqlite_files *files, dbal_fault *fault)
{
    if (place == NULL)
        return true;
    pthread_mutex_lock(&place->guard);
    int lost = atomic_load(&place->lost);
    if (lost == STAYS && place->connections > 0) {
        lost =
            compare(place, &(dbal__sqlite_files){.device = place->device, .inode = place->inode});
        atomic_store(&place->lost, lost);
    }
    bool may = lost == STAYS || may_renew(place, lost, fault);
    if (may && lost != STAYS) {
        files->anew = place->renewing = true;
    } else if (may) {
        files->generation = atomic_load(&place->generation);
        if (place->connections++ == 0)
            place->inode = 0;
    }
    pthread_mutex_unlock(&place->guard);
    return may;
}

/* under the guard: only now is it sure that there is another file */
static void
begin_generation(dbal__sqlite_place *place, dbal__sqlite_files *files)
{
    atomic_store(&place->lost_before, atomic_load(&place->lost));
    files->generation = atomic_fetch_add(&place->generation, 1) + 1;
    files->anew = place->renewing = false;
    place->connections = 1;
    place->inode = 0;
    atomic_store(&place->lost, STAYS);
}

void
dbal__sqlite_place_opened(dbal__sqlite_place *place, dbal__sqlite_files *files)
{
    struct stat file;
    if (place == NULL)
        return;
    if (look(place, "", &file)) {
        files->device = file.st_dev;
        files->inode = file.st_ino;
    }
    files->log = inode_of(place, "-wal");
    files->memory = inode_of(place, "-shm");
    pthread_mutex_lock(&place->guard);
    if (files->anew)
        begin_generation(place, files);
    if (place->inode == 0) {
        place->device = files->device;
        place->inode = files->inode;
    }
    pthread_mutex_unlock(&place->guard);
}

void
dbal__sqlite_place_leave(dbal__sqlite_place *place, dbal__sqlite_files *files)
{
    if (place == NULL)
        return;
    pthread_mutex_lock(&place->guard);
    if (files->anew)
        place->renewing = false;
    else if (files->generation == atomic_load(&place->generation))
        place->connections--;
    pthread_mutex_unlock(&place->guard);
}
