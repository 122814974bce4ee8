/*
 * A copy of the database while others use it, a megabyte at a time, out of one snapshot: whatever is
 * written meanwhile, it neither begins anew nor keeps a writer waiting. It is made under a name of
 * its own and renamed when it is whole, so that under the wanted name is all of it or nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "connection.h"
#include "failure.h"
#include "wait.h"

enum { STEP_BYTES = 1 << 20, TRIES = 100 };

typedef struct copy {
    dbal__sqlite_connection *c;
    dbal_request *request;
    dbal_fault *fault;
    char target[PATH_MAX], partial[PATH_MAX], folder[PATH_MAX];
    sqlite3 *db; /* the copy */
    int64_t page_size;
} copy;

static bool
refuse(copy *self, const char *what, int error)
{
    dbal_fault_set(self->fault, DBAL_ERROR_OPERATIONAL, "58030", "cannot back up to %s: %s: %s",
                   self->target, what, strerrordesc_np(error));
    return false;
}

static bool
refuse_existing(copy *self, const char *what)
{
    dbal_fault_set(self->fault, DBAL_ERROR_OPERATIONAL, "58P02", "cannot back up to %s: %s",
                   self->target, what);
    return false;
}

/* ---- names --------------------------------------------------------------------------------------- */

/* An absolute path, since SQLite takes some others for something else. */
static bool
read_target(copy *self)
{
    dbal_value value = dbal_request_parameter(self->request, 0);
    const char *name = value.as.bytes.data, *slash;
    char here[PATH_MAX] = "";
    if (value.type != DBAL_TEXT || strlen(name) != value.as.bytes.size || name[0] == '\0') {
        dbal_fault_set(self->fault, DBAL_ERROR_INTERFACE, NULL, "a backup's target is a path");
        return false;
    }
    snprintf(self->target, sizeof self->target, "%.*s", PATH_MAX - 1, name);
    if (name[0] != '/' && getcwd(here, sizeof here) == NULL)
        return refuse(self, "the current directory", errno);
    int size = snprintf(self->target, sizeof self->target, "%s%s%s", here,
                        name[0] != '/' ? "/" : "", name);
    if (size < 0 || (size_t)size >= sizeof self->target)
        return refuse(self, "the path", ENAMETOOLONG);
    slash = strrchr(self->target, '/');
    snprintf(self->folder, sizeof self->folder, "%.*s",
             slash == self->target ? 1 : (int)(slash - self->target), self->target);
    return true;
}

static bool
is_there(const char *path, const char *end, struct stat *ret_status)
{
    char name[PATH_MAX + 16];
    snprintf(name, sizeof name, "%s%s", path, end);
    return lstat(name, ret_status) == 0;
}

/* Nothing may be there, nor a log that would be taken for the copy's. */
static bool
is_free(copy *self)
{
    const dbal__sqlite_config *config = self->c->config;
    struct stat status, own;
    if (is_there(self->target, "", &status)) {
        bool same = !config->memory && stat(self->target, &status) == 0 &&
                    stat(config->path, &own) == 0 && status.st_dev == own.st_dev &&
                    status.st_ino == own.st_ino;
        return refuse_existing(self, same ? "it is the database itself" : "it exists already");
    }
    if (is_there(self->target, "-wal", &status) || is_there(self->target, "-journal", &status))
        return refuse_existing(self, "a log of another database stands beside it");
    return true;
}

/* Who may read the database may read its copy, and nobody else. */
static mode_t
mode_of(const dbal__sqlite_config *config)
{
    struct stat status;
    if (config->memory || stat(config->path, &status) != 0)
        return 0644;
    return status.st_mode & 0666;
}

/* Makes an empty file for the copy; closed again before SQLite opens it. */
static bool
make_partial(copy *self)
{
    static atomic_uint last;
    for (int i = 0; i < TRIES; i++) {
        int size = snprintf(self->partial, sizeof self->partial, "%s.partial-%ld-%u", self->target,
                            (long)getpid(), atomic_fetch_add(&last, 1));
        if (size < 0 || (size_t)size >= sizeof self->partial)
            errno = ENAMETOOLONG;
        else {
            int fd = open(self->partial, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
                          mode_of(self->c->config));
            if (fd >= 0)
                return close(fd) == 0;
        }
        if (errno != EEXIST)
            break;
    }
    int error = errno;
    self->partial[0] = '\0';
    return refuse(self, "the copy cannot be made there", error);
}

/* Gives the copy its name, for good, unless somebody has it by now. */
static bool
name_it(copy *self)
{
    bool done = renameat2(AT_FDCWD, self->partial, AT_FDCWD, self->target, RENAME_NOREPLACE) == 0;
    /* not every file system knows how */
    if (!done && (errno == EINVAL || errno == ENOSYS))
        done = link(self->partial, self->target) == 0 && unlink(self->partial) == 0;
    if (!done && errno == EEXIST)
        return refuse_existing(self, "it exists already");
    if (!done)
        return refuse(self, "the copy cannot be renamed", errno);
    self->partial[0] = '\0';
    int folder = open(self->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), error = 0;
    if (folder < 0 || (fsync(folder) != 0 && errno != EINVAL && errno != EROFS))
        error = errno;
    if (folder >= 0)
        close(folder);
    if (error == 0)
        return true;
    unlink(self->target);
    return refuse(self, "its folder cannot be written to the disk", error);
}

