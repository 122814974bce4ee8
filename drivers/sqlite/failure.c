#include "failure.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "hint.h"
#include "message.h"

typedef struct mapping {
    int code;
    dbal_error_class error_class;
    const char *sqlstate;
    bool retryable;
} mapping;

/* Extended codes first: the first that fits is taken, and a primary code fits all of its own. */
static const mapping mappings[] = {
    {SQLITE_CONSTRAINT_UNIQUE, DBAL_ERROR_INTEGRITY, "23505", false},
    {SQLITE_CONSTRAINT_PRIMARYKEY, DBAL_ERROR_INTEGRITY, "23505", false},
    {SQLITE_CONSTRAINT_ROWID, DBAL_ERROR_INTEGRITY, "23505", false},
    {SQLITE_CONSTRAINT_NOTNULL, DBAL_ERROR_INTEGRITY, "23502", false},
    {SQLITE_CONSTRAINT_FOREIGNKEY, DBAL_ERROR_INTEGRITY, "23503", false},
    {SQLITE_CONSTRAINT_CHECK, DBAL_ERROR_INTEGRITY, "23514", false},
    {SQLITE_CONSTRAINT | 12 << 8, DBAL_ERROR_INTEGRITY, "23514", false}, /* _DATATYPE, 3.37 */
    {SQLITE_CONSTRAINT, DBAL_ERROR_INTEGRITY, "23000", false},
    {SQLITE_BUSY_SNAPSHOT, DBAL_ERROR_OPERATIONAL, "40001", true},
    {SQLITE_BUSY, DBAL_ERROR_OPERATIONAL, "55P03", true},
    {SQLITE_LOCKED, DBAL_ERROR_OPERATIONAL, "55P03", true},
    {SQLITE_INTERRUPT, DBAL_ERROR_CANCELLED, "57014", false},
    {SQLITE_NOMEM, DBAL_ERROR_NO_MEMORY, "53200", false},
    {SQLITE_IOERR_NOMEM, DBAL_ERROR_NO_MEMORY, "53200", false},
    {SQLITE_READONLY_DBMOVED, DBAL_ERROR_OPERATIONAL, "58P01", false},
    {SQLITE_READONLY, DBAL_ERROR_OPERATIONAL, "25006", false},
    {SQLITE_FULL, DBAL_ERROR_OPERATIONAL, "53100", false},
    {SQLITE_IOERR, DBAL_ERROR_OPERATIONAL, "58030", false},
    {SQLITE_CANTOPEN, DBAL_ERROR_OPERATIONAL, "58030", false},
    {SQLITE_PERM, DBAL_ERROR_OPERATIONAL, "58030", false},
    {SQLITE_PROTOCOL, DBAL_ERROR_OPERATIONAL, "55P03", true},
    {SQLITE_CORRUPT, DBAL_ERROR_OPERATIONAL, "XX001", false},
    {SQLITE_NOTADB, DBAL_ERROR_OPERATIONAL, "XX001", false},
    {SQLITE_FORMAT, DBAL_ERROR_OPERATIONAL, "XX001", false},
    {SQLITE_SCHEMA, DBAL_ERROR_OPERATIONAL, "40001", true},
    {SQLITE_ABORT, DBAL_ERROR_OPERATIONAL, "40000", false},
    {SQLITE_NOLFS, DBAL_ERROR_OPERATIONAL, "58030", false},
    {SQLITE_TOOBIG, DBAL_ERROR_DATA, "54000", false},
    {SQLITE_MISMATCH, DBAL_ERROR_DATA, "42804", false},
    {SQLITE_AUTH, DBAL_ERROR_PROGRAMMING, "42501", false},
    {SQLITE_RANGE, DBAL_ERROR_INTERFACE, NULL, false},
    {SQLITE_MISUSE, DBAL_ERROR_INTERFACE, NULL, false},
    {SQLITE_INTERNAL, DBAL_ERROR_INTERNAL, "XX000", false},
    {SQLITE_NOTFOUND, DBAL_ERROR_INTERNAL, "XX000", false},
};

static mapping
map(int code)
{
    for (size_t i = 0; i < sizeof mappings / sizeof mappings[0]; i++)
        if (mappings[i].code == code || mappings[i].code == (code & 0xff))
            return mappings[i];
    return (mapping){code, DBAL_ERROR_INTERNAL, "XX000", false};
}

/* a statement that was asked to stop says so in several ways */
static bool
was_stopped(const dbal__sqlite_connection *c, int code)
{
    int primary = code & 0xff;
    return c->stopped && (primary == SQLITE_INTERRUPT || primary == SQLITE_BUSY ||
                          primary == SQLITE_LOCKED || primary == SQLITE_ABORT);
}

void
dbal__sqlite_failure_stopped(dbal_fault *fault)
{
    dbal_fault_set(fault, DBAL_ERROR_CANCELLED, "57014", "stopped before its end");
}

void
dbal__sqlite_failure_memory(dbal_fault *fault)
{
    dbal_fault_set(fault, DBAL_ERROR_NO_MEMORY, "53200", "out of memory");
}

