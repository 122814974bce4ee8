/*
 * Errors without a server: libpq has no function to make one, so that its functions that read them
 * are the test's own.
 */
#include "drivers/postgres/failure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/postgres/answer.h"
#include "values.h"

/* what the server is supposed to have said */
static struct {
    const char *sqlstate, *severity, *message, *detail, *hint, *position;
    const char *constraint, *table, *column, *function;
    const char *whole;
    ExecStatusType status;
} said;

char *__wrap_PQresultErrorField(const PGresult *result, int code);
char *__wrap_PQresultErrorMessage(const PGresult *result);
ExecStatusType __wrap_PQresultStatus(const PGresult *result);

char *
__wrap_PQresultErrorField(const PGresult *result, int code)
{
    (void)result;
    switch (code) {
    case PG_DIAG_SQLSTATE:
        return (char *)said.sqlstate;
    case PG_DIAG_SEVERITY_NONLOCALIZED:
        return (char *)said.severity;
    case PG_DIAG_MESSAGE_PRIMARY:
        return (char *)said.message;
    case PG_DIAG_MESSAGE_DETAIL:
        return (char *)said.detail;
    case PG_DIAG_MESSAGE_HINT:
        return (char *)said.hint;
    case PG_DIAG_STATEMENT_POSITION:
        return (char *)said.position;
    case PG_DIAG_CONSTRAINT_NAME:
        return (char *)said.constraint;
    case PG_DIAG_TABLE_NAME:
        return (char *)said.table;
    case PG_DIAG_COLUMN_NAME:
        return (char *)said.column;
    case PG_DIAG_SOURCE_FUNCTION:
        return (char *)said.function;
    default:
        return NULL;
    }
}

char *
__wrap_PQresultErrorMessage(const PGresult *result)
{
    (void)result;
    return (char *)(said.whole != NULL ? said.whole : "");
}

ExecStatusType
__wrap_PQresultStatus(const PGresult *result)
{
    (void)result;
    return said.status;
}

/* how often a parameter was looked at */
static size_t values_asked;

dbal_value __real_dbal_request_parameter(const dbal_request *request, size_t index);
dbal_value __wrap_dbal_request_parameter(const dbal_request *request, size_t index);

dbal_value
__wrap_dbal_request_parameter(const dbal_request *request, size_t index)
{
    values_asked++;
    return __real_dbal_request_parameter(request, index);
}

static asked a;

static void
setup(void)
{
    memset(&said, 0, sizeof said);
    said.severity = "ERROR";
    said.function = "ProcessInterrupts";
    said.status = PGRES_FATAL_ERROR;
    asked_init(&a, "select 1", DBAL_NO_PARAMS);
}

static void
teardown(void)
{
    asked_fini(&a);
}

/* the error of a request with these parameters */
static const dbal_error *
fail_with(const char *sql, dbal_params params)
{
    PGresult *result = PQmakeEmptyPGresult(NULL, PGRES_FATAL_ERROR);
    asked_fini(&a);
    asked_init(&a, sql, params);
    dbal__postgres_failure_of(&a.fault, result, &a.request);
    PQclear(result);
    ck_assert(dbal_fault_is_set(&a.fault));
    return a.fault.error;
}

static const dbal_error *
failed(void)
{
    return fail_with("select 1", DBAL_NO_PARAMS);
}

