#include "notice.h"

#include <stdio.h>
#include <string.h>

#include <dbal/driver.h>

/* libpq's older servers, and libpq itself, have no severity that is not translated. */
static const char *
field(const PGresult *result, int code, int otherwise)
{
    const char *text = PQresultErrorField(result, code);
    if (text == NULL && otherwise != 0)
        text = PQresultErrorField(result, otherwise);
    return text != NULL ? text : "";
}

static size_t
cut(const char *text)
{
    size_t size = strnlen(text, DBAL__POSTGRES_NOTICE_TEXT);
    while (text[size] != '\0' && size > 0 && ((unsigned char)text[size] & 0xc0) == 0x80)
        size--;
    return size;
}

static void
free_first(dbal__postgres_notices *notices)
{
    dbal_driver_free(notices->ring[notices->first].text);
    notices->first = (notices->first + 1) % DBAL__POSTGRES_NOTICES;
    notices->count--;
}

static void
note_end(dbal__postgres_notices *notices, const char *severity, const char *sqlstate,
         const char *text)
{
    if (strcmp(severity, "FATAL") != 0 && strcmp(severity, "PANIC") != 0 &&
        strncmp(sqlstate, "57P", 3) != 0)
        return;
    snprintf(notices->end_sqlstate, sizeof notices->end_sqlstate, "%s", sqlstate);
    snprintf(notices->end_text, sizeof notices->end_text, "%.*s", (int)cut(text), text);
}

/* Inside libpq: only copies. */
static void
receive(void *arg, const PGresult *result)
{
    dbal__postgres_notices *notices = arg;
    const char *severity = field(result, PG_DIAG_SEVERITY_NONLOCALIZED, PG_DIAG_SEVERITY);
    const char *sqlstate = field(result, PG_DIAG_SQLSTATE, 0);
    const char *text = field(result, PG_DIAG_MESSAGE_PRIMARY, 0);
    note_end(notices, severity, sqlstate, text);
    notices->confused = notices->confused || sqlstate[0] == '\0'; /* a server's has one */
    size_t size = cut(text);
    char *copy = dbal_driver_alloc(size + 1);
    if (copy == NULL) {
        notices->dropped++;
        return;
    }
    memcpy(copy, text, size);
    if (notices->count == DBAL__POSTGRES_NOTICES) {
        free_first(notices);
        notices->dropped++;
    }
    int at = (notices->first + notices->count++) % DBAL__POSTGRES_NOTICES;
    dbal__postgres_notice *one = &notices->ring[at];
    one->text = copy;
    snprintf(one->severity, sizeof one->severity, "%s", severity);
    snprintf(one->sqlstate, sizeof one->sqlstate, "%s", sqlstate);
}

static void
ignore(void *arg, const PGresult *result)
{
    (void)arg, (void)result;
}

void
dbal__postgres_notices_receive(dbal__postgres_notices *notices, PGconn *conn)
{
    PQsetNoticeReceiver(conn, notices != NULL ? receive : ignore, notices);
}

bool
dbal__postgres_notices_take(dbal__postgres_notices *notices, dbal__postgres_notice *ret_notice)
{
    if (notices->count == 0)
        return false;
    *ret_notice = notices->ring[notices->first];
    notices->ring[notices->first].text = NULL;
    free_first(notices);
    return true;
}

void
dbal__postgres_notices_fini(dbal__postgres_notices *notices)
{
    while (notices->count > 0)
        free_first(notices);
}
