/* Copies in bulk: a row is what ends with a newline. */
#include <stdio.h>
#include <string.h>

#include "tests/lib/fake_run.h"

/* How a load goes on; see fake_script.h. */
typedef struct load {
    int64_t most; /* rows that it takes, -1 for any number */
    bool lost;
} load;

static bool
prepare(fake_run *run, load *ret_how)
{
    char gate[FAKE_NAME];
    const char *ahead = run->cursor;
    dbal_sql_token token = dbal_sql_next(FAKE_DIALECT, &ahead);
    *ret_how = (load){.most = -1};
    if (token.kind == DBAL_SQL_NUMBER) {
        ret_how->most = fake_run_number(run);
    } else if (dbal_sql_token_is(token, "lost")) {
        run->cursor = ahead;
        ret_how->lost = true;
    } else if (dbal_sql_token_is(token, "after")) {
        run->cursor = ahead;
        fake_run_text(run, gate, sizeof gate);
        return fake_script_wait(run->session->script, gate, run->call->stopped, run->call->arg,
                                run->call->polls);
    }
    return true;
}

/* What is still written is dropped. */
static void
skip(fake_run *run)
{
    char data[4096];
    while (run->call->read(run->call->arg, data, sizeof data) > 0) {
    }
}

static void
end_loaded(fake_run *run, int64_t got, const char *data, int64_t rows)
{
    char message[200];
    if (got == FAKE_READ_END) {
        fake_run_add(run, rows);
        run->affected = rows;
        return;
    }
    snprintf(message, sizeof message, "the load failed: %.150s", data);
    bool stopped = run->call->stopped(run->call->arg);
    fake_run_fail(run, stopped ? DBAL_ERROR_CANCELLED : DBAL_ERROR_OPERATIONAL, "57014", message);
}

static void
take_rows(fake_run *run, int64_t most)
{
    char data[4096];
    int64_t got, rows = 0;
    while ((got = run->call->read(run->call->arg, data, sizeof data)) > 0) {
        for (int64_t i = 0; i < got; i++)
            rows += data[i] == '\n';
        if (most >= 0 && rows > most) {
            fake_run_fail(run, DBAL_ERROR_DATA, "22P02", "a row that the fake does not take");
            fake_run_flush(run);
            skip(run);
            return;
        }
    }
    end_loaded(run, got, data, rows);
}

void
fake_run_load(fake_run *run)
{
    char data[4096];
    fake_frame frame = {.kind = FAKE_LOAD};
    load how;
    if (!fake_run_may_write(run))
        return;
    if (run->call->read == NULL) {
        fake_run_fail(run, DBAL_ERROR_NOT_SUPPORTED, "0A000", "only the native fake copies");
        return;
    }
    fake_run_emit(run, &frame, NULL);
    fake_run_flush(run);
    if (!prepare(run, &how)) {
        fake_run_fail(run, DBAL_ERROR_CANCELLED, "57014", "the fake was stopped");
        fake_run_flush(run);
        skip(run);
    } else if (how.lost) {
        run->call->read(run->call->arg, data, sizeof data);
        frame.kind = FAKE_LOST;
        fake_run_emit(run, &frame, NULL);
        run->session->lost = run->over = true;
    } else {
        take_rows(run, how.most);
    }
}

void
fake_run_unload(fake_run *run)
{
    int64_t count = fake_run_number(run);
    for (int64_t i = 1; i <= count && !run->over; i++) {
        char row[32];
        if (run->call->stopped(run->call->arg)) {
            fake_run_fail(run, DBAL_ERROR_CANCELLED, "57014", "the fake was stopped");
            return;
        }
        fake_frame frame = {.kind = FAKE_BYTES,
                            .size = (uint32_t)snprintf(row, sizeof row, "%lld\n", (long long)i)};
        fake_run_emit(run, &frame, row);
    }
    run->affected = count;
}