void
dbal__sqlite_failure_lost(dbal_fault *fault)
{
    dbal_fault_set(fault, DBAL_ERROR_OPERATIONAL, "25P02",
                   "the transaction was ended by the database after an error: nothing of it was "
                   "kept, and nothing runs until it is rolled back");
}

void
dbal__sqlite_failure_promise(dbal_fault *fault)
{
    dbal_fault_set(fault, DBAL_ERROR_OPERATIONAL, "25006",
                   "the statement writes, but was promised to be read-only");
}

/* true when the fault is set: what is the same everywhere */
static bool
set_common(dbal__sqlite_connection *c, int code, dbal_fault *fault)
{
    if (was_stopped(c, code)) {
        dbal__sqlite_failure_stopped(fault);
        dbal_fault_set_vendor_code(fault, code);
        return true;
    }
    if ((code & 0xff) == SQLITE_NOMEM || code == SQLITE_IOERR_NOMEM) {
        dbal__sqlite_failure_memory(fault);
        dbal_fault_set_vendor_code(fault, code);
        return true;
    }
    return false;
}

/* the database's own words; for a lock, also whose it may be */
static const char *
words(dbal__sqlite_connection *c, int code)
{
    if (code == SQLITE_BUSY_SNAPSHOT)
        return "another connection has written since this transaction first read";
    if ((code & 0xff) == SQLITE_BUSY)
        return "the database is locked by another connection or process";
    /* the handle may hold the words of another code, as when the code is this driver's own */
    return sqlite3_extended_errcode(c->db) == code ? sqlite3_errmsg(c->db) : sqlite3_errstr(code);
}

/* some failures are known better by the system's own reason */
static const char *
sqlstate_of(mapping m, int cause)
{
    switch (cause) {
    case ENOSPC:
    case EDQUOT:
        return "53100";
    case EROFS:
        return "25006";
    default:
        return m.sqlstate;
    }
}

static const char *
cause_words(int cause)
{
    const char *text = cause != 0 ? strerrordesc_np(cause) : NULL;
    return text != NULL ? text : "";
}

/* "disk I/O error while syncing: Input/output error" */
static void
set_words(dbal__sqlite_connection *c, mapping m, int code, const char *before, dbal_fault *fault)
{
    int cause = dbal__sqlite_hint_cause(c->db, code);
    const char *doing = dbal__sqlite_hint_doing(code), *why = cause_words(cause);
    dbal_fault_set(fault, m.error_class, sqlstate_of(m, cause), "%s%s%s%s%s%s", before,
                   words(c, code), doing != NULL ? " while " : "", doing != NULL ? doing : "",
                   why[0] != '\0' ? ": " : "", why);
    dbal_fault_set_hint(fault, dbal__sqlite_hint_of(code));
    dbal_fault_set_retryable(fault, m.retryable);
    dbal_fault_set_vendor_code(fault, code);
}

/* SQLite looks too, when it opens a rollback journal, but does not tell what it has seen */
static bool
is_moved(dbal__sqlite_connection *c, int code, dbal_fault *fault)
{
    if (code != SQLITE_READONLY_DBMOVED || !dbal__sqlite_place_is_lost(c->config->place, &c->files))
        return false;
    dbal__sqlite_place_check(c->config->place, &c->files, fault);
    dbal_fault_set_vendor_code(fault, code);
    return true;
}

static void
set_mapped(dbal__sqlite_connection *c, int code, dbal_fault *fault)
{
    mapping m = map(code);
    const char *text = words(c, code);
    char constraint[256];
    if (is_moved(c, code, fault))
        return;
    set_words(c, m, code, "", fault);
    if (m.error_class == DBAL_ERROR_INTEGRITY &&
        dbal__sqlite_message_constraint(text, constraint, sizeof constraint))
        dbal_fault_set_constraint(fault, constraint);
}

void
dbal__sqlite_failure_compile(dbal__sqlite_connection *c, int code, dbal_fault *fault)
{
    if (set_common(c, code, fault))
        return;
    if ((code & 0xff) != SQLITE_ERROR) {
        set_mapped(c, code, fault);
        return;
    }
    const char *text = sqlite3_errmsg(c->db);
    dbal__sqlite_message m =
        dbal__sqlite_message_find(text, (dbal__sqlite_message){DBAL_ERROR_PROGRAMMING, "42601"});
    dbal_fault_set(fault, m.error_class, m.sqlstate, "%s", text);
    dbal_fault_set_vendor_code(fault, code);
#if SQLITE_VERSION_NUMBER >= 3038000
    dbal_fault_set_position(fault, sqlite3_error_offset(c->db) + 1);
#endif
}

/* SQLITE_ERROR of a running statement: the message alone tells what it is */
static void
set_step_error(dbal__sqlite_connection *c, int code, dbal_fault *fault)
{
    char text[512];
    dbal__sqlite_message_hide(sqlite3_errmsg(c->db), c->request, text, sizeof text);
    dbal__sqlite_message m = dbal__sqlite_message_find(
        sqlite3_errmsg(c->db), (dbal__sqlite_message){DBAL_ERROR_OPERATIONAL, "58000"});
    dbal_fault_set(fault, m.error_class, m.sqlstate, "%s", text);
    dbal_fault_set_vendor_code(fault, code);
}

