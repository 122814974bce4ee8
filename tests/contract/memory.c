/* Without memory: the nth allocation fails, for all n, and nothing is lost, leaked or left waiting. */
#include <stdlib.h>

#include "tests/contract/contract.h"
#include "tests/lib/alloc_fault.h"

/* What a scenario asked for, and what came of it. */
typedef struct tally {
    int asked, settled;
    dbal_loop *loop;
    dbal_pool *pool;
} tally;

static void
settled(void *arg)
{
    ((tally *)arg)->settled++;
}

static dbal_deferred *
watch(tally *self, dbal_deferred *deferred)
{
    self->asked++;
    dbal_deferred_add_errback(deferred, swallow, NULL);
    dbal_deferred_add_finally(deferred, settled, self);
    return deferred;
}

static dbal_outcome
work(dbal_connection *connection, void *arg)
{
    tally *self = arg;
    watch(self, dbal_connection_query(connection, SQL(add), DBAL_PARAMS(dbal_int64(1))));
    watch(self, dbal_connection_query(connection, SQL(echo), DBAL_PARAMS(dbal_text("text"))));
    return dbal_wait(dbal_connection_query(connection, SQL(get), DBAL_NO_PARAMS));
}

static dbal_outcome
work_with_savepoint(dbal_connection *connection, void *arg)
{
    tally *self = arg;
    watch(self, dbal_connection_savepoint(connection, work, self));
    return dbal_done();
}

static dbal_outcome
run_script(dbal_connection *connection, void *arg)
{
    (void)arg;
    return dbal_wait(dbal_connection_script(connection, SQL(get)));
}

static void
ask_batches(tally *self)
{
    const dbal_params sets[] = {DBAL_PARAMS(dbal_int64(1)), DBAL_PARAMS(dbal_int64(2)),
                                DBAL_PARAMS(dbal_int64(-1))};
    watch(self, dbal_pool_batch(self->pool, SQL(gain), 2, sets));
    watch(self, dbal_pool_batch(self->pool, SQL(gain), 3, sets));
}

static void
hear(int64_t done, int64_t total, void *arg)
{
    ck_assert_ptr_nonnull(arg);
    ck_assert_int_le(done, total);
}

/* The first may be made, the second is then refused, for it is there. */
static void
ask_backups(tally *self)
{
    const char *where = contract_backup_target();
    watch(self, dbal_pool_backup(self->pool, where, hear, self));
    watch(self, dbal_pool_backup(self->pool, where, NULL, NULL));
}

static void
write_some(dbal_copy *copy, void *arg)
{
    ck_assert_ptr_nonnull(arg);
    dbal_copy_write(copy, "2\n3\n", 4);
    dbal_copy_end(copy);
}

static dbal_flow
take_bytes(dbal_stream *stream, const void *data, size_t size, void *arg)
{
    (void)stream, (void)data, (void)size, (void)arg;
    return DBAL_CONTINUE;
}

/* Refused where there are none. */
static void
ask_copies(tally *self)
{
    bool can = (target->quirks & CONTRACT_NO_COPY) == 0;
    watch(self, dbal_pool_copy_in(self->pool, can ? SQL(copy_in) : SQL(get), write_some, self));
    watch(self, dbal_pool_copy_out(self->pool, can ? SQL(copy_out) : SQL(get), take_bytes, self));
}

static dbal_outcome
work_with_batch(dbal_connection *connection, void *arg)
{
    const dbal_params sets[] = {DBAL_PARAMS(dbal_int64(1)), DBAL_PARAMS(dbal_int64(2))};
    watch(arg, dbal_connection_batch(connection, SQL(gain), 2, sets));
    return dbal_done();
}

static dbal_flow
take(dbal_stream *stream, dbal_result *rows, void *arg)
{
    (void)stream, (void)arg;
    return dbal_result_row_count(rows) > 0 ? DBAL_CONTINUE : DBAL_STOP;
}

static void
ask_everything(tally *self)
{
    dbal_deferred *two[2];
    watch(self, dbal_pool_ready(self->pool));
    watch(self, dbal_pool_query(self->pool, SQL(echo), DBAL_PARAMS(dbal_text("text"))));
    watch(self, dbal_pool_run(self->pool,
                              DBAL_QUERY(.sql = SQL(add), .label = "label",
                                         .params = DBAL_PARAMS(dbal_int64(1)), .timeout = 30)));
    watch(self, dbal_pool_query(self->pool, SQL(by_name),
                                DBAL_PARAMS(dbal_named("a", dbal_int64(1)),
                                            dbal_named("b", dbal_blob("bytes", 5)))));
    watch(self, dbal_pool_query(self->pool, SQL(duplicate), DBAL_NO_PARAMS));
    watch(self, dbal_pool_transaction(self->pool, DBAL_TRANSACTION(.retries = 1),
                                      work_with_savepoint, self));
    watch(self, dbal_pool_session(self->pool, DBAL_SESSION(.label = "session"), run_script, self));
    ask_batches(self);
    ask_backups(self);
    ask_copies(self);
    watch(self, dbal_pool_transaction(self->pool, NULL, work_with_batch, self));
    watch(self,
          dbal_pool_stream(self->pool,
                           DBAL_QUERY(.sql = SQL(rows), .params = DBAL_PARAMS(dbal_int64(700))),
                           take, self));
    two[0] = dbal_pool_query(self->pool, SQL(get), DBAL_NO_PARAMS);
    two[1] = dbal_pool_query(self->pool, SQL(get), DBAL_NO_PARAMS);
    watch(self, dbal_gather(self->loop, DBAL_GATHER_ALL, 2, two));
    dbal_deferred *cancelled = dbal_pool_query(self->pool, SQL(get), DBAL_NO_PARAMS);
    watch(self, cancelled);
    dbal_deferred_cancel(cancelled);
}

static void
scenario(void *arg)
{
    tally self = {.asked = 0};
    const char *settings = arg;
    struct ev_loop *ev = ev_loop_new(EVFLAG_AUTO);
    log_lines log = {.count = 0};
    self.loop = dbal_loop_new(ev);
    if (self.loop != NULL) {
        dbal_loop_set_log(self.loop, log_lines_add, &log);
        char *url = contract_url(settings);
        self.pool = dbal_pool_open(self.loop, url, NULL, NULL);
        free(url);
    }
    if (self.pool != NULL) {
        ask_everything(&self);
        ev_run(ev, 0);
        watch(&self, dbal_pool_close(self.pool));
        ev_run(ev, 0);
        ck_assert_int_eq(self.settled, self.asked);
    }
    dbal_loop_free(self.loop);
    ck_assert_int_eq(self.settled, self.asked);
    ev_loop_destroy(ev);
}

START_TEST(nothing_is_lost_without_memory)
{
    /* the fixture's own pool stays as it is meanwhile: its blocks are not counted */
    alloc_fault_sweep(scenario, (void *)(uintptr_t) "pool_max_size=2");
}
END_TEST

void
add_memory(Suite *suite)
{
    contract_add(suite, nothing_is_lost_without_memory);
}
