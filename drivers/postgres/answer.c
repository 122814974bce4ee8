#include "answer.h"

#include <string.h>

#include "failure.h"
#include "lost.h"
#include "newer.h"
#include "wait.h"

/*
 * Rows of one result taken in one go. A statement that gave no more than SMALL may get them all at
 * once the next time.
 */
enum { ROWS_MOST = 512, SMALL = 64, FEW = 100 };

/* ---- rows ---- */

static void
learn(dbal__postgres_expected *item, dbal__postgres_columns *columns, const PGresult *result)
{
    if (item->begun && columns->shared != NULL)
        return;
    /* the server keeps the columns of what it has prepared, or gives an error */
    if (item->prepared != 0 && item->prepared == columns->prepared &&
        columns->count == PQnfields(result))
        return;
    if (dbal__postgres_columns_learn(columns, result)) {
        columns->prepared = item->prepared;
        columns->described = item->named;
        return;
    }
    dbal_fault_set(item->fault, DBAL_ERROR_NO_MEMORY, NULL, "out of memory");
    dbal_fault_set_execution(item->fault, DBAL_EXECUTION_UNKNOWN);
    item->failed = item->refused = true;
}

static void
refused(dbal__postgres_expected *item)
{
    item->refused = true;
    item->failed = dbal_fault_is_set(item->fault);
    if (item->failed) /* here: the server goes on, and may do all of it */
        dbal_fault_set_execution(item->fault, DBAL_EXECUTION_UNKNOWN);
}

dbal__postgres_answered
dbal__postgres_answer_rows(dbal__postgres_answer *answer, dbal__postgres_expected *item,
                           dbal__postgres_columns *columns, PGresult **ret_clear)
{
    PGresult *result = answer->rest;
    int rows = PQntuples(result);
    int to = rows - answer->taken > ROWS_MOST ? answer->taken + ROWS_MOST : rows;
    if (!item->refused)
        learn(item, columns, result);
    if (!item->refused && !dbal__postgres_rows_take(columns, result, answer->taken, to,
                                                    !item->begun, item->request, item->fault))
        refused(item);
    item->begun = true;
    answer->taken = item->refused ? rows : to;
    if (answer->taken < rows)
        return DBAL__POSTGRES_ANSWER_MORE;
    answer->rest = NULL;
    *ret_clear = result;
    return DBAL__POSTGRES_ANSWER_TAKEN;
}

static dbal__postgres_answered
begin_rows(dbal__postgres_answer *answer, dbal__postgres_expected *item,
           dbal__postgres_columns *columns, PGresult *result, PGresult **ret_clear)
{
    *ret_clear = NULL;
    answer->rest = result;
    answer->taken = 0;
    return dbal__postgres_answer_rows(answer, item, columns, ret_clear);
}

/* ---- the end of a statement ---- */

static void
note_tag(dbal__postgres_expected *item, const char *tag)
{
    dbal__postgres_control control =
        dbal__postgres_statement_control(item->statement, item->request);
    bool rolled_back = strcmp(tag, "ROLLBACK") == 0;
    bool ended = strcmp(tag, "COMMIT") == 0 || strcmp(tag, "PREPARE TRANSACTION") == 0 ||
                 (rolled_back && control != DBAL__POSTGRES_ROLLS_BACK_TO);
    if (strcmp(tag, "BEGIN") == 0 || strcmp(tag, "START TRANSACTION") == 0)
        item->turn = DBAL__POSTGRES_TURN_BEGAN;
    else if (ended && !dbal__postgres_statement_chains(item->statement, item->request))
        item->turn = DBAL__POSTGRES_TURN_ENDED;
    bool keeps = control == DBAL__POSTGRES_COMMITS || control == DBAL__POSTGRES_PREPARES;
    if (!keeps || !rolled_back)
        return;
    dbal_fault_set(item->fault, DBAL_ERROR_INTERNAL, "25P02",
                   "the transaction had failed: %s has rolled it back",
                   control == DBAL__POSTGRES_COMMITS ? "COMMIT" : "PREPARE TRANSACTION");
    item->failed = true;
}

/* The number that a tag ends with, as in "INSERT 0 5"; -1: none. */
static int64_t
rows_of_tag(const char *tag)
{
    uint64_t rows = 0, place = 1; /* of a tag that is nonsense they may wrap */
    const char *at = tag + strlen(tag);
    for (; at > tag && at[-1] >= '0' && at[-1] <= '9'; at--, place *= 10)
        rows += (uint64_t)(at[-1] - '0') * place;
    return at > tag && at[-1] == ' ' && place != 1 ? (int64_t)(rows & INT64_MAX) : -1;
}

