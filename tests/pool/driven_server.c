#include "tests/pool/driven_server.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "dbal/helper.h"
#include "dbal/list.h"
#include <dbal/driver.h>

enum { PENDING = 256 };

typedef struct pending {
    dbal_request *request;
    bool resets, cancelled;
} pending;

typedef struct connection {
    dbal__list link; /* attached */
    dbal_host *host;
    unsigned number;
    pending asked[PENDING]; /* a ring */
    unsigned first, next;
    bool deaf; /* to cancels, and sends nothing more */
    bool in_transaction;
    int64_t session; /* that ran here last; 0: none */
} connection;

/* A connect or a close, until its time has come. */
typedef struct trip {
    dbal__timer timer;
    dbal__errand *errand;
} trip;

driven_server server;
static dbal__list attached;
static unsigned numbers;

static unsigned
below(unsigned most)
{
    return chance_below(&server.luck, most);
}

/* ---- what would be done by a helper thread ---- */

static void
arrive(dbal__timer *timer)
{
    trip *self = DBAL__OF(timer, trip, timer);
    dbal__errand *errand = self->errand;
    free(self);
    server.errands--;
    errand->run(errand);
    errand->done(errand);
}

static double
travel_time(void)
{
    if (server.mood == DRIVEN_SILENT)
        return 1 + below(120);
    if (server.mood == DRIVEN_SLOW)
        return 0.1 * (1 + below(400));
    return 0.001 * (1 + below(50));
}

bool __wrap_dbal__helpers_send(dbal__helpers *helpers, dbal__errand *errand);

bool
__wrap_dbal__helpers_send(dbal__helpers *helpers, dbal__errand *errand)
{
    (void)helpers;
    trip *self = calloc(1, sizeof *self);
    ck_assert_ptr_nonnull(self);
    self->errand = errand;
    server.errands++;
    dbal__clock_start(server.clock, &self->timer,
                      dbal__after(dbal__clock_now(server.clock), travel_time()), arrive);
    return true;
}

static bool
open_driven(void *arg, dbal_opening *opening, dbal_fault *fault)
{
    connection *self = arg;
    const char *sqlstate = server.mood == DRIVEN_DOWN || server.mood == DRIVEN_SILENT ? "08001"
                           : server.mood == DRIVEN_FULL                               ? "53300"
                           : server.mood == DRIVEN_LOCKED                             ? "28P01"
                                                                                      : NULL;
    if (sqlstate == NULL && dbal_opening_stopped(opening))
        sqlstate = "08001";
    if (sqlstate != NULL) {
        dbal_fault_set(fault, DBAL_ERROR_OPERATIONAL, sqlstate, "not now");
        dbal_fault_set_retryable(fault, server.mood != DRIVEN_LOCKED);
        return false;
    }
    self->number = ++numbers;
    dbal__list_init(&self->link);
    server.live++;
    if (server.live > server.most)
        server.most = server.live;
    return true;
}

static void
close_driven(void *arg)
{
    connection *self = arg;
    ck_assert_ptr_null(self->host);
    server.live--;
}

/* ---- on the loop ---- */

static void
lose(connection *self, const char *why)
{
    dbal_fault_set(dbal_host_lost(self->host), DBAL_ERROR_OPERATIONAL, "08006", "%s", why);
    dbal__list_remove(&self->link);
    dbal__list_init(&self->link);
}

static bool
is_empty(const connection *self)
{
    return self->first == self->next;
}

/* When the next answer comes; silence ends when the network gives up. */
static void
expect(connection *self)
{
    double after = 0.0002 * (1 + below(100));
    if (below(200) == 0)
        self->deaf = true;
    if (server.mood == DRIVEN_SLOW)
        after = 0.01 * (1 + below(200));
    if (server.mood == DRIVEN_SILENT || self->deaf)
        after = 20 + below(60);
    dbal_host_timer(self->host, after);
}

/* Runs it: what it does to the session, and whether it may be here at all. */
static void
run(connection *self, dbal_request *request)
{
    size_t size;
    const char *sql = dbal_request_sql(request, &size);
    int64_t session = 0;
    if (strcmp(sql, "work $1") == 0)
        session = dbal_request_parameter(request, 0).as.integer;
    if (session != 0)
        server.works(session, self->number);
    if (session != 0 || strcmp(sql, "look") == 0) {
        ck_assert_msg(session != 0 || !self->in_transaction, "within another's transaction");
        ck_assert_msg(server.may_follow(self->session, session), "within another's session");
        self->session = session;
    }
    if (strcmp(sql, "begin") == 0) {
        ck_assert_msg(!self->in_transaction, "a transaction in another");
        self->in_transaction = true;
    } else if (strncmp(sql, "COMMIT", 6) == 0 || strncmp(sql, "ROLLBACK", 8) == 0 ||
               strncmp(sql, "commit", 6) == 0 || strncmp(sql, "rollback", 8) == 0) {
        self->in_transaction = false;
    }
    dbal_host_in_transaction(self->host, self->in_transaction);
    if (strcmp(sql, "setting") == 0)
        dbal_host_dirty(self->host, true);
}

static void
answer(connection *self)
{
    pending one = self->asked[self->first++ % PENDING];
    unsigned fate = below(1000);
    server.ended++;
    if (one.cancelled || fate < 20) {
        const char *sqlstate = one.cancelled ? "57014" : fate < 10 ? "40001" : "22012";
        dbal_fault_set(dbal_request_fault(one.request),
                       one.cancelled ? DBAL_ERROR_CANCELLED : DBAL_ERROR_OPERATIONAL, sqlstate,
                       "no");
        dbal_fault_set_retryable(dbal_request_fault(one.request), !one.cancelled && fate < 10);
        dbal_request_finish(one.request, false);
        return;
    }
    if (!one.resets)
        run(self, one.request);
    dbal_request_finish(one.request, true);
}

