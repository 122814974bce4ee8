/* One point select through each gate, 64 in flight and one after another; and how soon a death is seen. */
#include <dirent.h>
#include <ev.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../children.h"
#include "../clock.h"
#include "../database.h"
#include "../hop.h"
#include "../place.h"
#include "../program.h"
#include "../row.h"

enum { FLIGHT = 64, QUERIES = 40000, QUERIES_1 = 10000, PROCESSES = 4 };

static bench_point_dbal ours;

/* Each read by itself on either side: what sharing saves is no part of what a gate costs. */
static void
open_pool(const char *gate, int connections)
{
    char path[BENCH_PATH], escaped[BENCH_PATH * 3], url[BENCH_PATH * 3 + 128];
    bench_place_path(bench_point_file, path);
    bench_database_escape(path, escaped);
    /* between processes nothing is shared in any case, and off would keep answers apart too */
    bool off = strcmp(gate, "process") != 0;
    snprintf(url, sizeof url, "sqlite:%s?cache_size=64M&synchronous=full%s&pool_gate=%s", escaped,
             off ? "&sharing=off" : "", gate);
    bench_point_dbal_begin_on(&ours, url, DBAL_POOL_OPTIONS(.max_size = connections));
}

static double
dbal_64(void)
{
    return bench_point_dbal_rate(&ours, QUERIES, FLIGHT);
}

static double
dbal_1(void)
{
    return bench_point_dbal_rate(&ours, QUERIES_1, 1);
}

/* ---- beside a hop to a thread -------------------------------------------------------------------- */

static bench_point_hand hand;
static bench_point_run run;
static struct ev_loop *hop_loop;
static bench_hop hop;
static bench_point points[FLIGHT];

static void
work(bench_item *item)
{
    bench_point_select(&hand, (bench_point *)(void *)item);
}

static void
ask(bench_point *point)
{
    point->key = bench_point_key(&run);
    bench_hop_give(&hop, &point->item);
}

static void
done(bench_item *item)
{
    bench_point *point = (bench_point *)(void *)item;
    bench_point_answer(&run, point->name, point->price);
    if (run.to_ask > 0)
        ask(point);
    else if (run.to_answer == 0)
        ev_break(hop_loop, EVBREAK_ONE);
}

static double
hop_rate(int queries, int flight)
{
    double began = bench_clock();
    bench_point_start(&run, queries);
    for (int i = 0; i < flight; i++)
        ask(&points[i]);
    bench_hop_flush(&hop);
    ev_run(hop_loop, 0);
    double took = bench_clock() - began;
    bench_point_check(&run);
    return queries / took;
}

static double
hop_64(void)
{
    return hop_rate(QUERIES, FLIGHT);
}

static double
hop_1(void)
{
    return hop_rate(QUERIES_1, 1);
}

static void
begin_beside_hop(const char *gate)
{
    bench_point_make();
    bench_point_open(&hand);
    open_pool(gate, 1);
    hop_loop = ev_loop_new(EVFLAG_AUTO);
    bench_hop_begin(&hop, hop_loop, work, done);
}

static void
begin_thread(void)
{
    begin_beside_hop("thread");
}

static void
begin_driver_thread(void)
{
    begin_beside_hop("driver-thread");
}

static void
end_beside_hop(void)
{
    bench_hop_end(&hop);
    bench_point_close(&hand);
    bench_point_dbal_end(&ours);
    ev_loop_destroy(hop_loop);
}

/* ---- beside child processes ---------------------------------------------------------------------- */

static bench_children *children;

static double
children_64(void)
{
    return bench_children_rate(children, QUERIES, FLIGHT);
}

static double
children_1(void)
{
    return bench_children_rate(children, QUERIES_1, 1);
}

static void
use_worker(void)
{
    char worker[BENCH_PATH];
    bench_program_path("bench-worker", worker);
    setenv("DBAL_WORKER", worker, 1);
}

static void
begin_process(void)
{
    bench_point_make();
    use_worker();
    children = bench_children_new(PROCESSES);
    open_pool("process", PROCESSES);
}

