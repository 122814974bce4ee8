#include "tests/process/process_fixture.h"

#include <dirent.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/process/trouble.h"

loop_fixture fixture;
dbal_pool *pool;

static int descriptors;

int
descriptors_now(void)
{
    int count = 0;
    DIR *folder = opendir("/proc/self/fd");
    ck_assert_ptr_nonnull(folder);
    while (readdir(folder) != NULL)
        count++;
    closedir(folder);
    return count;
}

/* Whether it is no worker but what a sanitizer asks for names. */
static bool
is_symbolizer(int pid)
{
    char path[64], name[32] = "";
    snprintf(path, sizeof path, "/proc/%d/comm", pid);
    FILE *file = fopen(path, "re");
    if (file != NULL && fgets(name, sizeof name, file) == NULL)
        name[0] = '\0';
    if (file != NULL)
        fclose(file);
    return strncmp(name, "llvm-symbolizer", 15) == 0;
}

static int
children_now(void)
{
    int count = 0, pid;
    DIR *folder = opendir("/proc/self/task");
    ck_assert_ptr_nonnull(folder);
    for (struct dirent *one; (one = readdir(folder)) != NULL;) {
        char path[300];
        snprintf(path, sizeof path, "/proc/self/task/%s/children", one->d_name);
        FILE *file = one->d_name[0] != '.' ? fopen(path, "re") : NULL;
        while (file != NULL && fscanf(file, "%d", &pid) == 1)
            count += !is_symbolizer(pid);
        if (file != NULL)
            fclose(file);
    }
    closedir(folder);
    return count;
}

void
await_no_children(void)
{
    /* where the kernel itself reaps them they are still seen a moment after they have ended */
    for (int i = 0; i < 2000 && children_now() > 0; i++)
        usleep(1000);
    ck_assert_int_eq(children_now(), 0);
}

void
process_fixture_init(void)
{
    ck_assert(dbal_driver_register(&trouble_driver, NULL));
    descriptors = descriptors_now();
    loop_fixture_init(&fixture);
}

void
process_fixture_fini(void)
{
    loop_fixture_fini(&fixture);
    await_no_children();
    ck_assert_int_eq(descriptors_now(), descriptors);
}

void
open_pool(const char *parameters)
{
    char url[256];
    dbal_error *error = NULL;
    snprintf(url, sizeof url, "trouble:?pool_gate=process%s%s%s",
             strstr(parameters, "max_size") == NULL ? "&pool_max_size=1" : "",
             parameters[0] != '\0' ? "&" : "", parameters);
    pool = dbal_pool_open(fixture.loop, url, NULL, &error);
    ck_assert_msg(pool != NULL, "%s", dbal_error_message(error));
}

dbal_deferred *
ask(const char *sql)
{
    return dbal_pool_query(pool, sql, DBAL_NO_PARAMS);
}

dbal_deferred *
ask_now(const char *sql)
{
    dbal_deferred *deferred = dbal_deferred_ref(ask(sql));
    for (int i = 0; i < 2; i++) /* what is asked in a turn goes at its end */
        ev_run(fixture.ev, EVRUN_NOWAIT);
    return deferred;
}

int64_t
number(const char *sql)
{
    dbal_outcome outcome = loop_fixture_await(&fixture, ask(sql));
    ck_assert_msg(outcome.kind == DBAL_OUTCOME_VALUE, "%s: %s", sql,
                  dbal_error_message(dbal_outcome_error(outcome)));
    int64_t value = dbal_result_int64(dbal_outcome_result(outcome), 0, 0);
    dbal_outcome_clear(&outcome);
    return value;
}

void
good(dbal_deferred *deferred)
{
    dbal_outcome outcome = loop_fixture_await(&fixture, deferred);
    ck_assert_msg(outcome.kind == DBAL_OUTCOME_VALUE, "%s",
                  dbal_error_message(dbal_outcome_error(outcome)));
    dbal_outcome_clear(&outcome);
}

/* Where the kernel, or valgrind, has no such thing, what became of a child may not be known at once. */
static bool
has_pidfds(void)
{
    int fd = (int)syscall(SYS_pidfd_open, getpid(), 0u);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

void
bad(dbal_deferred *deferred, dbal_error_class error_class, const char *sqlstate,
    dbal_execution execution, const char *text)
{
    dbal_outcome outcome = loop_fixture_await(&fixture, deferred);
    dbal_error *error = dbal_outcome_error(outcome);
    ck_assert_msg(error != NULL, "a success, not: %s", text);
    const char *message = dbal_error_message(error);
    ck_assert_msg(dbal_error_kind(error) == error_class, "class %d: %s",
                  (int)dbal_error_kind(error), message);
    if (strstr(text, "signal 9") != NULL && !has_pidfds())
        text = "worker process"; /* or that it closed its socket */
    ck_assert_msg(strstr(message, text) != NULL, "not \"%s\": %s", text, message);
    ck_assert_msg(dbal_error_execution(error) == execution, "execution %d: %s",
                  (int)dbal_error_execution(error), message);
    if (sqlstate != NULL)
        ck_assert_str_eq(dbal_error_sqlstate(error), sqlstate);
    dbal_outcome_clear(&outcome);
}

dbal_pool_counts
counts_now(void)
{
    dbal_pool_counts counts = DBAL_POOL_COUNTS_INIT;
    dbal_pool_stats(pool, &counts);
    return counts;
}

void
await_end_of(pid_t pid)
{
    int watch = (int)syscall(SYS_pidfd_open, pid, 0u);
    struct pollfd one = {.fd = watch, .events = POLLIN};
    if (watch < 0)
        return; /* it has ended, and nothing is left of it */
    ck_assert_int_eq(poll(&one, 1, 30000), 1);
    close(watch);
}
