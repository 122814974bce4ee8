/*
 * The demonstration: loads Unicode's character table through a pool, then runs hundreds of queries
 * of mixed cost at once while a 1 ms timer ticks on the same loop, and measures what that timer and
 * dbal's own callbacks saw.
 */
#include <dbal.h>
#include <ev.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { QUERIES = 600, ROWS_PER_INSERT = 50, COLUMNS = 3 };

typedef struct demo {
    struct ev_loop *ev;
    dbal_loop *loop;
    dbal_pool *pool;
    const char *url, *data;
    bool json, quick, interrupted;
    char folder[64], made_url[128], table[48];
    FILE *file;
    long rows;
    int errors, answered;
    size_t largest;
    double begun, took;
    ev_timer tick;
    double tick_due, lateness;
    ev_signal interrupt, terminate;
    dbal_deferred *all[QUERIES];
} demo;

static double
now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static dbal_outcome
failed(dbal_outcome in, void *arg)
{
    demo *self = arg;
    dbal_error *error = dbal_outcome_error(in);
    if (self->interrupted && dbal_error_is(error, DBAL_ERROR_CANCELLED))
        return dbal_done();
    self->errors++;
    fprintf(stderr, "%s error: %s\n", dbal_error_class_name(dbal_error_kind(error)),
            dbal_error_message(error));
    return dbal_done();
}

/* ---- loading ---- */

/* One line of the data: code point, name and category, the first three fields. */
static bool
read_line(demo *self, char *line, size_t size, dbal_value *ret_values)
{
    if (fgets(line, (int)size, self->file) == NULL)
        return false;
    char *rest = line, *code = strsep(&rest, ";"), *name = strsep(&rest, ";"),
         *category = strsep(&rest, ";");
    if (category == NULL)
        return false;
    ret_values[0] = dbal_int64((int64_t)strtoll(code, NULL, 16));
    ret_values[1] = dbal_text(name);
    ret_values[2] = dbal_text(category);
    return true;
}

static void
insert_sql(const demo *self, char *sql, size_t size, int rows)
{
    int at = snprintf(sql, size, "insert into %s(code, name, category) values ", self->table);
    for (int i = 0; i < rows; i++)
        at += snprintf(sql + at, size - (size_t)at, "%s($%d,$%d,$%d)", i > 0 ? "," : "",
                       i * COLUMNS + 1, i * COLUMNS + 2, i * COLUMNS + 3);
}

/* The statements are given all at once and run in their order; the transaction waits for them. */
static dbal_outcome
load(dbal_connection *connection, void *arg)
{
    demo *self = arg;
    char lines[ROWS_PER_INSERT][512], sql[2048];
    dbal_value values[ROWS_PER_INSERT * COLUMNS];
    int rows;
    rewind(self->file);
    self->rows = 0;
    do {
        for (rows = 0; rows < ROWS_PER_INSERT; rows++) {
            if (!read_line(self, lines[rows], sizeof lines[rows], values + rows * COLUMNS))
                break;
        }
        if (rows == 0)
            break;
        insert_sql(self, sql, sizeof sql, rows);
        dbal_connection_query(connection, sql, (dbal_params){(size_t)(rows * COLUMNS), values});
        self->rows += rows;
    } while (rows == ROWS_PER_INSERT && !(self->quick && self->rows >= 5000));
    return dbal_done();
}

static dbal_outcome
create(dbal_connection *connection, void *arg)
{
    demo *self = arg;
    char sql[256];
    snprintf(
        sql, sizeof sql,
        "create table %s(code integer primary key, name text not null, category text not null)",
        self->table);
    return dbal_wait(dbal_connection_query(connection, sql, DBAL_NO_PARAMS));
}

/* ---- the concurrent part ---- */

static dbal_outcome
answered(dbal_outcome in, void *arg)
{
    demo *self = arg;
    size_t rows = dbal_result_row_count(dbal_outcome_result(in));
    self->answered++;
    if (rows > self->largest)
        self->largest = rows;
    if (self->answered % 100 == 0)
        fprintf(stderr, "\r%d of %d queries answered", self->answered, QUERIES);
    return dbal_done();
}

static dbal_deferred *
ask(demo *self, int i)
{
    char sql[256];
    long limit = self->quick ? 1000000 : 30000000;
    if (i == 0)
        snprintf(sql, sizeof sql,
                 "with recursive n(i) as (select 1 union all select i + 1 from n where i < %ld) "
                 "select count(*) from n where $1 = $1",
                 limit);
    else if (i == 1)
        snprintf(sql, sizeof sql,
                 "select a.code, b.code, a.category from %s a, %s b where $1 = $1 limit %d",
                 self->table, self->table, self->quick ? 100000 : 1000000);
    else if (i % 50 == 2)
        snprintf(sql, sizeof sql,
                 "select category, count(*) from %s where code > $1 group by category",
                 self->table);
    else if (i % 10 == 3)
        snprintf(sql, sizeof sql,
                 "select code, name from %s where code > $1 and name like '%%ARROW%%' limit 20",
                 self->table);
    else
        snprintf(sql, sizeof sql, "select name, category from %s where code = $1", self->table);
    return dbal_pool_query(self->pool, sql, DBAL_PARAMS(dbal_int64(i * 7)));
}