START_TEST(classes)
{
    static const struct {
        const char *sqlstate;
        dbal_error_class error_class;
    } table[] = {
        {"22P02", DBAL_ERROR_DATA},        {"23505", DBAL_ERROR_INTEGRITY},
        {"44000", DBAL_ERROR_INTEGRITY},   {"0A000", DBAL_ERROR_NOT_SUPPORTED},
        {"42601", DBAL_ERROR_PROGRAMMING}, {"42501", DBAL_ERROR_PROGRAMMING},
        {"P0001", DBAL_ERROR_PROGRAMMING}, {"26000", DBAL_ERROR_PROGRAMMING},
        {"34000", DBAL_ERROR_PROGRAMMING}, {"3D000", DBAL_ERROR_PROGRAMMING},
        {"25P02", DBAL_ERROR_INTERNAL},    {"25001", DBAL_ERROR_INTERNAL},
        {"XX000", DBAL_ERROR_INTERNAL},    {"2D000", DBAL_ERROR_INTERNAL},
        {"25006", DBAL_ERROR_OPERATIONAL}, {"25P03", DBAL_ERROR_OPERATIONAL},
        {"08006", DBAL_ERROR_OPERATIONAL}, {"28P01", DBAL_ERROR_OPERATIONAL},
        {"40001", DBAL_ERROR_OPERATIONAL}, {"53300", DBAL_ERROR_OPERATIONAL},
        {"54000", DBAL_ERROR_OPERATIONAL}, {"55P03", DBAL_ERROR_OPERATIONAL},
        {"57014", DBAL_ERROR_OPERATIONAL}, {"58030", DBAL_ERROR_OPERATIONAL},
        {"2F002", DBAL_ERROR_OPERATIONAL}, {"HV000", DBAL_ERROR_OPERATIONAL},
        {"F0000", DBAL_ERROR_OPERATIONAL}, {"ZZZZZ", DBAL_ERROR_OPERATIONAL},
        {"", DBAL_ERROR_OPERATIONAL},      {NULL, DBAL_ERROR_OPERATIONAL},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        ck_assert_msg(dbal__postgres_failure_class(table[i].sqlstate) == table[i].error_class, "%s",
                      table[i].sqlstate);
}
END_TEST

START_TEST(all_that_is_said_is_told)
{
    said.sqlstate = "42703";
    said.message = "column \"nme\" does not exist";
    said.detail = "d";
    said.hint = "Perhaps you meant \"name\".";
    const dbal_error *e = failed();
    ck_assert_int_eq(dbal_error_kind(e), DBAL_ERROR_PROGRAMMING);
    ck_assert_str_eq(dbal_error_sqlstate(e), "42703");
    ck_assert_str_eq(dbal_error_message(e), said.message);
    ck_assert_str_eq(dbal_error_detail(e), "d");
    ck_assert_str_eq(dbal_error_hint(e), said.hint);
    ck_assert_ptr_null(dbal_error_constraint(e));
    ck_assert_int_eq(dbal_error_execution(e), DBAL_EXECUTION_FAILED);
    ck_assert(!dbal_error_connection_lost(e));
    ck_assert(!dbal_error_retryable(e));
}
END_TEST

START_TEST(positions_are_bytes)
{
    static const struct {
        const char *position;
        int byte;
    } table[] = {{"1", 1},  {"8", 8}, {"9", 9},  {"10", 11}, {"11", 15},         {"12", 16},
                 {"14", 0}, {"0", 0}, {"-1", 0}, {"x", 0},   {"99999999999", 0}, {NULL, 0}};
    said.sqlstate = "42601";
    said.message = "syntax error";
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        said.position = table[i].position;
        /*                                1234567 8 9 10 11 12 */
        const dbal_error *e = fail_with("select 'é🌍'", DBAL_NO_PARAMS);
        ck_assert_msg(dbal_error_position(e) == table[i].byte, "%s: %d", table[i].position,
                      dbal_error_position(e));
    }
    dbal_fault_clear(&a.fault);
    said.position = "3";
    dbal__postgres_failure(&a.fault, (const PGresult *)&said, NULL);
    ck_assert_int_eq(dbal_error_position(a.fault.error), 0);
}
END_TEST

