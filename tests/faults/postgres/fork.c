/* Children of a program with connections: whatever they do, their parent's go on. */
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/faults/postgres/fixture.h"

enum { CONNECTIONS = 10 };

/* The C library's own, of threads that a child does not have. */
const char *__lsan_default_suppressions(void);
const char *
__lsan_default_suppressions(void)
{
    return "leak:_dlerror_run\n";
}

static int64_t
backends(void)
{
    seen all[CONNECTIONS];
    int64_t sum = 0;
    for (int i = 0; i < CONNECTIONS; i++)
        watch(ask("select pg_backend_pid() from pg_sleep(0.1)"), &all[i]);
    until_all(all, CONNECTIONS);
    for (int i = 0; i < CONNECTIONS; i++) {
        is_good(&all[i]);
        sum += all[i].value;
    }
    return sum;
}

static void
free_all(void)
{
    dbal_loop_free(fixture.loop);
    _exit(0); /* what is left of the parent's is no leak */
}

static void
only_exit(void)
{
    exit(0);
}

static void
close_pool(void)
{
    dbal_pool_close(pool);
    ev_run(fixture.ev, EVRUN_NOWAIT);
    _exit(0);
}

/* A loop and a pool of its own. */
static void
work_for_itself(void)
{
    seen one;
    loop_fixture_init(&fixture);
    open_pool("pool_max_size=1");
    watch(ask("select 41"), &one);
    until_settled(&one);
    is_good(&one);
    loop_fixture_fini(&fixture);
    _exit(one.value == 41 ? 0 : 1);
}

/* The thread sanitizer allows none to a child of a program that has some. */
static bool
may_have_threads(void)
{
#if defined(__SANITIZE_THREAD__)
    return false;
#elif defined(__has_feature)
    return !__has_feature(thread_sanitizer);
#else
    return true;
#endif
}

static void
look_at_child(void (*act)(void))
{
    int status = -1;
    open_pool("pool_min_size=10&pool_max_size=10&pool_pipeline_wait=0");
    int64_t before = backends();
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        alarm(20);
        act();
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child ended with %x",
                  (unsigned)status);
    ck_assert_int_eq(backends(), before);
    ck_assert_uint_eq(counts(pool).lost, 0);
}

START_TEST(a_child_frees_everything)
{
    look_at_child(free_all);
}
END_TEST

START_TEST(a_child_only_exits)
{
    look_at_child(only_exit);
}
END_TEST

START_TEST(a_child_closes_the_pool)
{
    look_at_child(close_pool);
}
END_TEST

START_TEST(a_child_works_for_itself)
{
    look_at_child(work_for_itself);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("postgres-fork");
    postgres_start(&server, NULL);
    hunt_add(suite, a_child_frees_everything, 60);
    hunt_add(suite, a_child_only_exits, 60);
    hunt_add(suite, a_child_closes_the_pool, 60);
    if (may_have_threads())
        hunt_add(suite, a_child_works_for_itself, 60);
    return suite_run(suite);
}
