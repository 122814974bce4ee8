#include "time_limit.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "connection.h"

/*
 * Milliseconds. Under the shortest limit its own taking back has to be done too, by a server that may
 * stand still for a moment. Asking for what fails again and again comes to an end.
 */
enum { LEAST = 512, MOST = 1 << 30, MILLISECOND = 1000000, ASKED_MOST = 3 };

/* ---- the state ---- */

/*
 * In milliseconds, never less than there are: a little more, since the server's clock may be faster than
 * this one. 0: too many for a limit, or none.
 */
static int64_t
rest_of(int64_t now, int64_t deadline)
{
    if (deadline == INT64_MAX)
        return 0;
    int64_t rest = deadline > now ? (deadline - now - 1) / MILLISECOND + 1 : 0;
    rest += rest / 128;
    return rest > MOST ? 0 : rest > LEAST ? rest : LEAST;
}

dbal__postgres_time_step
dbal__postgres_time_limit_step(const dbal__postgres_time_limit *limit, int64_t now,
                               int64_t deadline, int *ret_limit)
{
    bool sure = !limit->unknown && !limit->doubted, alone = limit->alone != DBAL__POSTGRES_SETS_NOT;
    bool none = limit->off || alone;
    int64_t rest = none ? 0 : rest_of(now, deadline), wanted = LEAST;
    /* what was set before, and may be in force, is given back all the same */
    if ((alone && !limit->unknown) || (none && !limit->took))
        return DBAL__POSTGRES_TIME_KEEP;
    if (rest == 0) {
        *ret_limit = 0;
        return sure && limit->present == 0 ? DBAL__POSTGRES_TIME_KEEP : DBAL__POSTGRES_TIME_SET;
    }
    if (!limit->known)
        return DBAL__POSTGRES_TIME_ASK;
    int in_force = limit->present != 0 ? limit->present : limit->base;
    if (sure && rest <= in_force && in_force / 4 <= rest)
        return DBAL__POSTGRES_TIME_KEEP;
    while (wanted < rest)
        wanted *= 2;
    if (limit->base != 0 && wanted >= limit->base)
        wanted = 0;
    *ret_limit = (int)wanted;
    return sure && wanted == limit->present ? DBAL__POSTGRES_TIME_KEEP : DBAL__POSTGRES_TIME_SET;
}

/* The server stops its clock before it commits or rolls back. A limit set before BEGIN outlives it. */
bool
dbal__postgres_time_limit_is_free(dbal__postgres_control control, int64_t deadline)
{
    return (control == DBAL__POSTGRES_BEGINS && deadline == INT64_MAX) ||
           (control >= DBAL__POSTGRES_COMMITS && control <= DBAL__POSTGRES_PREPARES);
}

/* None of them takes a snapshot: what a transaction sees is not for this to settle. */
void
dbal__postgres_time_limit_text(dbal__postgres_time_step step, int limit,
                               char ret_text[DBAL__POSTGRES_TIME_TEXT])
{
    if (step == DBAL__POSTGRES_TIME_ASK)
        strcpy(ret_text, "show statement_timeout");
    else if (limit == 0)
        strcpy(ret_text, "set statement_timeout = default");
    else
        snprintf(ret_text, DBAL__POSTGRES_TIME_TEXT, "set statement_timeout = %d", limit);
}

void
dbal__postgres_time_limit_sent(dbal__postgres_time_limit *limit, dbal__postgres_time_step step,
                               int value, bool in_transaction)
{
    if (step == DBAL__POSTGRES_TIME_ASK) {
        limit->asking = true;
        return;
    }
    limit->present = value;
    limit->ours = value != 0;
    limit->unknown = limit->doubted = false;
    limit->inside = limit->inside || in_transaction;
}

static void
be_unknown(dbal__postgres_time_limit *limit)
{
    limit->unknown = limit->ours = true;
    limit->doubted = false;
}