static void
end_process(void)
{
    bench_children_free(children);
    bench_point_dbal_end(&ours);
}

/* ---- a worker is killed -------------------------------------------------------------------------- */

static const char *const endless =
    "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n";
static double noticed;

/* The processor's time that it has had, in ticks; -1 when it has ended, and nobody has waited for it yet. */
static long
ticks_of(int pid)
{
    char path[64], state = 'Z';
    unsigned long user = 0, kernel = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return -1;
    int count = fscanf(file, "%*d (%*[^)]) %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
                       &state, &user, &kernel);
    fclose(file);
    return count == 3 && state != 'Z' && state != 'X' ? (long)(user + kernel) : -1;
}

/* The one child that this program has now. */
static pid_t
only_child(void)
{
    char path[300];
    int pid = 0, one_of_them;
    DIR *folder = opendir("/proc/self/task");
    if (folder == NULL)
        bench_fail("/proc is not there");
    for (struct dirent *one; (one = readdir(folder)) != NULL && pid == 0;) {
        snprintf(path, sizeof path, "/proc/self/task/%s/children", one->d_name);
        FILE *file = one->d_name[0] != '.' ? fopen(path, "re") : NULL;
        if (file == NULL)
            continue;
        while (pid == 0 && fscanf(file, "%d", &one_of_them) == 1)
            pid = ticks_of(one_of_them) >= 0 ? one_of_them : 0;
        fclose(file);
    }
    closedir(folder);
    if (pid == 0)
        bench_fail("there is no worker process");
    return pid;
}

static dbal_outcome
notice(dbal_outcome in, void *arg)
{
    (void)arg;
    dbal_error *error = dbal_outcome_error(in);
    noticed = bench_clock();
    if (!dbal_error_connection_lost(error))
        bench_fail("not the death of a worker: %s", dbal_error_message(error));
    return dbal_done();
}

static double
death(void)
{
    bench_point_dbal_rate(&ours, 1, 1); /* it is open */
    dbal_deferred_add_both(dbal_pool_query(ours.pool, endless, DBAL_NO_PARAMS), notice, NULL);
    pid_t pid = only_child();
    /* one that has not begun would go on in the next worker */
    for (long before = ticks_of(pid); ticks_of(pid) < before + 2;)
        ev_run(ours.ev, EVRUN_NOWAIT);
    double began = bench_clock();
    kill(pid, SIGKILL);
    ev_run(ours.ev, 0);
    return (noticed - began) * 1e3;
}

static void
no_log(void *arg, dbal_log_level level, const char *message)
{
    (void)arg, (void)level, (void)message;
}

static void
begin_death(void)
{
    bench_point_make();
    use_worker();
    open_pool("process", 1);
    dbal_loop_set_log(ours.loop, no_log, NULL);
}

static void
end_death(void)
{
    bench_point_dbal_end(&ours);
}

/* ---- the rows ------------------------------------------------------------------------------------ */

#define ROW(NAME, BEGIN, LIMIT, DBAL, END)                                                         \
    extern const bench_row bench_##NAME;                                                           \
    const bench_row bench_##NAME = {#NAME, "queries/s", false, 0, BEGIN, LIMIT, DBAL, END};

ROW(gate_cost_thread_64, begin_thread, hop_64, dbal_64, end_beside_hop)
ROW(gate_cost_thread_1, begin_thread, hop_1, dbal_1, end_beside_hop)
ROW(gate_cost_driver_thread_64, begin_driver_thread, hop_64, dbal_64, end_beside_hop)
ROW(gate_cost_driver_thread_1, begin_driver_thread, hop_1, dbal_1, end_beside_hop)
ROW(gate_cost_process_64, begin_process, children_64, dbal_64, end_process)
ROW(gate_cost_process_1, begin_process, children_1, dbal_1, end_process)

extern const bench_row bench_gate_worker_death;
const bench_row bench_gate_worker_death = {"gate_worker_death", "ms", true,  0,
                                           begin_death,         NULL, death, end_death};
