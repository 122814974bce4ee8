#include "words.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static dbal_sql_token
next(fake_run *run)
{
    return dbal_sql_next(DBAL_DIALECT_POSTGRESQL, &run->cursor);
}

void
fake_run_fail(fake_run *run, dbal_error_class error_class, const char *sqlstate, const char *format,
              ...)
{
    char text[512];
    va_list list;
    if (run->failed)
        return; /* the first reason is the one */
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    dbal_fault_set(run->fault, error_class, sqlstate, "%s", text);
    /* a place in the program's statement, unless its words stand elsewhere */
    if (error_class == DBAL_ERROR_PROGRAMMING && run->words == dbal_request_sql(run->request, NULL))
        dbal_fault_set_position(run->fault, (int)(run->word.start - run->words) + 1);
    run->failed = true;
}

/* ---- operands ---- */

/* Whether a text has room, without its quotes. */
static bool
fits(fake_run *run, dbal_sql_token token, size_t size)
{
    if (token.kind != DBAL_SQL_STRING || token.size < size + 2)
        return true;
    fake_run_fail(run, DBAL_ERROR_PROGRAMMING, "54000", "a text here has up to %zu bytes",
                  size - 1);
    return false;
}

/* 'it''s' without its quotes. */
static size_t
unquote(dbal_sql_token token, char *to, size_t size)
{
    size_t used = 0;
    for (size_t i = 1; i + 1 < token.size && used + 1 < size; i++) {
        to[used++] = token.start[i];
        i += token.start[i] == '\'' && token.start[i + 1] == '\'' && i + 2 < token.size;
    }
    to[used] = '\0';
    return used;
}

static dbal_value
parameter(fake_run *run, dbal_sql_token token)
{
    long number = strtol(token.start + 1, NULL, 10);
    size_t count = dbal_request_parameter_count(run->request);
    if (number >= 1 && (size_t)number <= count)
        return dbal_request_parameter(run->request, (size_t)number - 1);
    fake_run_fail(run, DBAL_ERROR_PROGRAMMING, "42P02", "the statement has no parameter %.*s",
                  (int)token.size, token.start);
    return dbal_null();
}

/* As the token says, with a minus before it. */
static dbal_value
number_of(dbal_sql_token token, bool negative)
{
    char text[64];
    snprintf(text, sizeof text, "%s%.*s", negative ? "-" : "", (int)token.size, token.start);
    return strpbrk(text, ".eE") != NULL ? dbal_double(strtod(text, NULL))
                                        : dbal_int64(strtoll(text, NULL, 10));
}

static bool
word_value(dbal_sql_token token, dbal_value *ret_value)
{
    bool yes = dbal_sql_token_is(token, "true");
    if (dbal_sql_token_is(token, "null"))
        *ret_value = dbal_null();
    else if (yes || dbal_sql_token_is(token, "false"))
        *ret_value = dbal_bool(yes);
    else
        return false;
    return true;
}

bool
fake_run_operand(fake_run *run, dbal_value *ret_value, char *room, size_t size)
{
    const char *before = run->cursor;
    dbal_sql_token token = next(run);
    bool negative = token.size == 1 && *token.start == '-';
    if (negative)
        token = next(run);
    if (token.kind == DBAL_SQL_PARAMETER)
        *ret_value = parameter(run, token);
    else if (token.kind == DBAL_SQL_NUMBER)
        *ret_value = number_of(token, negative);
    else if (token.kind == DBAL_SQL_STRING && fits(run, token, size))
        *ret_value = dbal_textn(room, unquote(token, room, size));
    else if (token.kind != DBAL_SQL_WORD || !word_value(token, ret_value)) {
        run->cursor = before;
        return false;
    }
    return true;
}