/* As the server writes it: "0", "500ms", "7s", "2min", "1h", "3d". */
static bool
read_base(const char *text, int *ret_base)
{
    static const struct {
        const char *name;
        int64_t size;
    } units[] = {{"", 1},
                 {"ms", 1},
                 {"s", 1000},
                 {"min", 60 * 1000},
                 {"h", 60 * 60 * 1000},
                 {"d", 24 * 60 * 60 * 1000}};
    char *behind;
    if (!isdigit((unsigned char)*text))
        return false;
    int64_t number = strtol(text, &behind, 10);
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(behind, units[i].name) != 0 || number > INT32_MAX / units[i].size)
            continue;
        *ret_base = (int)(number * units[i].size);
        return true;
    }
    return false;
}

static bool
is_of_class(const PGresult *result, const char *sqlstate_class)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    return state != NULL && strncmp(state, sqlstate_class, 2) == 0;
}

/* It stood in a transaction that has failed, which says nothing of it. */
static bool
stood_in_failed(const PGresult *result)
{
    return is_of_class(result, "25");
}

/* Or it ran out of time, was hit by a cancel, or the connection is lost. */
static bool
may_pass(const PGresult *result)
{
    return stood_in_failed(result) || is_of_class(result, "57") ||
           PQresultErrorField(result, PG_DIAG_SQLSTATE) == NULL;
}

void
dbal__postgres_time_limit_answer(dbal__postgres_time_limit *limit, const PGresult *result,
                                 bool last)
{
    switch (PQresultStatus(result)) {
    case PGRES_COMMAND_OK:
        limit->off = limit->off || limit->asking; /* that is no answer to a question */
        limit->took = limit->took || !limit->asking;
        limit->asking = false;
        return;
    case PGRES_TUPLES_OK:
        limit->asking = false;
        limit->known = PQntuples(result) == 1 && PQnfields(result) == 1 &&
                       read_base(PQgetvalue(result, 0, 0), &limit->base);
        limit->off = !limit->known;
        return;
    default:
        if (limit->asking)
            limit->failures += !stood_in_failed(result);
        else if (last)
            be_unknown(limit);
        limit->asking = false;
        limit->off = limit->off || !may_pass(result) || limit->failures >= ASKED_MOST;
    }
}

static void
note_sets(dbal__postgres_time_limit *limit, dbal__postgres_sets sets, bool in_transaction)
{
    if (sets <= limit->alone || (!in_transaction && sets != DBAL__POSTGRES_SETS))
        return;
    limit->alone = sets;
    if (!in_transaction)
        limit->outside = sets;
}

bool
dbal__postgres_time_limit_foresee(dbal__postgres_time_limit *limit, dbal__postgres_control control,
                                  dbal__postgres_sets sets, bool in_transaction, bool in_order)
{
    bool commits = control == DBAL__POSTGRES_COMMITS || control == DBAL__POSTGRES_PREPARES;
    bool ends = commits || control == DBAL__POSTGRES_ROLLS_BACK;
    if (control == DBAL__POSTGRES_BEGINS)
        limit->outside = limit->alone;
    if (sets == DBAL__POSTGRES_SETS && !in_order)
        be_unknown(limit); /* a block of nobody's session: what it has set is not to last */
    else
        note_sets(limit, sets, in_transaction);
    if (control == DBAL__POSTGRES_ROLLS_BACK)
        limit->alone = limit->outside;
    if (ends && limit->alone == DBAL__POSTGRES_SETS_LOCAL)
        limit->alone = DBAL__POSTGRES_SETS_NOT;
    if (!limit->inside || (!ends && control != DBAL__POSTGRES_ROLLS_BACK_TO))
        return false;
    limit->inside = !ends;
    if (commits)
        limit->doubted = limit->ours = true;
    else
        be_unknown(limit);
    return commits;
}

void
dbal__postgres_time_limit_committed(dbal__postgres_time_limit *limit, bool ok)
{
    limit->doubted = false;
    limit->ours = limit->unknown || limit->present != 0;
    if (!ok)
        be_unknown(limit);
}

