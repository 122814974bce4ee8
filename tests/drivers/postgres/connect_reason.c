#include <stdio.h>
#include <string.h>

#include "connect_fixture.h"
#include "dbal/error.h"
#include "drivers/postgres/reasons.h"

static dbal__postgres_reason reason;

static void
read_it(const char *message, const char *secret)
{
    const dbal__postgres_context context = {
        .name = "db.test", .address = "127.0.0.9", .secrets = {secret, NULL}};
    dbal__postgres_reason_read(&reason, message, &context);
}

static const struct {
    const char *message, *sqlstate, *text;
    bool passing;
    dbal_error_class error_class;
} known[] = {
    {"connection to server at \"h\", port 1 failed: FATAL:  28P01: password authentication failed "
     "for user \"u\"\nLOCATION:  auth_failed, auth.c:338\n",
     "28P01",
     "connection to server at \"h\", port 1 failed: FATAL:  password authentication failed for "
     "user \"u\"",
     false, DBAL_ERROR_OPERATIONAL},
    {"x failed: SCHWERWIEGEND:  57P03: das Datenbanksystem startet\n", "57P03",
     "x failed: SCHWERWIEGEND:  das Datenbanksystem startet", true, DBAL_ERROR_OPERATIONAL},
    {"FATAL:  53300: sorry, too many clients already", "53300",
     "FATAL:  sorry, too many clients already", true, DBAL_ERROR_OPERATIONAL},
    {"FATAL:  3D000: database \"x\" does not exist", "3D000",
     "FATAL:  database \"x\" does not exist", false, DBAL_ERROR_OPERATIONAL},
    {"FATAL:  22023: invalid value for parameter \"TimeZone\": \"x\"", "22023",
     "FATAL:  invalid value for parameter \"TimeZone\": \"x\"", false, DBAL_ERROR_OPERATIONAL},
    {"FATAL:  08P01: no such database: x", "08P01", "FATAL:  no such database: x", false,
     DBAL_ERROR_OPERATIONAL},
    {"FATAL:  08P01: no more connections allowed (max_client_conn)", "08P01",
     "FATAL:  no more connections allowed (max_client_conn)", true, DBAL_ERROR_OPERATIONAL},
    {"x failed: SSL error: certificate verify failed", "08001",
     "x failed: SSL error: certificate verify failed", false, DBAL_ERROR_OPERATIONAL},
    {"x failed: SSL error: unexpected eof while reading", "08001",
     "x failed: SSL error: unexpected eof while reading", true, DBAL_ERROR_OPERATIONAL},
    {"x failed: SSL SYSCALL error: EOF detected", "08001",
     "x failed: SSL SYSCALL error: EOF detected", true, DBAL_ERROR_OPERATIONAL},
    {"x failed: server does not support SSL, but SSL was required", "08001",
     "x failed: server does not support SSL, but SSL was required", false, DBAL_ERROR_OPERATIONAL},
    {"x failed: fe_sendauth: no password supplied", "28P01",
     "x failed: fe_sendauth: no password supplied", false, DBAL_ERROR_OPERATIONAL},
    {"invalid sslmode value: \"x\"", "", "invalid sslmode value: \"x\"", false,
     DBAL_ERROR_INTERFACE},
    {"x failed: Connection refused\n\tIs the server running?\n", "08001",
     "x failed: Connection refused", true, DBAL_ERROR_OPERATIONAL},
    {"one failed: FATAL:  28P01: wrong password\ntwo failed: FATAL:  28000: no entry, no "
     "encryption",
     "28P01", "one failed: FATAL:  wrong password two failed: FATAL:  no entry, no encryption",
     false, DBAL_ERROR_OPERATIONAL},
    {"one failed: FATAL:  28000: no entry\ntwo failed: FATAL:  28P01: wrong password", "28P01",
     "one failed: FATAL:  no entry two failed: FATAL:  wrong password", false,
     DBAL_ERROR_OPERATIONAL},
    {"connection to server at \"127.0.0.9\", port 1 failed: 127.0.0.9 \"127.0.0.99\"", "08001",
     "connection to server at \"db.test\" (127.0.0.9), port 1 failed: 127.0.0.9 \"127.0.0.99\"",
     true, DBAL_ERROR_OPERATIONAL},
    /* only what is said of a place counts, not what it is called */
    {"connection to server at \"certificate-db\" (127.0.0.1), port 1 failed: Connection refused",
     "08001",
     "connection to server at \"certificate-db\" (127.0.0.1), port 1 failed: Connection refused",
     true, DBAL_ERROR_OPERATIONAL},
    {"connection to server on socket \"/srv/service file/.s.PGSQL.1\" failed: No such file",
     "08001",
     "connection to server on socket \"/srv/service file/.s.PGSQL.1\" failed: No such file", true,
     DBAL_ERROR_OPERATIONAL},
    {"connection to server at \"SASL\", port 1 failed: private key too short", "08001",
     "connection to server at \"SASL\", port 1 failed: private key too short", false,
     DBAL_ERROR_OPERATIONAL},
    {"", "08001", "libpq does not say why", true, DBAL_ERROR_OPERATIONAL},
    /* no SQLSTATE is made of what only looks like one */
    {"x failed: a:  12345 is a number", "08001", "x failed: a:  12345 is a number", true,
     DBAL_ERROR_OPERATIONAL},
    /* what a terminal would stumble over */
    {"bad \x1b[31m\x80\xff\xc3\xa9\x7f bytes", "08001", "bad [31m??\xc3\xa9 bytes", true,
     DBAL_ERROR_OPERATIONAL},
};