void
dbal__sqlite_failure_step(dbal__sqlite_connection *c, int code, dbal__sqlite_verb verb,
                          bool commits, dbal_fault *fault)
{
    if (set_common(c, code, fault))
        return;
    bool path =
        verb == DBAL__SQLITE_ATTACH || (verb == DBAL__SQLITE_COPY && (code & 0xff) != SQLITE_ERROR);
    if (path && dbal_request_parameter_count(c->request) != 0)
        /* its message would show the path, which is a parameter's value */
        dbal_fault_set(fault, map(code).error_class, map(code).sqlstate, "%s",
                       sqlite3_errstr(code));
    else if ((code & 0xff) == SQLITE_ERROR)
        set_step_error(c, code, fault);
    else
        set_mapped(c, code, fault);
    /* the log may or may not have reached the disk */
    if (commits && (code & 0xff) == SQLITE_IOERR)
        dbal_fault_set_execution(fault, DBAL_EXECUTION_UNKNOWN);
}

/* ---- opening ----------------------------------------------------------------------------------- */

static bool
parent_is_directory(const char *path)
{
    struct stat status;
    char parent[4096];
    const char *slash = strrchr(path, '/');
    int size = slash == path ? 1 : (int)(slash - path);
    snprintf(parent, sizeof parent, "%.*s", size, path);
    return stat(parent, &status) == 0 && S_ISDIR(status.st_mode);
}

/* why a file cannot be opened, as far as looking at it from outside tells */
static const char *
reason(const dbal__sqlite_config *config, int cause)
{
    struct stat status;
    if (config->memory)
        return "SQLite cannot make a database in memory";
    if (stat(config->path, &status) == 0) {
        if (S_ISDIR(status.st_mode))
            return "it is a directory, not a database file";
        if (!S_ISREG(status.st_mode))
            return "it is not a regular file";
        if (cause == EMFILE || cause == ENFILE)
            return "too many files are open (see ulimit -n)";
        return "the file, its directory or its -wal and -shm files cannot be opened (permissions, "
               "a read-only place, or no shared memory there)";
    }
    if (errno != ENOENT && errno != ENOTDIR)
        return "its directory cannot be searched";
    if (!parent_is_directory(config->path))
        return "its directory does not exist";
    if (config->mode == DBAL__SQLITE_RO)
        return "there is no such file, and mode=ro does not make one";
    if (config->mode == DBAL__SQLITE_RW)
        return "there is no such file, and mode=rw does not make one";
    if (atomic_load(config->was_there))
        return "there is no such file any more, and a pool makes it only once";
    if (cause == EMFILE || cause == ENFILE)
        return "too many files are open (see ulimit -n)";
    return "the file cannot be made in its directory (permissions, or a read-only place)";
}

void
dbal__sqlite_failure_open(dbal__sqlite_connection *c, int code, const char *damage,
                          dbal_fault *fault)
{
    const char *path = c->config->path;
    mapping m = map(code);
    char before[4300];
    switch (code & 0xff) {
    case SQLITE_NOMEM:
        dbal__sqlite_failure_memory(fault);
        break;
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        dbal_fault_set(fault, DBAL_ERROR_OPERATIONAL, "08001", "cannot open %s: %s", path,
                       reason(c->config, dbal__sqlite_hint_cause(c->db, code)));
        break;
    case SQLITE_NOTADB:
        dbal_fault_set(fault, m.error_class, m.sqlstate,
                       "cannot open %s: the file is not a SQLite database (or it is encrypted)",
                       path);
        break;
    case SQLITE_INTERRUPT: /* the deadline passed */
        dbal_fault_set(fault, DBAL_ERROR_OPERATIONAL, "57014",
                       "cannot open %s: it took longer than allowed", path);
        dbal_fault_set_retryable(fault, true);
        break;
    case SQLITE_CORRUPT:
        if (damage[0] != '\0') {
            dbal_fault_set(fault, m.error_class, m.sqlstate, "cannot open %s: %s", path, damage);
            dbal_fault_set_hint(fault, dbal__sqlite_hint_of(code));
            break;
        }
        /* fall through */
    default:
        snprintf(before, sizeof before, "cannot open %s: ", path);
        set_words(c, m, code, before, fault);
        break;
    }
    dbal_fault_set_vendor_code(fault, code);
}

void
dbal__sqlite_failure_backup(dbal__sqlite_connection *c, sqlite3 *db, int code, const char *target,
                            dbal_fault *fault)
{
    mapping m = map(code);
    if (set_common(c, code, fault))
        return;
    bool its_own = db != NULL && sqlite3_extended_errcode(db) == code;
    dbal_fault_set(fault, m.error_class, m.sqlstate, "cannot back up to %s: %s", target,
                   its_own ? sqlite3_errmsg(db) : sqlite3_errstr(code));
    dbal_fault_set_retryable(fault, m.retryable);
    dbal_fault_set_vendor_code(fault, code);
}