static void
on_tick(struct ev_loop *ev, ev_timer *timer, int events)
{
    demo *self = timer->data;
    double late = now() - self->tick_due;
    (void)events;
    if (late > self->lateness)
        self->lateness = late;
    self->tick_due = now() + 0.001;
    ev_now_update(ev);
    ev_timer_set(timer, 0.001, 0);
    ev_timer_start(ev, timer);
}

static dbal_outcome
stop_clock(dbal_outcome in, void *arg)
{
    demo *self = arg;
    (void)in;
    self->took = now() - self->begun;
    ev_timer_stop(self->ev, &self->tick);
    return dbal_done();
}

static void
run_queries(demo *self)
{
    self->begun = now();
    self->tick_due = self->begun + 0.001;
    ev_now_update(self->ev);
    ev_timer_init(&self->tick, on_tick, 0.001, 0);
    self->tick.data = self;
    ev_timer_start(self->ev, &self->tick);
    for (int i = 0; i < QUERIES; i++) {
        self->all[i] = dbal_deferred_ref(ask(self, i));
        dbal_deferred_add_callbacks(self->all[i], answered, failed, self);
    }
    dbal_deferred_add_both(dbal_gather(self->loop, DBAL_GATHER_ALL, QUERIES, self->all), stop_clock,
                           self);
    ev_run(self->ev, 0);
    for (int i = 0; i < QUERIES; i++)
        self->all[i] = dbal_deferred_unref(self->all[i]);
    fprintf(stderr, "\n");
}

/* ---- what a person would like to see ---- */

static dbal_outcome
show(dbal_outcome in, void *arg)
{
    dbal_result *rows = dbal_outcome_result(in);
    (void)arg;
    for (size_t i = 0; i < dbal_result_row_count(rows); i++)
        printf("U+%04llX  %-4s %s\n", (unsigned long long)dbal_result_int64(rows, i, 0),
               dbal_result_text(rows, i, 1), dbal_result_text(rows, i, 2));
    return dbal_done();
}

static void
show_rows(demo *self)
{
    char sql[256];
    snprintf(sql, sizeof sql,
             "select code, category, name from %s where name like '%%SNOWMAN%%' or name like "
             "'%%DIGIT ONE' order by code limit 8",
             self->table);
    dbal_deferred_add_callbacks(dbal_pool_query(self->pool, sql, DBAL_NO_PARAMS), show, failed,
                                self);
    ev_run(self->ev, 0);
}

/* ---- beginning and end ---- */

static void
on_signal(struct ev_loop *ev, ev_signal *signal, int events)
{
    demo *self = signal->data;
    (void)ev;
    (void)events;
    self->interrupted = true;
    for (int i = 0; i < QUERIES; i++)
        dbal_deferred_cancel(self->all[i]);
}

static void
watch_signal(demo *self, ev_signal *watch, int number)
{
    ev_signal_init(watch, on_signal, number);
    watch->data = self;
    ev_signal_start(self->ev, watch);
    ev_unref(self->ev);
}

static bool
make_place(demo *self)
{
    srand((unsigned)time(NULL) ^ (unsigned)getpid());
    snprintf(self->table, sizeof self->table, "dbal_demo_%08x", (unsigned)rand());
    if (self->url != NULL)
        return true;
    strcpy(self->folder, "/tmp/dbal-demo-XXXXXX");
    if (mkdtemp(self->folder) == NULL) {
        perror("temporary folder");
        return false;
    }
    snprintf(self->made_url, sizeof self->made_url, "sqlite:%s/demo.db", self->folder);
    self->url = self->made_url;
    return true;
}

static void
remove_place(demo *self)
{
    static const char *const names[] = {"demo.db", "demo.db-wal", "demo.db-shm"};
    char path[128];
    if (self->folder[0] == '\0')
        return;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", self->folder, names[i]);
        unlink(path);
    }
    rmdir(self->folder);
}

static void
drop_table(demo *self)
{
    char sql[128];
    snprintf(sql, sizeof sql, "drop table if exists %s", self->table);
    dbal_deferred_add_errback(dbal_pool_query(self->pool, sql, DBAL_NO_PARAMS), failed, self);
    ev_run(self->ev, 0);
}