/* two spaces behind a severity are one in the text */
static void
squeeze(const char *text, char *to)
{
    for (; *text != '\0'; text++)
        if (text[0] != ' ' || text[1] != ' ')
            *to++ = *text;
    *to = '\0';
}

START_TEST(messages)
{
    char text[512];
    squeeze(known[_i].text, text);
    read_it(known[_i].message, NULL);
    ck_assert_str_eq(reason.text, text);
    ck_assert_str_eq(reason.sqlstate, known[_i].sqlstate);
    ck_assert_msg(reason.passing == known[_i].passing, "%s", reason.text);
    ck_assert(reason.final == !reason.passing);
    ck_assert_int_eq(reason.error_class, known[_i].error_class);
}
END_TEST

START_TEST(detail_and_hint_are_apart)
{
    read_it("FATAL:  28000: no\nDETAIL:  what is\n behind it\nHINT:  try this\nLOCATION:  f, g:1\n",
            NULL);
    ck_assert_str_eq(reason.text, "FATAL: no");
    ck_assert_str_eq(reason.detail, "what is");
    ck_assert_str_eq(reason.hint, "try this");
    read_it("x failed: No such file\n\tIs the server running locally?\n", NULL);
    ck_assert_str_eq(reason.hint, "Is the server running locally?");
}
END_TEST

START_TEST(what_is_too_long_is_cut)
{
    char message[4000] = "FATAL:  53300: ";
    for (size_t i = strlen(message); i < sizeof message - 3; i += 2)
        memcpy(message + i, "\xc3\xa9", 3);
    read_it(message, NULL);
    size_t size = strlen(reason.text);
    ck_assert_uint_lt(size, sizeof reason.text);
    ck_assert_uint_gt(size, sizeof reason.text - 4);
    ck_assert_int_eq(reason.text[size - 1], '\xa9');
    ck_assert_str_eq(reason.sqlstate, "53300");
}
END_TEST

START_TEST(secrets_are_hidden)
{
    read_it("FATAL:  28P01: it is hush hush, not hush  hus, at hush\nDETAIL:  hush hush",
            "hush hush");
    ck_assert_str_eq(reason.text, "FATAL: it is ***, not hush hus, at hush");
    ck_assert_str_eq(reason.detail, "***");
    /* the beginning of one that would be cut is not told either */
    char message[1400];
    memset(message, 'x', sizeof message);
    strcpy(message + sizeof reason.text - 5, "topsecret");
    read_it(message, "topsecret");
    ck_assert_ptr_null(strstr(reason.text, "top"));
}
END_TEST

