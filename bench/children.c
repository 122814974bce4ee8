#include "children.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "place.h"

enum { MOST = 256 }; /* in flight on one of them */

typedef struct answer {
    int64_t price;
    char name[BENCH_POINT_NAME];
} answer;

typedef struct child {
    bench_children *all;
    pid_t pid;
    ev_io watch;
    int64_t keys[MOST]; /* not yet sent */
    int key_count;
    answer answers[MOST];
    size_t filled; /* bytes of them */
} child;

struct bench_children {
    struct ev_loop *loop;
    bench_point_run run;
    int count;
    child each[];
};

/* ---- in the child -------------------------------------------------------------------------------- */

static void
write_all(int fd, const void *data, size_t size)
{
    for (const char *at = data; size > 0;) {
        ssize_t written = write(fd, at, size);
        if (written < 0)
            _exit(1);
        at += written;
        size -= (size_t)written;
    }
}

/* Keys are read whole: they were written by whole ones, into a stream with room for all of them. */
static void
serve(int fd)
{
    static int64_t keys[MOST];
    static answer answers[MOST];
    bench_point_hand hand;
    bench_point_open(&hand);
    for (;;) {
        ssize_t size = read(fd, keys, sizeof keys);
        if (size <= 0 || size % (ssize_t)sizeof keys[0] != 0)
            _exit(size != 0);
        size_t count = (size_t)size / sizeof keys[0];
        for (size_t i = 0; i < count; i++) {
            bench_point point = {.key = keys[i]};
            bench_point_select(&hand, &point);
            answers[i].price = point.price;
            memcpy(answers[i].name, point.name, sizeof point.name);
        }
        write_all(fd, answers, count * sizeof answers[0]);
    }
}

/* ---- in the parent ------------------------------------------------------------------------------- */

static void
ask(child *one)
{
    one->keys[one->key_count++] = bench_point_key(&one->all->run);
}

static void
flush(child *one)
{
    size_t size = (size_t)one->key_count * sizeof one->keys[0];
    one->key_count = 0;
    if (size > 0 && write(one->watch.fd, one->keys, size) != (ssize_t)size)
        bench_fail("a child process cannot be written to");
}

static void
take(child *one, const answer *got)
{
    bench_point_run *run = &one->all->run;
    bench_point_answer(run, got->name, got->price);
    if (run->to_ask > 0)
        ask(one);
    else if (run->to_answer == 0)
        ev_break(one->all->loop, EVBREAK_ONE);
}

static void
on_readable(struct ev_loop *loop, ev_io *watcher, int events)
{
    child *one = watcher->data;
    (void)loop, (void)events;
    ssize_t got =
        read(watcher->fd, (char *)one->answers + one->filled, sizeof one->answers - one->filled);
    if (got <= 0)
        bench_fail("a child process has ended");
    one->filled += (size_t)got;
    size_t whole = one->filled / sizeof(answer);
    for (size_t i = 0; i < whole; i++)
        take(one, &one->answers[i]);
    one->filled -= whole * sizeof(answer);
    memmove(one->answers, &one->answers[whole], one->filled);
    flush(one);
}

static void
start(bench_children *children, child *one)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0 || (one->pid = fork()) < 0)
        bench_fail("no child process");
    if (one->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (const child *other = children->each; other != one; other++)
            close(other->watch.fd);
        close(ends[0]);
        serve(ends[1]);
    }
    close(ends[1]);
    one->all = children;
    ev_io_init(&one->watch, on_readable, ends[0], EV_READ);
    one->watch.data = one;
    ev_io_start(children->loop, &one->watch);
}

bench_children *
bench_children_new(int count)
{
    bench_children *children = calloc(1, sizeof *children + (size_t)count * sizeof(child));
    if (children == NULL)
        bench_fail("no memory");
    children->loop = ev_loop_new(EVFLAG_AUTO);
    children->count = count;
    for (int i = 0; i < count; i++)
        start(children, &children->each[i]);
    return children;
}

void
bench_children_free(bench_children *children)
{
    for (int i = 0; i < children->count; i++) {
        child *one = &children->each[i];
        ev_io_stop(children->loop, &one->watch);
        close(one->watch.fd);
        waitpid(one->pid, NULL, 0);
    }
    ev_loop_destroy(children->loop);
    free(children);
}

double
bench_children_rate(bench_children *children, int queries, int flight)
{
    double began = bench_clock();
    bench_point_start(&children->run, queries);
    for (int i = 0; i < flight; i++)
        ask(&children->each[i % children->count]);
    for (int i = 0; i < children->count; i++)
        flush(&children->each[i]);
    ev_run(children->loop, 0);
    double took = bench_clock() - began;
    bench_point_check(&children->run);
    return queries / took;
}
