#include "tests/lib/fake_timed.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <dbal/driver.h>

enum { PENDING = 1024 };

typedef struct connection {
    int number;
    dbal_host *host; /* NULL before it is attached and after */
    dbal_request *asked[PENDING];
    unsigned first, next;
    double done; /* nanoseconds of a processor that the first one has had */
} connection;

typedef struct record {
    connection *of;
    int ended, seen;
} record;

static struct {
    record records[FAKE_TIMED_CONNECTIONS];
    int count, shared;
    double processors;
    unsigned window;
    int64_t now; /* until when everybody has had its share */
} server;
/* opening is in a helper thread */
static atomic_bool down;
static bool drops; /* the loop's */
static struct {
    pthread_mutex_t guard;
    pthread_cond_t changed;
    bool shut;
    int places; /* so many more may pass */
} door = {.guard = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

/* ---- time ---- */

static double
speed(void)
{
    int busy = 0;
    for (int i = 0; i < server.count; i++)
        busy += server.records[i].of != NULL && fake_timed_flying(i) > 0;
    return server.processors > 0 && busy > server.processors ? server.processors / busy : 1;
}

static double
cost(const dbal_request *request)
{
    const char *sql = dbal_request_sql(request, NULL);
    const char *word = strstr(sql, "take ");
    return word != NULL ? strtod(word + 5, NULL) * 1000 : 0;
}

static void
pass_time(const dbal_host *host)
{
    int64_t now = dbal_host_now(host);
    double share = (double)(now - server.now) * speed();
    for (int i = 0; i < server.count; i++) {
        if (server.records[i].of != NULL && fake_timed_flying(i) > 0)
            server.records[i].of->done += share;
    }
    server.now = now;
}

static void
arm_all(void)
{
    double pace = speed();
    for (int i = 0; i < server.count; i++) {
        connection *self = server.records[i].of;
        if (self == NULL || self->host == NULL)
            continue;
        double left = -1e9;
        if (self->first != self->next) {
            left = cost(self->asked[self->first % PENDING]) - self->done;
            left = left > 0 ? left / pace + 1 : 0;
        }
        dbal_host_timer(self->host, left / 1e9);
    }
}

/* ---- on the loop ---- */

static void
mark_sent(connection *self)
{
    for (unsigned at = self->first; at != self->next && at - self->first < server.window; at++)
        dbal_request_sent(self->asked[at % PENDING]);
}

static void
end_first(connection *self)
{
    dbal_request *request = self->asked[self->first++ % PENDING];
    bool fails = strcmp(dbal_request_sql(request, NULL), "fail") == 0;
    server.records[self->number].ended++;
    if (fails)
        dbal_fault_set(dbal_request_fault(request), DBAL_ERROR_DATA, "22000", "as it was told");
    dbal_request_finish(request, !fails);
}

/* False: the connection is dead. */
static bool
end_what_is_done(connection *self)
{
    while (self->first != self->next) {
        const dbal_request *request = self->asked[self->first % PENDING];
        double wanted = cost(request);
        if (self->done < wanted)
            return true;
        if (strcmp(dbal_request_sql(request, NULL), "lose") == 0) {
            fake_timed_kill(self->number);
            return false;
        }
        self->done -= wanted;
        end_first(self);
    }
    self->done = 0;
    return true;
}

static void
attach(void *arg, dbal_host *host)
{
    connection *self = arg;
    if (server.count == FAKE_TIMED_CONNECTIONS)
        abort();
    self->host = host;
    self->number = server.count++;
    server.records[self->number].of = self;
    if (drops)
        dbal_host_timer(host, 0);
}

static void
detach(void *arg)
{
    connection *self = arg;
    self->host = NULL;
    self->first = self->next;
    server.records[self->number].of = NULL;
}

static void
submit(void *arg, dbal_request *request)
{
    connection *self = arg;
    if (self->next - self->first == PENDING)
        abort();
    pass_time(self->host);
    self->asked[self->next++ % PENDING] = request;
    server.shared += dbal_request_may_share(request);
    mark_sent(self);
    arm_all();
}

static void
step(void *arg, int slot, unsigned events)
{
    connection *self = arg;
    (void)slot, (void)events;
    if (drops) {
        fake_timed_kill(self->number);
        return;
    }
    pass_time(self->host);
    if (!end_what_is_done(self))
        return;
    mark_sent(self);
    arm_all();
}

static void
cancel(void *arg, dbal_request *request)
{
    (void)arg, (void)request;
}

/* ---- opening, and the table ---- */

static const char *
version(void)
{
    return "1";
}

static void *
configure(const dbal_url *url, dbal_fault *fault)
{
    (void)url, (void)fault;
    return &server;
}

static void
configure_free(void *config)
{
    (void)config;
}

static int
threadlevel(const void *config)
{
    (void)config;
    return 2;
}

static unsigned
capabilities(const void *config)
{
    (void)config;
    return DBAL_CAN_PIPELINE;
}

static dbal_sql_class
classify(const void *config, const char *sql)
{
    bool alone = strncmp(sql, "alone ", 6) == 0;
    (void)config;
    return (dbal_sql_class){.kinds = DBAL_SQL_READS | (alone ? DBAL_SQL_UNSHARED : 0u)};
}

static const char *
begin(const void *config, dbal_isolation isolation, bool read_only, bool deferrable,
      dbal_fault *fault)
{
    (void)config, (void)isolation, (void)read_only, (void)deferrable, (void)fault;
    return "begin";
}

static void
pass_door(void)
{
    pthread_mutex_lock(&door.guard);
    while (door.shut && door.places == 0)
        pthread_cond_wait(&door.changed, &door.guard);
    if (door.shut)
        door.places--;
    pthread_mutex_unlock(&door.guard);
}

static bool
open_timed(void *arg, dbal_opening *opening, dbal_fault *fault)
{
    (void)arg, (void)opening;
    pass_door();
    if (!atomic_load(&down))
        return true;
    dbal_fault_set(fault, DBAL_ERROR_OPERATIONAL, "08001", "the fake is down");
    dbal_fault_set_retryable(fault, true);
    return false;
}

static void
close_timed(void *arg)
{
    (void)arg;
}

static const char *const schemes[] = {"timed", NULL};
static const char *const settings[] = {NULL};

static const dbal_blocking blocking = {
    .size = sizeof(dbal_blocking),
    .open = open_timed,
    .close = close_timed,
};

static const dbal_native native = {
    .size = sizeof(dbal_native),
    .attach = attach,
    .detach = detach,
    .submit = submit,
    .step = step,
    .cancel = cancel,
};

static const dbal_driver driver = {
    .size = sizeof(dbal_driver),
    .abi = DBAL_DRIVER_ABI,
    .name = "timed",
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
    .native = &native,
};

/* ---- for tests ---- */

void
fake_timed_init(void)
{
    static bool known;
    memset(&server, 0, sizeof server);
    server.window = PENDING;
    atomic_store(&down, false);
    drops = false;
    fake_timed_shut(false);
    if (!known && !dbal_driver_register(&driver, NULL))
        abort();
    known = true;
}

void
fake_timed_processors(double count)
{
    server.processors = count;
}

void
fake_timed_window(int statements)
{
    server.window = (unsigned)statements;
}

bool
fake_timed_is_there(int number)
{
    return server.records[number].of != NULL;
}

int
fake_timed_flying(int number)
{
    const connection *one = server.records[number].of;
    return one != NULL ? (int)(one->next - one->first) : 0;
}

int
fake_timed_ended(int number)
{
    return server.records[number].ended;
}

int
fake_timed_connections(void)
{
    return server.count;
}

int
fake_timed_shared(void)
{
    int shared = server.shared;
    server.shared = 0;
    return shared;
}

int
fake_timed_used(void)
{
    int used = 0;
    for (int i = 0; i < server.count; i++) {
        used += server.records[i].ended != server.records[i].seen;
        server.records[i].seen = server.records[i].ended;
    }
    return used;
}

void
fake_timed_down(bool is_down)
{
    atomic_store(&down, is_down);
}

void
fake_timed_shut(bool shut)
{
    pthread_mutex_lock(&door.guard);
    door.shut = shut;
    door.places = 0;
    pthread_cond_broadcast(&door.changed);
    pthread_mutex_unlock(&door.guard);
}

void
fake_timed_let_in(int connects)
{
    pthread_mutex_lock(&door.guard);
    door.places += connects;
    pthread_cond_broadcast(&door.changed);
    pthread_mutex_unlock(&door.guard);
}

void
fake_timed_drops(bool each)
{
    drops = each;
}

void
fake_timed_kill(int number)
{
    connection *one = server.records[number].of;
    dbal_fault_set(dbal_host_lost(one->host), DBAL_ERROR_OPERATIONAL, "08006", "it died");
}
