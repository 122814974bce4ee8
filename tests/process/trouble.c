#include "tests/process/trouble.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/process/lies.h"

/* Before what is to be taken for a read. */
#define READ "read "

/* What a URL asks for. */
typedef struct config {
    int level;
    bool stops; /* it sees a stop; otherwise it says that it cannot be stopped */
    char open[16];
} config;

typedef struct connection {
    const config *config;
    bool in_transaction;
    unsigned statements;
} connection;

/* One statement, while it runs. */
typedef struct statement {
    connection *on;
    dbal_request *request;
    dbal_fault *fault;
    long number;      /* its argument */
    const char *text; /* the same as it is written, "" for none */
} statement;

static bool
row_of_integer(const statement *one, int64_t value)
{
    return dbal_request_column(one->request, "n", DBAL_INT64) &&
           dbal_request_integer(one->request, DBAL_INT64, value) && dbal_request_row(one->request);
}

static bool
row_of_text(const statement *one, const char *text)
{
    return dbal_request_column(one->request, "t", DBAL_TEXT) &&
           (text != NULL ? dbal_request_bytes(one->request, DBAL_TEXT, text, strlen(text))
                         : dbal_request_null(one->request)) &&
           dbal_request_row(one->request);
}

/* ---- words --------------------------------------------------------------------------------------- */

static bool
do_value(const statement *one)
{
    return row_of_integer(one, one->number);
}

static void
make_file(const char *path)
{
    close(open(path, O_WRONLY | O_CREAT, 0600));
}

/* The same, but the one of that number waits until it is stopped. */
static bool
do_pause(const statement *one)
{
    if (one->on->statements != (unsigned)one->number)
        return row_of_integer(one, one->on->statements);
    if (getenv("PGBEGUN") != NULL)
        make_file(getenv("PGBEGUN"));
    while (!dbal_request_stopped(one->request))
        usleep(1000);
    dbal_fault_set(one->fault, DBAL_ERROR_CANCELLED, "57014", "stopped");
    return false;
}

/* How many statements this connection has run, with this one; so many are too many. */
static bool
do_until(const statement *one)
{
    if (one->on->statements == (unsigned)one->number)
        raise(SIGKILL);
    return row_of_integer(one, one->on->statements);
}

static bool
do_pid(const statement *one)
{
    return row_of_integer(one, getpid());
}

static bool
do_rows(const statement *one)
{
    bool more = dbal_request_column(one->request, "n", DBAL_INT64);
    for (long i = 1; more && i <= one->number; i++)
        more = dbal_request_integer(one->request, DBAL_INT64, i) && dbal_request_row(one->request);
    return more;
}

/* One cell of so many bytes, each of them the place that it is at. */
static bool
do_bytes(const statement *one)
{
    size_t size = (size_t)one->number;
    char *bytes = malloc(size + 1);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (char)(i * 7);
    bool ok = dbal_request_column(one->request, "b", DBAL_BLOB) &&
              dbal_request_bytes(one->request, DBAL_BLOB, bytes, size) &&
              dbal_request_row(one->request);
    free(bytes);
    return ok;
}

static bool
do_fail(const statement *one)
{
    dbal_fault_set(one->fault, DBAL_ERROR_DATA, "22003", "the number %ld", one->number);
    dbal_fault_set_detail(one->fault, "a detail");
    dbal_fault_set_hint(one->fault, "a hint");
    dbal_fault_set_constraint(one->fault, "a constraint");
    dbal_fault_set_position(one->fault, 6);
    dbal_fault_set_vendor_code(one->fault, (int)one->number);
    dbal_fault_set_retryable(one->fault, true);
    return false;
}

/* Until it is stopped. */
static bool
do_wait(const statement *one)
{
    while (!dbal_request_stopped(one->request))
        usleep(1000);
    dbal_fault_set(one->fault, DBAL_ERROR_CANCELLED, "57014", "stopped");
    return false;
}

__attribute__((noreturn)) static void
hang(void)
{
    for (;;)
        pause();
}

/* First makes a file of that name, if there is one. */
static bool
do_hang(const statement *one)
{
    if (one->text[0] != '\0')
        make_file(one->text);
    hang();
}