static void
attach(void *arg, dbal_host *host)
{
    connection *self = arg;
    self->host = host;
    dbal__list_push(&attached, &self->link);
}

static void
detach(void *arg)
{
    connection *self = arg;
    self->host = NULL;
    self->first = self->next;
    dbal__list_remove(&self->link);
    dbal__list_init(&self->link);
}

static void
take(connection *self, dbal_request *request, bool resets)
{
    bool idle = is_empty(self);
    ck_assert_uint_lt(self->next - self->first, PENDING);
    self->asked[self->next++ % PENDING] = (pending){.request = request, .resets = resets};
    dbal_request_sent(request);
    if (idle)
        expect(self);
}

static void
submit(void *arg, dbal_request *request)
{
    take(arg, request, false);
}

static void
step(void *arg, int slot, unsigned events)
{
    connection *self = arg;
    (void)slot, (void)events;
    if (self->deaf || server.mood == DRIVEN_SILENT || below(2000) == 0) {
        lose(self, "the network gave up");
        return;
    }
    /* several answers may come in one piece */
    for (unsigned most = 1 + below(4); most > 0 && !is_empty(self); most--)
        answer(self);
    if (!is_empty(self))
        expect(self);
}

static void
cancel(void *arg, dbal_request *request)
{
    connection *self = arg;
    for (unsigned i = self->first; i != self->next; i++)
        if (self->asked[i % PENDING].request == request)
            self->asked[i % PENDING].cancelled = true;
    if (!self->deaf && server.mood != DRIVEN_SILENT)
        dbal_host_timer(self->host, 0.002);
}

static void
resume(void *arg, dbal_request *request)
{
    (void)arg, (void)request;
}

static void
reset(void *arg, dbal_request *request)
{
    take(arg, request, true);
}

/* ---- its moods ---- */

void
driven_server_begin(const chance *luck, dbal__clock *clock)
{
    bool (*may_follow)(int64_t, int64_t) = server.may_follow;
    void (*works)(int64_t, unsigned) = server.works;
    server =
        (driven_server){.luck = *luck, .clock = clock, .may_follow = may_follow, .works = works};
    dbal__list_init(&attached);
    numbers = 0;
}

void
driven_server_change(driven_mood mood)
{
    server.mood = mood;
    if (mood != DRIVEN_DOWN)
        return;
    dbal__list *link = attached.next;
    while (link != &attached) {
        connection *self = DBAL__OF(link, connection, link);
        link = link->next;
        if (below(4) != 0)
            lose(self, "the server went down");
    }
}

/* ---- the table ---- */

static const char *
version(void)
{
    return "1";
}

static int config;

static void *
configure(const dbal_url *url, dbal_fault *fault)
{
    (void)url, (void)fault;
    return &config;
}

static void
configure_free(void *made)
{
    (void)made;
}

static int
threadlevel(const void *made)
{
    (void)made;
    return 2;
}

static unsigned
capabilities(const void *made)
{
    (void)made;
    return DBAL_CAN_CANCEL | DBAL_CAN_PIPELINE;
}

static dbal_sql_class
classify(const void *made, const char *sql)
{
    (void)made;
    if (strcmp(sql, "setting") == 0)
        return (dbal_sql_class){DBAL_SQL_SESSION, "dbal_pool_session()"};
    if (strcmp(sql, "begin") == 0)
        return (dbal_sql_class){DBAL_SQL_SESSION | DBAL_SQL_BEGINS, "dbal_pool_transaction()"};
    return (dbal_sql_class){DBAL_SQL_READS, NULL};
}

static const char *
begin(const void *made, dbal_isolation isolation, bool read_only, bool deferrable,
      dbal_fault *fault)
{
    (void)made, (void)isolation, (void)read_only, (void)deferrable, (void)fault;
    return "begin";
}

static bool
run_blocking(void *arg, dbal_request *request, dbal_fault *fault)
{
    (void)arg, (void)request;
    dbal_fault_set(fault, DBAL_ERROR_INTERNAL, "XX000", "it has no threads");
    return false;
}

static bool
in_transaction(void *arg)
{
    return ((connection *)arg)->in_transaction;
}

static const char *const schemes[] = {"driven", NULL};
static const char *const settings[] = {NULL};
static const dbal_blocking blocking = {.size = sizeof(dbal_blocking),
                                       .open = open_driven,
                                       .close = close_driven,
                                       .run = run_blocking,
                                       .in_transaction = in_transaction};
static const dbal_native native = {.size = sizeof(dbal_native),
                                   .attach = attach,
                                   .detach = detach,
                                   .submit = submit,
                                   .step = step,
                                   .cancel = cancel,
                                   .resume = resume,
                                   .reset = reset};
static const dbal_driver driver = {.size = sizeof(dbal_driver),
                                   .abi = DBAL_DRIVER_ABI,
                                   .name = "driven",
                                   .schemes = schemes,
                                   .settings = settings,
                                   .dialect = DBAL_DIALECT_POSTGRESQL,
                                   .paramstyle = DBAL_PARAMSTYLE_DOLLAR,
                                   .connection_size = sizeof(connection),
                                   .version = version,
                                   .configure = configure,
                                   .configure_free = configure_free,
                                   .threadlevel = threadlevel,
                                   .capabilities = capabilities,
                                   .classify = classify,
                                   .begin = begin,
                                   .blocking = &blocking,
                                   .native = &native};

void
driven_server_register(void)
{
    ck_assert(dbal_driver_register(&driver, NULL));
}