/* Whether its statement still goes by the name that it was sent with. */
static bool
has_its_name(const dbal__postgres_expected *item)
{
    return item->named != 0 && item->named == item->statement->number;
}

static void
complete(dbal__postgres_expected *item, PGresult *result)
{
    if (item->reply == DBAL__POSTGRES_REPLY_PREPARE) {
        if (has_its_name(item) && item->statement->prepared == DBAL__POSTGRES_PREPARING)
            item->statement->prepared = DBAL__POSTGRES_PREPARED;
        return;
    }
    if (item->reply != DBAL__POSTGRES_REPLY_QUERY || item->refused)
        return;
    const char *tag = PQcmdStatus(result);
    int64_t rows = rows_of_tag(tag);
    if (rows >= 0)
        dbal_request_affected(item->request, rows);
    else
        note_tag(item, tag);
    if (item->statement != NULL)
        item->statement->small = rows < FEW && PQntuples(result) <= SMALL;
}

/* ---- what its sink takes no more of ---- */

bool
dbal__postgres_answer_may_stop(const dbal__postgres_expected *item)
{
    if (!dbal_request_satisfied(item->request))
        return true; /* it fails all the same */
    return !item->in_transaction &&
           !dbal__postgres_statement_writes(item->statement, item->request);
}

bool
dbal__postgres_answer_succeeded(const dbal__postgres_expected *item)
{
    if (!item->refused)
        return !item->failed;
    return dbal_request_satisfied(item->request) &&
           (!item->failed || dbal__postgres_answer_may_stop(item));
}

/* ---- errors ---- */

/* What was asked for by a name that is of no more use; its statement may have a newer one. */
static void
forget(const dbal__postgres_expected *item)
{
    if (has_its_name(item))
        dbal__postgres_statement_forget(item->statement);
}

static bool
field_has(const PGresult *result, int field, const char *text)
{
    const char *value = PQresultErrorField(result, field);
    return value != NULL && strstr(value, text) != NULL;
}

/* Whether it tells of the name that it was sent with, in whatever language and between whatever marks. */
static bool
tells_its_name(const dbal__postgres_expected *item, const PGresult *result)
{
    char name[16];
    const char *at = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    dbal__postgres_statement_name(item->named, name);
    while (at != NULL && (at = strstr(at, name)) != NULL) {
        at += strlen(name);
        if (*at < '0' || *at > '9')
            return true;
    }
    return false;
}

/*
 * The server does not know the name any more, or the columns behind it have changed; it says so
 * before it runs anything, unlike a function that fails with the same SQLSTATE. Whatever has become
 * of the name since: those behind it were sent with it too.
 */
static bool
is_stale(const dbal__postgres_expected *item, const PGresult *result, const char *state)
{
    if (item->named == 0)
        return false;
    if (strcmp(state, "26000") == 0)
        return tells_its_name(item, result);
    return strcmp(state, "0A000") == 0 &&
           field_has(result, PG_DIAG_SOURCE_FUNCTION, "RevalidateCachedQuery");
}

/* What was not the statement's own fault, and is over when it is sent once more. */
static bool
may_go_again(const dbal__postgres_expected *item, const PGresult *result, const char *state)
{
    bool stale = is_stale(item, result, state);
    /* CALL, DO and the like may have committed a part of what they do */
    bool hit = item->exposed && strcmp(state, "57014") == 0 &&
               !dbal__postgres_statement_alters(item->statement, item->request);
    bool query = item->reply == DBAL__POSTGRES_REPLY_QUERY;
    /* the locks and the snapshot that it failed for may be those of others in its transaction */
    bool involved = item->shared && strncmp(state, "40", 2) == 0;
    /* of those that are to end, one that was not even begun ends as stopped when it would go again */
    return !item->in_transaction &&
           ((query && !item->tried && stale) || (!item->stopped && (hit || involved)));
}

void
dbal__postgres_answer_skip(dbal__postgres_expected *item)
{
    item->failed = item->again = true;
    dbal_fault_set(item->fault, DBAL_ERROR_OPERATIONAL, "08006",
                   "the connection was lost before it was sent once more");
    dbal_fault_set_execution(item->fault, DBAL_EXECUTION_NOT_SENT);
}

static void
say_not_executed(const dbal__postgres_answer *answer, dbal__postgres_expected *item)
{
    item->failed = true;
    if (answer->fatal[0] != '\0')
        dbal__postgres_lost_before(item->fault, answer->fatal, answer->own_word);
    else
        dbal_fault_set(item->fault, DBAL_ERROR_INTERNAL, "25P02",
                       "not executed: an earlier statement of its transaction has failed");
}