START_TEST(a_violated_constraint_is_named_without_the_row)
{
    said.sqlstate = "23505";
    said.message = "duplicate key value violates unique constraint \"k\"";
    said.detail = "Key (a, b)=(5, secret (x)) already exists.";
    said.table = "t";
    said.constraint = "k";
    const dbal_error *e = failed();
    ck_assert_int_eq(dbal_error_kind(e), DBAL_ERROR_INTEGRITY);
    ck_assert_str_eq(dbal_error_constraint(e), "k");
    ck_assert_str_eq(dbal_error_detail(e), "Key (a, b)=(…) already exists.");

    said.sqlstate = "23502";
    said.message = "null value in column \"a\" of relation \"t\" violates not-null constraint";
    said.detail = "Failing row contains (secret, null).";
    said.constraint = NULL;
    said.column = "a";
    e = failed();
    ck_assert_str_eq(dbal_error_constraint(e), "t.a");
    ck_assert_ptr_null(dbal_error_detail(e));
    said.detail = "Fehlgeschlagene Zeile enthält (secret, )=(.";
    ck_assert(dbal_error_detail(failed()) == NULL ||
              strstr(dbal_error_detail(failed()), "secret") == NULL);
}
END_TEST

START_TEST(parameters_are_left_out)
{
    static const char *const elements[] = {"one", NULL, "two"};
    said.sqlstate = "22P02";
    said.message = "invalid input syntax for type integer: \"se\"cret\"";
    const dbal_error *e = fail_with("select $1::int", DBAL_PARAMS(dbal_text("se\"cret")));
    ck_assert_str_eq(dbal_error_message(e), "invalid input syntax for type integer: \"…\"");
    said.message = "invalid input syntax for type uuid: \"two\"";
    e = fail_with("select $1::uuid[]", DBAL_PARAMS(dbal_int64(1), dbal_array_text(elements, 3)));
    ck_assert_str_eq(dbal_error_message(e), "invalid input syntax for type uuid: \"…\"");
    /* a part of one */
    said.message = "invalid input syntax for type json";
    said.detail = "Token \"hunter2\" is invalid.";
    e = fail_with("select $1", DBAL_PARAMS(dbal_json("{\"pass\": hunter2}")));
    ck_assert_str_eq(dbal_error_message(e), said.message);
    ck_assert_str_eq(dbal_error_detail(e), "Token \"…\" is invalid.");
    /* the longest of those that begin alike */
    said.detail = NULL;
    said.message = "value \"12345\" is out of range for type smallint";
    e = fail_with("select $1, $2", DBAL_PARAMS(dbal_text("12"), dbal_numeric("12345")));
    ck_assert_str_eq(dbal_error_message(e), "value \"…\" is out of range for type smallint");
    said.message = "date field value out of range: 4711-13-45";
    e = fail_with("select make_date($1, $2, 45)", DBAL_PARAMS(dbal_int64(4711), dbal_int64(13)));
    ck_assert_str_eq(dbal_error_message(e), "date field value out of range: …-…-45");
}
END_TEST

START_TEST(words_are_no_parameters)
{
    said.sqlstate = "22P02";
    said.message = "invalid input syntax for type integer: \"x\"";
    const dbal_error *e = fail_with("select $1::int", DBAL_PARAMS(dbal_text("in"), dbal_text("")));
    ck_assert_str_eq(dbal_error_message(e), said.message);
    /* what has a place is the SQL's own text */
    said.position = "8";
    e = fail_with("select 'x'::int, $1", DBAL_PARAMS(dbal_text("x")));
    ck_assert_str_eq(dbal_error_message(e), said.message);
    e = fail_with("select 'x'::int", DBAL_NO_PARAMS);
    ck_assert_str_eq(dbal_error_message(e), said.message);
}
END_TEST

START_TEST(long_messages_are_cut_between_characters)
{
    static char text[10000];
    memset(text, 'a', sizeof text - 1);
    for (size_t shift = 0; shift < 3; shift++) {
        for (size_t i = shift; i + 2 < sizeof text - 1; i += 2)
            memcpy(text + i, "é", 2);
        said.sqlstate = "22000";
        said.message = text;
        const char *message = dbal_error_message(failed());
        size_t size = strlen(message);
        ck_assert_uint_lt(size, 3000);
        ck_assert_str_eq(message + size - 3, "…");
        ck_assert(((unsigned char)message[size - 4] & 0x80) == 0 ||
                  strncmp(message + size - 5, "é", 2) == 0);
        message = dbal_error_message(fail_with("select $1", DBAL_PARAMS(dbal_text("zzz"))));
        ck_assert_uint_lt(strlen(message), 3000);
    }
}
END_TEST

