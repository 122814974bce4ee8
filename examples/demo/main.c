/* Arguments, the place for the data, signals, and the order of things. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "demo.h"

double
demo_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

dbal_outcome
demo_go_on(const demo *self)
{
    if (self->signal == 0)
        return dbal_done();
    return dbal_fail(dbal_error_new(DBAL_ERROR_CANCELLED, "stopped by signal %d", self->signal));
}

/* ---- a place for the data ---- */

static bool
make_place(demo *self)
{
    const char *parent = getenv("TMPDIR");
    unsigned random = 0;
    if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
        random = (unsigned)getpid();
    snprintf(self->table, sizeof self->table, "dbal_demo_%08x", random);
    if (self->url != NULL)
        return true;
    if (parent == NULL || parent[0] != '/' || strlen(parent) > 200)
        parent = "/tmp";
    snprintf(self->folder, sizeof self->folder, "%s/dbal-demo-XXXXXX", parent);
    if (mkdtemp(self->folder) == NULL) {
        perror(self->folder);
        self->folder[0] = '\0';
        return false;
    }
    snprintf(self->own_url, sizeof self->own_url, "sqlite:%s/demo.db", self->folder);
    self->url = self->own_url;
    return true;
}

static void
remove_place(const demo *self)
{
    static const char *const endings[] = {"", "-wal", "-shm", "-journal"};
    if (self->folder[0] == '\0')
        return;
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        char path[300];
        snprintf(path, sizeof path, "%s/demo.db%s", self->folder, endings[i]);
        unlink(path);
    }
    rmdir(self->folder);
}

/* ---- signals ---- */

static void
on_signal(struct ev_loop *ev, ev_signal *watch, int events)
{
    demo *self = watch->data;
    (void)ev;
    (void)events;
    if (self->ending) {
        fprintf(stderr, "cleaning up already\n");
        return;
    }
    self->signal = watch->signum;
    dbal_deferred_cancel(self->work);
}

static void
watch_signals(demo *self)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    for (int i = 0; i < 3; i++) {
        ev_signal *watch = &self->signals[i];
        ev_signal_init(watch, on_signal, numbers[i]);
        watch->data = self;
        ev_signal_start(self->ev, watch);
        ev_unref(self->ev); /* waiting for a signal shall not keep the loop running */
    }
    signal(SIGPIPE, SIG_IGN); /* a reader that goes away must not keep us from cleaning up */
}

static void
unwatch_signals(demo *self)
{
    for (int i = 0; i < 3; i++) {
        ev_ref(self->ev);
        ev_signal_stop(self->ev, &self->signals[i]);
    }
}

/* ---- the order of things ---- */

/* On every path: what was made in the database goes. */
static dbal_outcome
clean_up(dbal_outcome in, void *arg)
{
    demo *self = arg;
    char sql[80];
    self->ending = true;
    if (self->answered == 0)
        dbal_loop_stats(self->loop, &self->loop_counts);
    dbal_pool_stats(self->pool, &self->pool_counts);
    if (!self->created)
        return in;
    snprintf(sql, sizeof sql, "drop table if exists %s", self->table);
    return dbal_wait(dbal_pool_query(self->pool, sql, DBAL_NO_PARAMS));
}

static dbal_outcome
not_dropped(dbal_outcome in, void *arg)
{
    demo *self = arg;
    fprintf(stderr, "table %s was not dropped: %s\n", self->table,
            dbal_error_message(dbal_outcome_error(in)));
    self->errors++;
    return dbal_done();
}

static void
finish(void *arg)
{
    demo *self = arg;
    self->work = dbal_deferred_unref(self->work);
    dbal_loop_close(self->loop, 5);
}

static void
start(demo *self)
{
    dbal_loop_measure(self->loop, true);
    fprintf(stderr, "loading %s\n", self->data);
    dbal_deferred *d = dbal_pool_session(self->pool, NULL, demo_create, self);
    self->work = dbal_deferred_ref(d);
    dbal_deferred_add_callback(d, demo_load, self);
    dbal_deferred_add_callback(d, demo_calibrate, self);
    dbal_deferred_add_callback(d, demo_ask, self);
    dbal_deferred_add_callback(d, demo_look, self);
    dbal_deferred_add_errback(d, demo_failed, self);
    dbal_deferred_add_both(d, clean_up, self);
    dbal_deferred_add_errback(d, not_dropped, self);
    dbal_deferred_add_finally(d, finish, self);
}

static bool
run(demo *self)
{
    dbal_error *error = NULL;
    self->ev = ev_default_loop(0);
    self->loop = dbal_loop_new(self->ev);
    self->pool = dbal_pool_open(self->loop, self->url, NULL, &error);
    if (self->pool == NULL) {
        fprintf(stderr, "%s\n", dbal_error_message(error));
        dbal_error_unref(error);
        self->errors++;
    } else {
        watch_signals(self);
        start(self);
        ev_run(self->ev, 0);
        unwatch_signals(self);
    }
    dbal_loop_free(self->loop);
    ev_loop_destroy(self->ev);
    return demo_report(self);
}

static bool
parse(demo *self, int argc, char **argv)
{
    self->data = getenv("DBAL_DEMO_DATA");
    if (self->data == NULL || self->data[0] == '\0')
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
    static demo self = {.loop_counts.size = sizeof(dbal_loop_counts),
                        .pool_counts.size = sizeof(dbal_pool_counts)};
    if (!parse(&self, argc, argv)) {
        fprintf(stderr, "usage: demo [URL] [--json] [--data FILE] [--quick]\n"
                        "  --quick: little data, and only the answers count\n");
        return 2;
    }
    bool good = demo_read(&self) && make_place(&self) && run(&self);
    remove_place(&self);
    free(self.characters);
    free(self.text);
    if (self.signal != 0)
        return 128 + self.signal;
    return good ? 0 : 1;
}