int64_t
fake_run_number(fake_run *run)
{
    char room[32];
    dbal_value value;
    if (fake_run_operand(run, &value, room, sizeof room) && value.type == DBAL_INT64)
        return value.as.integer;
    if (!run->failed)
        fake_run_fail(run, DBAL_ERROR_PROGRAMMING, "42601", "%.*s wants a whole number",
                      (int)run->word.size, run->word.start);
    return 0;
}

void
fake_run_text(fake_run *run, char *to, size_t size)
{
    dbal_sql_token token = next(run);
    *to = '\0';
    if (token.kind == DBAL_SQL_STRING && fits(run, token, size))
        unquote(token, to, size);
    else if (token.kind == DBAL_SQL_END || token.kind == DBAL_SQL_SEMICOLON)
        fake_run_fail(run, DBAL_ERROR_PROGRAMMING, "42601", "%.*s wants a text",
                      (int)run->word.size, run->word.start);
    snprintf(to, token.kind == DBAL_SQL_STRING ? 0 : size, "%.*s", (int)token.size, token.start);
}

/* ---- time ---- */

/* What a sleeper looks at. */
static bool
is_stopped(const void *arg)
{
    const fake_run *run = arg;
    return dbal_request_stopped(run->request) || atomic_load(&run->connection->struck);
}

void
fake_run_sleep(fake_run *run, double seconds)
{
    int64_t deadline = dbal_request_deadline(run->request);
    if (!fake_store_sleep(run->connection->config->store, seconds, deadline, is_stopped, run))
        fake_run_fail(run, DBAL_ERROR_CANCELLED, "57014", "the statement was stopped");
}

/* From none to a day, in seconds: what is below none would be for ever. */
static double
read_delay(fake_run *run)
{
    const int64_t most = INT64_C(24) * 60 * 60 * 1000;
    int64_t number = fake_run_number(run);
    return (double)(number < 0 ? 0 : number > most ? most : number) / 1000;
}

/* delay 200 */
static void
do_delay(fake_run *run)
{
    double seconds = read_delay(run);
    if (!run->failed)
        fake_run_sleep(run, seconds);
}

/* deaf 200: hears of no stop, and of no deadline */
static void
do_deaf(fake_run *run)
{
    double seconds = read_delay(run);
    fake_store_sleep(run->connection->config->store, seconds, INT64_MAX, NULL, NULL);
}

static void
do_hang(fake_run *run)
{
    fake_run_sleep(run, -1);
}

/* ---- what fails ---- */

static void
do_lose(fake_run *run)
{
    fake_run_fail(run, DBAL_ERROR_OPERATIONAL, "08006", "the connection was lost");
    dbal_fault_set_connection_lost(run->fault, true);
    dbal_fault_set_execution(run->fault, DBAL_EXECUTION_UNKNOWN);
    run->connection->lost = true;
}

/* The class that goes with an SQLSTATE, as with PostgreSQL's. */
static dbal_error_class
class_of(const char *sqlstate)
{
    static const struct {
        const char *begins;
        dbal_error_class error_class;
    } classes[] = {{"0A", DBAL_ERROR_NOT_SUPPORTED},
                   {"22", DBAL_ERROR_DATA},
                   {"23", DBAL_ERROR_INTEGRITY},
                   {"42", DBAL_ERROR_PROGRAMMING},
                   {"XX", DBAL_ERROR_INTERNAL}};
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++)
        if (strncmp(sqlstate, classes[i].begins, 2) == 0)
            return classes[i].error_class;
    return DBAL_ERROR_OPERATIONAL;
}