START_TEST(what_may_be_run_again)
{
    static const struct {
        const char *sqlstate;
        bool retryable;
    } table[] = {{"40001", true},  {"40P01", true},  {"55P03", true},
                 {"40003", false}, {"23505", false}, {"57014", false}};
    said.message = "m";
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        said.sqlstate = table[i].sqlstate;
        ck_assert_msg(dbal_error_retryable(failed()) == table[i].retryable, "%s", said.sqlstate);
    }
    said.sqlstate = "40003";
    ck_assert_int_eq(dbal_error_execution(failed()), DBAL_EXECUTION_UNKNOWN);
}
END_TEST

START_TEST(a_last_word_is_one)
{
    said.sqlstate = "57P01";
    said.severity = "FATAL";
    said.message = "terminating connection due to administrator command";
    const dbal_error *e = failed();
    ck_assert_int_eq(dbal_error_kind(e), DBAL_ERROR_OPERATIONAL);
    ck_assert(dbal_error_connection_lost(e));
    ck_assert_int_eq(dbal_error_execution(e), DBAL_EXECUTION_UNKNOWN);
    ck_assert(!dbal_error_retryable(e));
    /* another server, reached from this one, is not this connection */
    said.sqlstate = "08001";
    said.severity = "ERROR";
    ck_assert(!dbal_error_connection_lost(failed()));
    /* what is said in between, which has no source to name, is: the server may go on with it */
    said.sqlstate = "08P01";
    said.severity = said.function = NULL;
    e = failed();
    ck_assert(dbal_error_connection_lost(e));
    ck_assert_int_eq(dbal_error_execution(e), DBAL_EXECUTION_UNKNOWN);
}
END_TEST

START_TEST(libpq_has_no_sqlstate)
{
    said.sqlstate = NULL;
    said.whole = "server closed the connection unexpectedly\n\tThis probably means …\n";
    const dbal_error *e = failed();
    ck_assert_str_eq(dbal_error_sqlstate(e), "08006");
    ck_assert_str_eq(dbal_error_message(e),
                     "server closed the connection unexpectedly\n\tThis probably means …");
    ck_assert(dbal_error_connection_lost(e));
    ck_assert_int_eq(dbal_error_execution(e), DBAL_EXECUTION_UNKNOWN);
    said.status = PGRES_PIPELINE_ABORTED;
    e = failed();
    ck_assert_str_eq(dbal_error_sqlstate(e), "25P02");
    ck_assert(!dbal_error_connection_lost(e));
    dbal_fault_clear(&a.fault);
    dbal__postgres_failure(&a.fault, NULL, "select 1");
    ck_assert_int_eq(dbal_error_kind(a.fault.error), DBAL_ERROR_NO_MEMORY);
}
END_TEST