/* It stood in a transaction behind one that has failed. */
static void
skip(const dbal__postgres_answer *answer, dbal__postgres_expected *item)
{
    if (item->reply == DBAL__POSTGRES_REPLY_PREPARE)
        forget(item);
    else if (item->request == NULL || item->failed)
        return;
    else if (item->shared && answer->fatal[0] == '\0')
        dbal__postgres_answer_skip(item);
    else
        say_not_executed(answer, item);
}

/* Its statement would have been prepared by another one, had the transaction not failed before. */
static bool
is_skipped(const dbal__postgres_expected *item, const PGresult *result, const char *state)
{
    return item->in_transaction && strcmp(state, "26000") == 0 && is_stale(item, result, state);
}

/*
 * Its time is up: whoever has stopped it, this was what it was to end by. The server's own limit comes
 * first when the program has hung, or its cancel has not come through.
 */
static bool
is_late(const dbal__postgres_expected *item)
{
    int64_t deadline = dbal_request_deadline(item->request);
    return deadline != INT64_MAX && dbal__postgres_now() >= deadline;
}

bool
dbal__postgres_answer_error(dbal__postgres_answer *answer, dbal__postgres_expected *item,
                            const PGresult *result)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    if (state == NULL)
        return false;
    if (dbal__postgres_failure_is_fatal(result) && strlen(state) < sizeof answer->fatal) {
        strcpy(answer->fatal, state);
        answer->own_word = dbal__postgres_failure_is_servers(result);
    }
    if (item->failed || item->request == NULL || item->reply == DBAL__POSTGRES_REPLY_LIMIT)
        return true;
    item->failed = true;
    if (item->reply == DBAL__POSTGRES_REPLY_RESET) {
        dbal__postgres_failure(item->fault, result, NULL);
        return true;
    }
    bool ended = strcmp(state, "57014") == 0 && (item->stopped || is_late(item));
    item->again = may_go_again(item, result, state) && (item->stopped || !ended);
    item->tried = item->tried || item->again;
    if (is_skipped(item, result, state))
        say_not_executed(answer, item);
    else if (ended)
        dbal_fault_set(item->fault, DBAL_ERROR_CANCELLED, "57014", "%s",
                       PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY));
    else
        dbal__postgres_failure_of(item->fault, result, item->request);
    /* somebody else has altered what it gives: the transaction as a whole can be run again */
    if (item->in_transaction && strcmp(state, "0A000") == 0 && is_stale(item, result, state))
        dbal_fault_set_retryable(item->fault, true);
    if (item->reply == DBAL__POSTGRES_REPLY_PREPARE || is_stale(item, result, state))
        forget(item);
    return true;
}

dbal__postgres_answered
dbal__postgres_answer_take(dbal__postgres_answer *answer, dbal__postgres_expected *item,
                           dbal__postgres_columns *columns, PGresult *result, PGresult **ret_clear)
{
    bool query = item->reply == DBAL__POSTGRES_REPLY_QUERY;
    int status = PQresultStatus(result);
    *ret_clear = result;
    /* most of the rows of a large result come so, one by one */
    if (status == PGRES_SINGLE_TUPLE && item->begun && !item->refused && columns->shared != NULL) {
        if (!dbal__postgres_rows_take(columns, result, 0, 1, false, item->request, item->fault))
            refused(item);
        return DBAL__POSTGRES_ANSWER_TAKEN;
    }
    bool piece = status == PGRES_SINGLE_TUPLE || status == DBAL__POSTGRES_TUPLES_CHUNK;
    item->answered = !piece; /* there is an end to come */
    if (piece || status == PGRES_TUPLES_OK) {
        if (!query && item->reply != DBAL__POSTGRES_REPLY_RESET &&
            item->reply != DBAL__POSTGRES_REPLY_LIMIT)
            return DBAL__POSTGRES_ANSWER_CONFUSED;
        if (!query) /* what it gives is of no interest */
            return DBAL__POSTGRES_ANSWER_TAKEN;
        if (!piece)
            complete(item, result);
        return begin_rows(answer, item, columns, result, ret_clear);
    }
    switch (status) {
    case PGRES_COMMAND_OK:
    case PGRES_EMPTY_QUERY:
        complete(item, result);
        return DBAL__POSTGRES_ANSWER_TAKEN;
    case PGRES_FATAL_ERROR:
        return dbal__postgres_answer_error(answer, item, result) ? DBAL__POSTGRES_ANSWER_TAKEN
                                                                 : DBAL__POSTGRES_ANSWER_LOST;
    case PGRES_PIPELINE_ABORTED:
        skip(answer, item);
        return DBAL__POSTGRES_ANSWER_TAKEN;
    default: /* COPY, a Sync */
        return DBAL__POSTGRES_ANSWER_CONFUSED;
    }
}