/* fail '23505', or fail '23505' 'what it says' */
static void
do_fail(fake_run *run)
{
    char sqlstate[32], room[256];
    dbal_value said;
    fake_run_text(run, sqlstate, sizeof sqlstate);
    if (run->failed)
        return;
    if (strspn(sqlstate, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") != 5 || sqlstate[5] != '\0') {
        fake_run_fail(run, DBAL_ERROR_PROGRAMMING, "42601", "%s is no SQLSTATE", sqlstate);
        return;
    }
    bool words = fake_run_operand(run, &said, room, sizeof room) && said.type == DBAL_TEXT;
    fake_run_fail(run, class_of(sqlstate), sqlstate, "%s",
                  words ? (const char *)said.as.bytes.data : "it failed, as it was to");
    if (strncmp(sqlstate, "23", 2) == 0)
        dbal_fault_set_constraint(run->fault, "fake");
    dbal_fault_set_retryable(run->fault, strncmp(sqlstate, "40", 2) == 0);
}

/* ---- what writes ---- */

static void
add(fake_run *run, int64_t number)
{
    fake_connection *self = run->connection;
    if (dbal_request_read_only(run->request)) {
        fake_run_fail(run, DBAL_ERROR_OPERATIONAL, "25006", "it was promised that nothing changes");
        return;
    }
    if (self->in_transaction)
        self->delta += number;
    else
        fake_store_add(self->config->store, number);
    dbal_request_affected(run->request, 1);
    dbal_request_last_insert_id(run->request, number);
}

static void
do_add(fake_run *run)
{
    int64_t number = fake_run_number(run);
    if (!run->failed)
        add(run, number);
}

static void
do_gain(fake_run *run)
{
    int64_t number = fake_run_number(run);
    if (number < 0)
        fake_run_fail(run, DBAL_ERROR_INTEGRITY, "23502", "a gain is not negative");
    else if (!run->failed)
        add(run, number);
}

static void
do_affected(fake_run *run)
{
    dbal_request_affected(run->request, fake_run_number(run));
}

static void
do_id(fake_run *run)
{
    dbal_request_last_insert_id(run->request, fake_run_number(run));
}

/* ---- the rest ---- */

static void
do_get(fake_run *run)
{
    fake_connection *self = run->connection;
    fake_run_give(run, "n", fake_store_number(self->config->store) + self->delta);
}

static void
do_setting(fake_run *run)
{
    run->connection->changed = true;
}

static void
do_changed(fake_run *run)
{
    fake_run_give(run, "changed", run->connection->changed);
}

static void
do_ok(fake_run *run)
{
    (void)run;
}

static const struct {
    const char *word;
    void (*run)(fake_run *run);
} words[] = {
    {"add", do_add},
    {"affected", do_affected},
    {"begin", fake_run_begin},
    {"changed", do_changed},
    {"columns", fake_run_columns},
    {"commit", fake_run_commit},
    {"deaf", do_deaf},
    {"delay", do_delay},
    {"echo", fake_run_echo},
    {"fail", do_fail},
    {"gain", do_gain},
    {"get", do_get},
    {"hang", do_hang},
    {"id", do_id},
    {"lose", do_lose},
    {"ok", do_ok},
    {"release", fake_run_release},
    {"rollback", fake_run_rollback},
    {"row", fake_run_row},
    {"rows", fake_run_rows},
    {"savepoint", fake_run_savepoint},
    {"setting", do_setting},
};

static void
do_word(fake_run *run)
{
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (dbal_sql_token_is(run->word, words[i].word)) {
            words[i].run(run);
            return;
        }
    }
    fake_run_fail(run, DBAL_ERROR_PROGRAMMING, "42601", "%.*s is not a word of the fake's",
                  (int)(run->word.size < 60 ? run->word.size : 60), run->word.start);
}

bool
fake_words_run(fake_run *run)
{
    while (!run->failed && !run->stopped) {
        run->word = next(run);
        if (run->word.kind == DBAL_SQL_END)
            break;
        if (run->word.kind != DBAL_SQL_SEMICOLON)
            do_word(run);
    }
    if (run->stopped && !run->failed && dbal_request_stopped(run->request))
        fake_run_fail(run, DBAL_ERROR_CANCELLED, "57014", "the statement was stopped");
    return !run->failed && (!run->stopped || dbal_request_satisfied(run->request));
}