/* what is told of a statement that was sent by the name dbal_3, or by none */
START_TEST(a_name_that_the_server_does_not_know)
{
    static const struct {
        const char *message;
        unsigned named;
        bool stale;
    } table[] = {
        {"prepared statement \"dbal_3\" does not exist", 3, true},
        {"vorbereitete Anweisung »dbal_3« existiert nicht", 3, true},
        {"l'instruction préparée « dbal_3 » n'existe pas", 3, true},
        {"プリペアド文\"dbal_3\"は存在しません", 3, true},
        {"prepared statement \"dbal_31\" does not exist", 3, false},
        {"prepared statement \"nosuch\" does not exist", 3, false},
        {"prepared statement \"dbal_3\" does not exist", 0, false},
        {NULL, 3, false},
    };
    dbal__postgres_statement statement = {.number = 3, .prepared = DBAL__POSTGRES_PREPARED};
    PGresult *result = PQmakeEmptyPGresult(NULL, PGRES_FATAL_ERROR);
    said.sqlstate = "26000";
    said.function = "FetchPreparedStatement";
    for (size_t i = 0; i < 2 * sizeof table / sizeof table[0]; i++) {
        dbal__postgres_answer answer = {.rest = NULL};
        dbal__postgres_expected item = {.reply = DBAL__POSTGRES_REPLY_QUERY,
                                        .request = &a.request,
                                        .fault = &a.fault,
                                        .statement = &statement,
                                        .named = table[i / 2].named,
                                        .in_transaction = i % 2 != 0};
        said.message = table[i / 2].message;
        ck_assert(dbal__postgres_answer_error(&answer, &item, result));
        ck_assert_msg(item.again == (table[i / 2].stale && !item.in_transaction), "%s",
                      said.message);
        /* a transaction that has failed may not have come to what would have prepared it */
        ck_assert_str_eq(dbal_error_sqlstate(a.fault.error),
                         table[i / 2].stale && item.in_transaction ? "25P02" : "26000");
        dbal_fault_clear(&a.fault);
    }
    PQclear(result);
}
END_TEST

/* however many parameters there are, the loop must not stand still over an error */
START_TEST(many_secrets_are_gone_through_once)
{
    enum { MANY = 60000 };
    dbal_value *values = calloc(MANY, sizeof *values);
    ck_assert_ptr_nonnull(values);
    for (int i = 0; i < MANY; i++)
        values[i] = dbal_text(i == MANY / 2 ? "secret" : "none");
    said.sqlstate = "23505";
    said.message = "a message of some length, which shows a secret once, or \"secret\" twice";
    values_asked = 0;
    const dbal_error *e = fail_with("select 1", (dbal_params){MANY, values});
    ck_assert_str_eq(dbal_error_message(e),
                     "a message of some length, which shows a … once, or \"…\" twice");
    ck_assert_uint_gt(values_asked, MANY / 2);
    ck_assert_uint_le(values_asked, 2 * MANY);
    free(values);
}
END_TEST

/* one behind the other, further than is looked at in one go */
START_TEST(secrets_in_a_long_text)
{
    static char text[4096], wanted[4096];
    size_t at = 0, to = 0;
    for (int i = 0; i < 150; i++) {
        at += (size_t)sprintf(text + at, "secret-%d ", i % 2);
        to += (size_t)sprintf(wanted + to, "%s ", i % 2 == 0 ? "…" : "secret-1");
    }
    said.sqlstate = "23505";
    said.message = text;
    dbal_params params = DBAL_PARAMS(dbal_text("secret-0"), dbal_text("ecret-1"));
    ck_assert_str_eq(dbal_error_message(fail_with("select 1", params)), wanted);
}
END_TEST

Suite *
failure_suite(void)
{
    Suite *suite = suite_create("postgres failure");
    suite_add(suite, classes, setup, teardown);
    suite_add(suite, all_that_is_said_is_told, setup, teardown);
    suite_add(suite, positions_are_bytes, setup, teardown);
    suite_add(suite, a_violated_constraint_is_named_without_the_row, setup, teardown);
    suite_add(suite, parameters_are_left_out, setup, teardown);
    suite_add(suite, words_are_no_parameters, setup, teardown);
    suite_add(suite, long_messages_are_cut_between_characters, setup, teardown);
    suite_add(suite, what_may_be_run_again, setup, teardown);
    suite_add(suite, a_last_word_is_one, setup, teardown);
    suite_add(suite, a_name_that_the_server_does_not_know, setup, teardown);
    suite_add(suite, libpq_has_no_sqlstate, setup, teardown);
    suite_add(suite, many_secrets_are_gone_through_once, setup, teardown);
    suite_add(suite, secrets_in_a_long_text, setup, teardown);
    return suite;
}
