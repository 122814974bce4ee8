/* The child of a fork has no pool, and takes nothing from its parent's: with work in every state. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dbal/native.h"
#include "pool/pool.h"
#include "tests/lib/suite.h"
#include "tests/pool/pool_fixture.h"
#include <dbal/notification.h>
#include <dbal/stream.h>

/* The thread sanitizer's runtime does not like a fork while there are threads. */
#if defined(__SANITIZE_THREAD__)
enum { MAY_FORK = 0 };
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
enum { MAY_FORK = 0 };
#else
enum { MAY_FORK = 1 };
#endif
#else
enum { MAY_FORK = 1 };
#endif

static const char *const schemes[] = {"native", "fake"};
enum { SCHEMES = sizeof schemes / sizeof schemes[0] };

static dbal_outcome
work(dbal_connection *connection, void *arg)
{
    (void)connection, (void)arg;
    return dbal_done();
}

static dbal_flow
rows(dbal_stream *stream, dbal_result *batch, void *arg)
{
    (void)stream, (void)batch, (void)arg;
    return (dbal_flow)0;
}

static dbal_flow
bytes(dbal_stream *stream, const void *data, size_t size, void *arg)
{
    (void)stream, (void)data, (void)size, (void)arg;
    return (dbal_flow)0;
}

static void
room(dbal_copy *copy, void *arg)
{
    (void)copy, (void)arg;
}

static void
told(const dbal_notification *notification, void *arg)
{
    (void)notification, (void)arg;
}

/* ---- the child, where Check's own assertions may not run ---- */

static unsigned wrong;

/* It gave nothing, and said so in the log. */
static void
refused(const void *result, const char *call)
{
    char text[64];
    unsigned lines = fixture.log.count;
    snprintf(text, sizeof text, "%s refused", call);
    if (result == NULL && lines == 1 && log_lines_count(&fixture.log, text) == 1 &&
        log_lines_count(&fixture.log, "parent of this process") == 1) {
        memset(&fixture.log, 0, sizeof fixture.log);
        return;
    }
    wrong++;
    dprintf(STDERR_FILENO, "%s: %s, %u lines: %s\n", call, result == NULL ? "none" : "a Deferred",
            lines, fixture.log.lines[0]);
    memset(&fixture.log, 0, sizeof fixture.log);
}

static void
use_pool(void)
{
    dbal_query query = {.size = sizeof query, .sql = "get"};
    dbal_error *error = NULL;
    bool resized;
    refused(dbal_pool_ready(pool), "dbal_pool_ready");
    refused(ask("get"), "dbal_pool_run");
    refused(dbal_pool_run(pool, &query), "dbal_pool_run");
    refused(dbal_pool_batch(pool, "add $1", 0, NULL), "dbal_pool_batch");
    refused(dbal_pool_transaction(pool, NULL, work, NULL), "dbal_pool_transaction");
    refused(dbal_pool_session(pool, NULL, work, NULL), "dbal_pool_session");
    refused(dbal_pool_stream(pool, &query, rows, NULL), "dbal_pool_stream");
    refused(dbal_pool_copy_in(pool, "load", room, NULL), "dbal_pool_copy_in");
    refused(dbal_pool_copy_out(pool, "unload 1", bytes, NULL), "dbal_pool_copy_out");
    refused(dbal_pool_backup(pool, "x", NULL, NULL), "dbal_pool_backup");
    refused(dbal_pool_listen(pool, "x", told, NULL), "dbal_pool_listen");
    refused(dbal_pool_drain(pool), "dbal_pool_drain");
    refused(dbal_pool_pause(pool), "dbal_pool_pause");
    dbal_pool_resume(pool);
    refused(NULL, "dbal_pool_resume");
    resized = dbal_pool_resize(pool, 0, 1, &error);
    refused(resized || error == NULL ? pool : NULL, "dbal_pool_resize");
    dbal_error_unref(error);
    refused(dbal_pool_holders(pool, NULL, NULL) == 0 ? NULL : pool, "dbal_pool_holders");
    dbal_pool_histograms(pool, NULL, NULL);
    refused(NULL, "dbal_pool_histograms");
    refused(dbal_pool_metrics(1, &pool), "dbal_pool_metrics");
    refused(dbal_pool_close(pool), "dbal_pool_close");
}