static bool
do_abort(const statement *one)
{
    (void)one;
    abort();
}

static bool
do_segv(const statement *one)
{
    (void)one;
    raise(SIGSEGV);
    return false;
}

static bool
do_kill(const statement *one)
{
    kill(getpid(), (int)one->number);
    hang();
}

static bool
do_exit(const statement *one)
{
    exit((int)one->number);
}

static bool
do_lie(const statement *one)
{
    tell_lie(one->text);
    hang();
}

/* Only when so many are there at once, in as many processes, does it go on. */
static bool
do_meet(const statement *one)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%d", strchr(one->text, '/'), (int)getpid());
    int file = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    if (file >= 0)
        close(file);
    long there = 0;
    while (there < one->number + 2 && !dbal_request_stopped(one->request)) {
        DIR *folder = opendir(strchr(one->text, '/'));
        if (folder == NULL)
            return false;
        for (there = 0; readdir(folder) != NULL;)
            there++;
        closedir(folder);
        usleep(1000);
    }
    return row_of_integer(one, there - 2);
}

static bool
do_leak(const statement *one)
{
    static char *kept; /* a leak that no sanitizer calls one */
    size_t size = (size_t)one->number << 20;
    char *more = malloc(size);
    memset(more, 1, size);
    memcpy(more, &kept, sizeof kept);
    kept = more;
    return row_of_integer(one, more[size - 1]);
}

/* How many bytes its parameter has. */
static bool
do_size(const statement *one)
{
    return row_of_integer(one, (int64_t)dbal_request_parameter(one->request, 0).as.bytes.size);
}

/* ---- words that tell how the process is ---- */

static bool
do_descriptor(const statement *one)
{
    return row_of_integer(one, fcntl((int)one->number, F_GETFD) >= 0);
}

static bool
do_environment(const statement *one)
{
    return row_of_text(one, getenv(one->text));
}

static bool
do_directory(const statement *one)
{
    char path[256];
    return row_of_text(one, getcwd(path, sizeof path));
}

static bool
do_core(const statement *one)
{
    struct rlimit limit;
    getrlimit(RLIMIT_CORE, &limit);
    return row_of_integer(one, (int64_t)limit.rlim_cur);
}

/* How many signals are blocked in the thread that has the driver. */
static bool
do_blocked(const statement *one)
{
    sigset_t set;
    int count = 0;
    pthread_sigmask(SIG_SETMASK, NULL, &set);
    for (int i = 1; i < 32; i++)
        count += sigismember(&set, i) == 1;
    return row_of_integer(one, count);
}

static bool
do_statements(const statement *one)
{
    return row_of_integer(one, one->on->statements);
}

static bool
do_begin(const statement *one)
{
    one->on->in_transaction = true;
    return true;
}

static bool
do_end(const statement *one)
{
    one->on->in_transaction = false;
    return true;
}

static const struct word {
    const char *name;
    bool (*run)(const statement *one);
} words[] = {
    {"value", do_value},
    {"until", do_until},
    {"pause", do_pause},
    {"pid", do_pid},
    {"rows", do_rows},
    {"bytes", do_bytes},
    {"fail", do_fail},
    {"wait", do_wait},
    {"hang", do_hang},
    {"crash", do_abort},
    {"segv", do_segv},
    {"kill", do_kill},
    {"exit", do_exit},
    {"lie", do_lie},
    {"size", do_size},
    {"meet", do_meet},
    {"leak", do_leak},
    {"open", do_descriptor},
    {"env", do_environment},
    {"cwd", do_directory},
    {"core", do_core},
    {"blocked", do_blocked},
    {"statements", do_statements},
    {"begin", do_begin},
    {"stray", do_begin}, /* which classify() does not tell */
    {"commit", do_end},
    {"rollback", do_end},
};

/* ---- the driver ---------------------------------------------------------------------------------- */