/* the URL without what stands between ':' and '@' */
static void
print_url(const char *url)
{
    const char *at = strchr(url, '@'), *slashes = strstr(url, "://");
    const char *colon = at != NULL && slashes != NULL ? strchr(slashes + 3, ':') : NULL;
    if (colon != NULL && colon < at)
        printf("%.*s%s", (int)(colon - url), url, at);
    else
        printf("%s", url);
}

static bool
report(demo *self)
{
    dbal_loop_counts loop = {.size = sizeof loop};
    dbal_pool_counts pool = {.size = sizeof pool};
    dbal_loop_stats(self->loop, &loop);
    dbal_pool_stats(self->pool, &pool);
    double rate = self->took > 0 ? self->answered / self->took : 0;
    bool swift = loop.max_inside < 0.002 && loop.blocked == 0;
    /* the quick form is for builds that are slow on purpose: only its answers count */
    bool good = self->errors == 0 && !self->interrupted && self->answered == QUERIES &&
                (swift || self->quick);
    printf("%ld rows loaded; %d queries in %.2f s (%.0f/s), the largest with %zu rows\n",
           self->rows, self->answered, self->took, rate, self->largest);
    printf("gate %s, driver %s at threadlevel %d\n", pool.gate, pool.driver, pool.threadlevel);
    printf("the 1 ms timer was at most %.2f ms late; the longest dbal callback took %.3f ms of "
           "processor time, %llu gave the processor up; %d errors\n",
           self->lateness * 1e3, loop.max_inside * 1e3, (unsigned long long)loop.blocked,
           self->errors);
    if (!good)
        printf("that is not good enough\n");
    if (self->json) {
        printf("{\"url\": \"");
        print_url(self->url);
        printf("\", \"driver\": \"%s\", \"threadlevel\": %d, \"gate\": \"%s\", \"rows\": %ld, "
               "\"queries\": %d, \"queries_per_second\": %.1f, \"max_lateness_ms\": %.3f, "
               "\"max_inside_ms\": %.3f, \"blocked\": %llu, \"errors\": %d}\n",
               pool.driver, pool.threadlevel, pool.gate, self->rows, self->answered, rate,
               self->lateness * 1e3, loop.max_inside * 1e3, (unsigned long long)loop.blocked,
               self->errors);
    }
    return good;
}

static bool
run(demo *self)
{
    dbal_error *error = NULL;
    self->pool = dbal_pool_open(self->loop, self->url, NULL, &error);
    if (self->pool == NULL) {
        fprintf(stderr, "%s\n", dbal_error_message(error));
        dbal_error_unref(error);
        return false;
    }
    dbal_loop_measure(self->loop, true);
    fprintf(stderr, "loading %s\n", self->data);
    dbal_deferred_add_errback(dbal_pool_session(self->pool, NULL, create, self), failed, self);
    ev_run(self->ev, 0);
    if (self->errors == 0) {
        dbal_deferred_add_errback(dbal_pool_transaction(self->pool, NULL, load, self), failed,
                                  self);
        ev_run(self->ev, 0);
        fprintf(stderr, "%ld rows loaded\n", self->rows);
    }
    if (self->errors == 0 && !self->interrupted)
        run_queries(self);
    if (self->errors == 0 && !self->interrupted)
        show_rows(self);
    bool good = report(self);
    drop_table(self);
    return good;
}

static bool
parse(demo *self, int argc, char **argv)
{
    self->data = getenv("DBAL_DEMO_DATA");
    if (self->data == NULL)
        self->data = "/usr/share/unicode/UnicodeData.txt";
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0)
            self->json = true;
        else if (strcmp(argv[i], "--quick") == 0)
            self->quick = true;
        else if (strcmp(argv[i], "--data") == 0 && i + 1 < argc)
            self->data = argv[++i];
        else if (argv[i][0] != '-' && self->url == NULL)
            self->url = argv[i];
        else
            return false;
    }
    return true;
}

int
main(int argc, char **argv)
{
    static demo self;
    if (!parse(&self, argc, argv)) {
        fprintf(stderr, "usage: demo [URL] [--json] [--quick] [--data FILE]\n");
        return 2;
    }
    self.file = fopen(self.data, "r");
    if (self.file == NULL) {
        perror(self.data);
        return 1;
    }
    if (!make_place(&self))
        return 1;
    self.ev = EV_DEFAULT;
    self.loop = dbal_loop_new(self.ev);
    watch_signal(&self, &self.interrupt, SIGINT);
    watch_signal(&self, &self.terminate, SIGTERM);
    bool good = self.loop != NULL && run(&self);
    dbal_loop_free(self.loop);
    fclose(self.file);
    remove_place(&self);
    return good ? 0 : 1;
}