static void
use_connection(dbal_connection *connection)
{
    dbal_query query = {.size = sizeof query, .sql = "get"};
    refused(dbal_connection_query(connection, "get", DBAL_NO_PARAMS), "dbal_connection_run");
    refused(dbal_connection_run(connection, &query), "dbal_connection_run");
    refused(dbal_connection_script(connection, "get; get"), "dbal_connection_script");
    refused(dbal_connection_batch(connection, "add $1", 0, NULL), "dbal_connection_batch");
    refused(dbal_connection_transaction(connection, NULL, work, NULL),
            "dbal_connection_transaction");
    refused(dbal_connection_savepoint(connection, work, NULL), "dbal_connection_savepoint");
    refused(dbal_connection_stream(connection, &query, rows, NULL), "dbal_connection_stream");
    refused(dbal_connection_copy_in(connection, "load", room, NULL), "dbal_connection_copy_in");
    refused(dbal_connection_copy_out(connection, "unload 1", bytes, NULL),
            "dbal_connection_copy_out");
}

static int
be_the_child(dbal_connection *connection)
{
    memset(&fixture.log, 0, sizeof fixture.log);
    use_pool();
    use_connection(connection);
    /* answers are there to be read, but not for it */
    ev_loop_fork(fixture.ev);
    for (int i = 0; i < 5; i++)
        ev_run(fixture.ev, EVRUN_NOWAIT);
    dbal_loop_free(fixture.loop);
    return wrong == 0 && log_lines_count(&fixture.log, "dbal_loop_free refused") == 1 ? 0 : 1;
}

/* ---- the parent ---- */

static void
fork_once(dbal_connection *connection)
{
    int status;
    pid_t child = fork();
    if (child == 0)
        _exit(be_the_child(connection));
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child's status is %#x",
                  status);
}

/* The answer to what was asked is in the socket, and nobody has read it. */
static void
until_answered(const dbal__slot *slot)
{
    const dbal__native *native = (const dbal__native *)(const void *)slot->channel;
    struct pollfd one = {.fd = native->slots[0].watch.fd, .events = POLLIN};
    ck_assert_int_eq(poll(&one, 1, 10000), 1);
}

START_TEST(the_parents_connections_live_on)
{
    holder held;
    seen answered, waiting, within;
    if (!MAY_FORK)
        return;
    open_pool(schemes[_i], "pool_max_size=2&pool_pipeline_depth=1&pool_acquire_timeout=off");
    hold(&held);
    until_held(&held);
    watch(ask("wait g"), &answered);
    until_count(&script->waiting, 1);
    watch(dbal_connection_query(held.connection, "wait h", DBAL_NO_PARAMS), &within);
    until_count(&script->waiting, 2);
    watch(ask("get"), &waiting);
    int opens = script->opens, live = script->live;
    fork_once(held.connection);
    fake_script_open_gate(script, "g");
    for (dbal__list *link = pool->slots.next; link != &pool->slots; link = link->next) {
        const dbal__slot *slot = DBAL__OF(link, const dbal__slot, link);
        if (!slot->held && dbal__pool_is_native(pool))
            until_answered(slot);
    }
    fork_once(held.connection);
    fake_script_open_gate(script, "h");
    until_settled(&answered);
    until_settled(&waiting);
    until_settled(&within);
    ck_assert_int_eq(answered.error_class, 0);
    ck_assert_int_eq(waiting.error_class, 0);
    ck_assert_int_eq(within.error_class, 0);
    good(dbal_connection_query(held.connection, "get", DBAL_NO_PARAMS));
    let_go(&held);
    until_settled(&held.end);
    ck_assert_int_eq(held.end.error_class, 0);
    good(ask("get"));
    ck_assert_int_eq(fake_script_count(script, &script->opens), opens);
    ck_assert_int_eq(fake_script_count(script, &script->live), live);
    ck_assert_uint_eq(counts_now().lost, 0);
    ck_assert_uint_eq(fixture.log.count, 0);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("fork");
    TCase *one = tcase_create("the_parents_connections_live_on");
    tcase_add_checked_fixture(one, pool_fixture_init, pool_fixture_fini);
    if (getenv("DBAL_TEST_VALGRIND") ==
        NULL) /* it would have the child free what is its parent's */
        tcase_add_loop_test(one, the_parents_connections_live_on, 0, SCHEMES);
    tcase_set_timeout(one, 60);
    suite_add_tcase(suite, one);
    return suite_run(suite);
}