/* ---- copying ------------------------------------------------------------------------------------- */

static bool
fail(copy *self, sqlite3 *db, int code)
{
    dbal__sqlite_failure_backup(self->c, db, code, self->target, self->fault);
    return false;
}

static int
store_number(void *arg, int columns, char **cells, char **names)
{
    (void)names;
    long long number = 0;
    if (columns == 1 && cells[0] != NULL && sscanf(cells[0], "%lld", &number) == 1)
        *(int64_t *)arg = number;
    return 0;
}

/* From here on the connection sees one state of the database. */
static bool
take_snapshot(copy *self)
{
    sqlite3 *db = self->c->db;
    int64_t tables = 0;
    int code = sqlite3_exec(db, "pragma page_size", store_number, &self->page_size, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_exec(db, "begin", NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_exec(db, "select count(*) from sqlite_schema", store_number, &tables, NULL);
    return code == SQLITE_OK ? true : fail(self, db, code);
}

/* The copy needs no journal: it is thrown away unless it is whole. SQLite syncs it at its end. */
static bool
open_copy(copy *self)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
    int code = sqlite3_open_v2(self->partial, &self->db, flags, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_exec(self->db, "pragma journal_mode = off; pragma synchronous = full", NULL,
                            NULL, NULL);
    return code == SQLITE_OK ? true : fail(self, self->db, code);
}

static bool
tell(copy *self, sqlite3_backup *backup)
{
    int64_t total = sqlite3_backup_pagecount(backup);
    int64_t done = total - sqlite3_backup_remaining(backup);
    dbal_request *request = self->request;
    return dbal_request_integer(request, DBAL_INT64, done * self->page_size) &&
           dbal_request_integer(request, DBAL_INT64, total * self->page_size) &&
           dbal_request_row(request);
}

/* SQLite's code; SQLITE_DONE, or SQLITE_NOMEM also when the word of it could not be kept. */
static int
step_through(copy *self, sqlite3_backup *backup)
{
    int pages = (int)(STEP_BYTES / (self->page_size > 0 ? self->page_size : 4096));
    int code = SQLITE_OK, waits = 0;
    while (code == SQLITE_OK) {
        if (dbal__sqlite_wait_over(self->c))
            return SQLITE_INTERRUPT;
        code = sqlite3_backup_step(backup, pages);
        if ((code == SQLITE_BUSY || code == SQLITE_LOCKED) &&
            dbal__sqlite_wait_once(self->c, waits++))
            code = SQLITE_OK;
        else if ((code == SQLITE_OK || code == SQLITE_DONE) && !tell(self, backup))
            return dbal__sqlite_wait_over(self->c) ? SQLITE_INTERRUPT : SQLITE_NOMEM;
    }
    return code;
}

static bool
copy_pages(copy *self)
{
    dbal_request *request = self->request;
    if (!dbal_request_column(request, "done", DBAL_INT64) ||
        !dbal_request_column(request, "total", DBAL_INT64))
        return fail(self, NULL, SQLITE_NOMEM);
    sqlite3_backup *backup = sqlite3_backup_init(self->db, "main", self->c->db, "main");
    if (backup == NULL)
        return fail(self, self->db, sqlite3_extended_errcode(self->db));
    int code = step_through(self, backup);
    int ended = sqlite3_backup_finish(backup);
    if (code == SQLITE_DONE && ended == SQLITE_OK)
        return true;
    return fail(self, self->db, code == SQLITE_DONE ? ended : code);
}

static void
end_snapshot(dbal__sqlite_connection *c)
{
    if (sqlite3_get_autocommit(c->db) == 0)
        sqlite3_exec(c->db, "rollback", NULL, NULL, NULL);
}

/* What nobody else has any more is not what is to be kept. */
static bool
is_of_its_place(dbal__sqlite_connection *c, dbal_fault *fault)
{
    return !dbal__sqlite_place_is_lost(c->config->place, &c->files) ||
           dbal__sqlite_place_check(c->config->place, &c->files, fault);
}

static bool
make_copy(copy *self)
{
    bool ok = take_snapshot(self) && open_copy(self) && copy_pages(self);
    int code = sqlite3_close(self->db);
    end_snapshot(self->c);
    if (ok && code != SQLITE_OK)
        return fail(self, NULL, code);
    if (ok && dbal__sqlite_wait_over(self->c))
        return fail(self, NULL, SQLITE_INTERRUPT);
    return ok && name_it(self);
}

bool
dbal__sqlite_backup(void *connection, dbal_request *request, dbal_fault *fault)
{
    dbal__sqlite_connection *c = connection;
    copy self = {.c = c, .request = request, .fault = fault};
    dbal__sqlite_wait_begin(c, request, dbal_request_deadline(request));
    bool ok = is_of_its_place(c, fault) && read_target(&self) && is_free(&self) &&
              make_partial(&self) && make_copy(&self);
    if (self.partial[0] != '\0')
        unlink(self.partial);
    dbal__sqlite_wait_end(c);
    return ok;
}