void
dbal__postgres_time_limit_renew(dbal__postgres_time_limit *limit)
{
    limit->present = 0;
    limit->ours = limit->unknown = limit->inside = limit->doubted = false;
    limit->alone = limit->outside = DBAL__POSTGRES_SETS_NOT;
    limit->failures = 0;
}

/* ---- on the loop ---- */

/* What is known of it: that it fails is not said before it has. */
static bool
has_failed(const dbal__postgres_connection *self)
{
    return self->expect.settled == self->expect.end &&
           PQtransactionStatus(self->pg) == PQTRANS_INERROR;
}

static void
say(dbal__postgres_connection *self, dbal__postgres_time_step step, int value)
{
    char text[DBAL__POSTGRES_TIME_TEXT];
    dbal__postgres_sync(self);
    dbal__postgres_time_limit_text(step, value, text);
    dbal__postgres_time_limit_sent(&self->time_limit, step, value, self->will_be_in_transaction);
    if (step == DBAL__POSTGRES_TIME_SET)
        self->time_limit.last = self->expect.end;
    dbal__postgres_expect_push(&self->expect, DBAL__POSTGRES_REPLY_LIMIT);
    if (PQsendQueryParams(self->pg, text, 0, NULL, NULL, NULL, NULL, 0) != 1)
        self->ended = true;
    self->unsynced++;
    dbal__postgres_sync(self);
}

bool
dbal__postgres_time_limit_asks(dbal__postgres_connection *self, const dbal_request *request)
{
    int value;
    dbal__postgres_time_step step = dbal__postgres_time_limit_step(
        &self->time_limit, dbal_host_now(self->host), dbal_request_deadline(request), &value);
    if (step != DBAL__POSTGRES_TIME_ASK || has_failed(self))
        return false;
    if (!self->time_limit.asking)
        say(self, step, 0);
    dbal__postgres_flush(self);
    return !self->ended;
}

void
dbal__postgres_time_limit_join(dbal__postgres_connection *self, const dbal_request *request,
                               dbal__postgres_control control, dbal__postgres_sets sets)
{
    int64_t deadline = dbal_request_deadline(request);
    int value = 0;
    if (sets != DBAL__POSTGRES_SETS_NOT) /* its program is to find what is the session's own */
        deadline = INT64_MAX;
    if (dbal__postgres_time_limit_is_free(control, deadline))
        return;
    dbal__postgres_time_step step = dbal__postgres_time_limit_step(
        &self->time_limit, dbal_host_now(self->host), deadline, &value);
    if (step == DBAL__POSTGRES_TIME_SET && !has_failed(self))
        say(self, step, value);
}

bool
dbal__postgres_time_limit_gives_back(dbal__postgres_connection *self)
{
    int value = 0;
    dbal__postgres_time_step step =
        dbal__postgres_time_limit_step(&self->time_limit, 0, INT64_MAX, &value);
    if (step == DBAL__POSTGRES_TIME_KEEP || self->ended || has_failed(self) ||
        !dbal__postgres_expect_reserve(&self->expect, 3))
        return false;
    say(self, step, value);
    dbal__postgres_flush(self);
    return true;
}

/*
 * Those behind it run under what was in force before: what has no deadline, or a later one, is not to
 * end by that, but to be sent once more.
 */
static void
expose_others(dbal__postgres_connection *self)
{
    const dbal__postgres_expect *expect = &self->expect;
    for (uint32_t i = expect->read + 1; i != expect->end; i++) {
        dbal__postgres_expected *item = dbal__postgres_expect_at(expect, i);
        if (item->reply == DBAL__POSTGRES_REPLY_LIMIT)
            return;
        item->exposed = true;
    }
}

void
dbal__postgres_time_limit_answered(dbal__postgres_connection *self, const PGresult *result)
{
    bool last = self->expect.read == self->time_limit.last;
    dbal__postgres_time_limit_answer(&self->time_limit, result, last);
    if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK)
        expose_others(self);
}