static bool
run(void *memory, dbal_request *request, dbal_fault *fault)
{
    const char *sql = dbal_request_sql(request, NULL);
    if (strncmp(sql, READ, strlen(READ)) == 0)
        sql += strlen(READ);
    const char *space = strchr(sql, ' ');
    size_t size = space != NULL ? (size_t)(space - sql) : strlen(sql);
    statement one = {memory, request, fault, space != NULL ? strtol(space, NULL, 10) : 0,
                     space != NULL ? space + 1 : ""};
    one.on->statements++;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strlen(words[i].name) == size && strncmp(words[i].name, sql, size) == 0)
            return words[i].run(&one);
    dbal_fault_set(fault, DBAL_ERROR_PROGRAMMING, "42601", "what is %s?", sql);
    return false;
}

static bool
open_connection(void *memory, dbal_opening *opening, dbal_fault *fault)
{
    connection *self = memory;
    self->config = opening->config;
    const char *how = self->config->open;
    if (strcmp(how, "crash") == 0)
        abort();
    if (strcmp(how, "hang") == 0)
        hang();
    if (strcmp(how, "lie") == 0) {
        tell_lie("garbage");
        hang();
    }
    opening->sole = strcmp(how, "sole") == 0;
    if (strcmp(how, "note") == 0)
        dbal_opening_note(opening, "a note of %s", "the driver's");
    if (strcmp(how, "refuse") != 0)
        return true;
    dbal_fault_set(fault, DBAL_ERROR_OPERATIONAL, "28P01", "the password is wrong");
    return false;
}

static void
close_connection(void *memory)
{
    connection *self = memory;
    if (strcmp(self->config->open, "stay") == 0)
        hang();
}

static bool
in_transaction(void *memory)
{
    return ((connection *)memory)->in_transaction;
}

static const char *
version(void)
{
    return "1";
}

static void *
configure(const dbal_url *url, dbal_fault *fault)
{
    config *self = dbal_driver_alloc(sizeof *self);
    const char *level = dbal_url_parameter(url, "level"), *open = dbal_url_parameter(url, "open");
    if (self == NULL) {
        dbal_fault_set(fault, DBAL_ERROR_NO_MEMORY, NULL, "out of memory");
        return NULL;
    }
    self->level = level != NULL ? atoi(level) : 0;
    self->stops = dbal_url_parameter(url, "stops") == NULL;
    snprintf(self->open, sizeof self->open, "%s", open != NULL ? open : "");
    return self;
}

static int
threadlevel(const void *memory)
{
    return memory != NULL ? ((const config *)memory)->level : 0;
}

static unsigned
capabilities(const void *memory)
{
    const config *self = memory;
    return DBAL_CAN_STREAM | (self != NULL && self->stops ? DBAL_CAN_CANCEL : 0u);
}

static dbal_sql_class
classify(const void *memory, const char *sql)
{
    bool control = strcmp(sql, "begin") == 0 || strcmp(sql, "commit") == 0;
    bool reads = strncmp(sql, READ, strlen(READ)) == 0;
    (void)memory;
    return control ? (dbal_sql_class){DBAL_SQL_SESSION, "dbal_pool_transaction()"}
                   : (dbal_sql_class){reads ? DBAL_SQL_READS : DBAL_SQL_WRITES, NULL};
}

static const char *
begin(const void *memory, dbal_isolation isolation, bool read_only, bool deferrable,
      dbal_fault *fault)
{
    (void)memory, (void)isolation, (void)read_only, (void)deferrable, (void)fault;
    return "begin";
}

static const char *const schemes[] = {"trouble", NULL};
static const char *const settings[] = {"level", "open", "stops", NULL};

static const dbal_blocking blocking = {
    .size = sizeof(dbal_blocking),
    .open = open_connection,
    .close = close_connection,
    .run = run,
    .in_transaction = in_transaction,
};

const dbal_driver trouble_driver = {
    .size = sizeof(dbal_driver),
    .abi = DBAL_DRIVER_ABI,
    .name = "trouble",
    .schemes = schemes,
    .settings = settings,
    .dialect = DBAL_DIALECT_POSTGRESQL,
    .paramstyle = DBAL_PARAMSTYLE_DOLLAR,
    .connection_size = sizeof(connection),
    .version = version,
    .configure = configure,
    .configure_free = dbal_driver_free,
    .threadlevel = threadlevel,
    .capabilities = capabilities,
    .classify = classify,
    .begin = begin,
    .blocking = &blocking,
};