START_TEST(many_reasons)
{
    dbal__postgres_reasons reasons;
    dbal_fault fault = DBAL__FAULT_INIT;
    ck_assert(dbal__postgres_reasons_init(&reasons, &fault));
    for (int i = 0; i < 100; i++) {
        char message[700];
        snprintf(message, sizeof message, "attempt %d failed: %0500d", i, i);
        read_it(message, NULL);
        dbal__postgres_reasons_add(&reasons, &reason);
    }
    dbal__postgres_reasons_tell(&reasons, &fault);
    const char *said = dbal_error_message(fault.error);
    ck_assert_ptr_nonnull(strstr(said, "none of 100 attempts"));
    ck_assert_ptr_nonnull(strstr(said, "attempt 0 failed"));
    ck_assert_ptr_nonnull(strstr(said, "; …"));
    ck_assert_uint_lt(strlen(said), 9000);
    dbal__postgres_reasons_fini(&reasons);
    dbal_fault_clear(&fault);
}
END_TEST

static dbal_error *
told(const char *const *lines)
{
    dbal__postgres_reasons reasons;
    dbal_fault fault = DBAL__FAULT_INIT;
    ck_assert(dbal__postgres_reasons_init(&reasons, &fault));
    for (; *lines != NULL; lines++) {
        if (strcmp(*lines, "late") == 0)
            dbal__postgres_reason_set(&reason, DBAL_ERROR_TIMEOUT, "late");
        else
            read_it(*lines, NULL);
        dbal__postgres_reasons_add(&reasons, &reason);
    }
    dbal__postgres_reasons_tell(&reasons, &fault);
    dbal__postgres_reasons_fini(&reasons);
    return dbal__fault_take(&fault);
}

static const struct {
    const char *messages[4], *sqlstate;
    dbal_error_class error_class;
    bool retryable;
} mixed[] = {
    {{"Connection refused", "FATAL:  28P01: no"}, "28P01", DBAL_ERROR_OPERATIONAL, false},
    {{"Connection refused", "FATAL:  57P03: starting", "late"},
     "57P03",
     DBAL_ERROR_OPERATIONAL,
     true},
    {{"late", "late"}, "08001", DBAL_ERROR_TIMEOUT, true},
    {{"late", "Connection refused"}, "08001", DBAL_ERROR_OPERATIONAL, true},
};

START_TEST(one_speaks_for_all)
{
    dbal_error *error = told(mixed[_i].messages);
    ck_assert_str_eq(dbal_error_sqlstate(error), mixed[_i].sqlstate);
    ck_assert(dbal_error_is(error, mixed[_i].error_class));
    ck_assert(dbal_error_retryable(error) == mixed[_i].retryable);
    for (int i = 0; mixed[_i].messages[i] != NULL; i++) {
        const char *message = mixed[_i].messages[i], *text = strstr(message, ": ");
        ck_assert_ptr_nonnull(
            strstr(dbal_error_message(error), text != NULL ? strrchr(text, ' ') + 1 : message));
    }
    dbal_error_unref(error);
}
END_TEST

Suite *
connect_reason_suite(void)
{
    Suite *suite = suite_create("postgres reasons");
    TCase *tests = tcase_create("reason");
    tcase_add_loop_test(tests, messages, 0, sizeof known / sizeof known[0]);
    tcase_add_test(tests, detail_and_hint_are_apart);
    tcase_add_test(tests, what_is_too_long_is_cut);
    tcase_add_test(tests, secrets_are_hidden);
    tcase_add_test(tests, many_reasons);
    tcase_add_loop_test(tests, one_speaks_for_all, 0, sizeof mixed / sizeof mixed[0]);
    suite_add_tcase(suite, tests);
    return suite;
}
