#include "reason.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { SECRET_LEAST = 4 };

/* ---- what a SQLSTATE means ----------------------------------------------------------------------- */

/* PgBouncer says all it has to say with 08P01, and never in another language. */
static const char *const pooler_refuses[] = {"no such database",
                                             "no such user",
                                             "unsupported startup parameter",
                                             "not allowed",
                                             "password authentication",
                                             "authentication failed",
                                             "SSL required",
                                             NULL};

/* libpq's own, without a SQLSTATE, that no other attempt would change. */
static const char *const settings_wrong[] = {"invalid connection option",
                                             "invalid port number",
                                             "invalid integer value",
                                             "value: \"",
                                             "definition of service",
                                             "service file",
                                             "could not match",
                                             "could not parse network",
                                             "missing \"=\"",
                                             "is too long (maximum",
                                             "nested service",
                                             "conflicts with",
                                             "weak sslmode",
                                             "not compiled in",
                                             NULL};
static const char *const never_passes[] = {"certificate",
                                           "private key",
                                           "does not support SSL",
                                           "does not support GSSAPI",
                                           "channel binding",
                                           "SCRAM",
                                           "SASL",
                                           "authentication method",
                                           "requirepeer",
                                           "peer user name",
                                           "SSL error",
                                           "SSL library",
                                           "verified SSL",
                                           "SSL context",
                                           "no password",
                                           NULL};

static bool
has_any(const char *text, const char *const *words)
{
    while (*words != NULL && strstr(text, *words) == NULL)
        words++;
    return *words != NULL;
}

static bool
is_passing(const char *sqlstate, const char *text)
{
    static const char *const classes[] = {"08", "53", "57", "58", "XX", "40", NULL};
    for (const char *const *one = classes; *one != NULL; one++)
        if (strncmp(sqlstate, *one, 2) == 0)
            return strcmp(sqlstate, "08P01") != 0 || !has_any(text, pooler_refuses);
    return false;
}

/* ---- one line of it ------------------------------------------------------------------------------ */

typedef struct writer {
    char *to;
    size_t used, room;
    const dbal__postgres_context *context;
} writer;

static bool
begins(const char *text, const char *end, const char *word)
{
    size_t size = strlen(word);
    return (size_t)(end - text) >= size && memcmp(text, word, size) == 0;
}

/* Bytes of the secret that stands here; 0: none does. */
static size_t
secret_size(const writer *out, const char *text, const char *end)
{
    for (int i = 0; out->context != NULL && out->context->secrets[i] != NULL; i++) {
        const char *secret = out->context->secrets[i];
        if (strlen(secret) >= SECRET_LEAST && begins(text, end, secret))
            return strlen(secret);
    }
    return 0;
}

/* Bytes of the quoted address that stands here, when its name is to be said too; 0: none does. */
static size_t
address_size(const writer *out, const char *text, const char *end)
{
    const dbal__postgres_context *context = out->context;
    if (*text != '"' || context == NULL || context->name == NULL ||
        !begins(text + 1, end, context->address))
        return 0;
    size_t size = strlen(context->address) + 2;
    return size <= (size_t)(end - text) && text[size - 1] == '"' ? size : 0;
}

/* Bytes up to the end of the UTF-8 character that begins here; 1 where there is none. */
static size_t
character_size(const char *text, const char *end)
{
    unsigned char first = (unsigned char)*text;
    size_t size = first >= 0xf0 && first < 0xf5 ? 4 : first >= 0xe0 ? 3 : first >= 0xc2 ? 2 : 1;
    if (first >= 0xf5 || first < 0x80 || size > (size_t)(end - text))
        return 1;
    for (size_t i = 1; i < size; i++)
        if (((unsigned char)text[i] & 0xc0) != 0x80)
            return 1;
    return size;
}

static void
write_one(writer *out, const char *text, size_t size)
{
    unsigned char first = (unsigned char)*text;
    if (out->used + size >= out->room)
        out->room = out->used; /* full: nothing behind it either */
    else if (first <= ' ' || first == 0x7f)
        out->to[out->used++] = ' ';
    else if (size == 1 && first >= 0x80)
        out->to[out->used++] = '?';
    else
        out->used = (size_t)((char *)mempcpy(out->to + out->used, text, size) - out->to);
}

static void
write_word(writer *out, const char *word)
{
    for (size_t size; *word != '\0'; word += size)
        write_one(out, word, size = character_size(word, word + strlen(word)));
}

/* What stands for something else; how many bytes that has. */
static size_t
write_instead(writer *out, const char *text, const char *end)
{
    size_t size = secret_size(out, text, end);
    if (size != 0) {
        write_word(out, "***");
        return size;
    }
    size = address_size(out, text, end);
    if (size != 0) {
        write_word(out, "\"");
        write_word(out, out->context->name);
        write_word(out, "\" (");
        write_word(out, out->context->address);
        write_word(out, ")");
    }
    return size;
}

/* What a terminal or a log would stumble over becomes a space or `?`. */
static void
write_bytes(writer *out, const char *text, const char *end)
{
    while (text < end && out->used < out->room) {
        size_t size = write_instead(out, text, end);
        if (size == 0) {
            size = character_size(text, end);
            bool blank = (unsigned char)*text <= ' ';
            if (!blank || (out->used > 0 && out->to[out->used - 1] != ' '))
                write_one(out, text, size);
        }
        text += size;
    }
}

static void
write_end(writer *out)
{
    while (out->used > 0 && out->to[out->used - 1] == ' ')
        out->used--;
    out->to[out->used] = '\0';
}

static void
copy_line(char *to, size_t room, const dbal__postgres_context *context, const char *text,
          const char *end)
{
    writer out = {to, 0, room, context};
    write_bytes(&out, text, end);
    write_end(&out);
}

/* ---- libpq's message ----------------------------------------------------------------------------- */

/* `FATAL:  28P01: text`, whatever the server's language makes of FATAL. */
static const char *
find_sqlstate(const char *line, const char *end)
{
    for (const char *at = line; at + 10 <= end; at++) {
        if (memcmp(at, ":  ", 3) != 0)
            continue;
        size_t size = strspn(at + 3, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ");
        if (size == 5 && at + 10 <= end && at[8] == ':' && at[9] == ' ')
            return at + 3;
    }
    return NULL;
}

/*
 * With sslmode=prefer a server is asked twice, and both answers are in the message. The last one
 * counts, but that a password is wrong says more than that a way in without TLS is not allowed.
 */
static void
take_sqlstate(dbal__postgres_reason *reason, const char *sqlstate)
{
    if (strcmp(reason->sqlstate, "28P01") == 0)
        return;
    memcpy(reason->sqlstate, sqlstate, 5);
    reason->sqlstate[5] = '\0';
}

/* A line of the message's text; the SQLSTATE goes where it belongs. */
static void
read_text(dbal__postgres_reason *reason, writer *out, const char *line, const char *end)
{
    const char *sqlstate = find_sqlstate(line, end);
    static const char comma[] = "; ";
    if (out->used > 0)
        write_bytes(out, comma + !begins(line, end, "connection to server"), comma + 2);
    if (sqlstate != NULL) {
        take_sqlstate(reason, sqlstate);
        write_bytes(out, line, sqlstate);
        line = sqlstate + 7;
    }
    write_bytes(out, line, end);
}

/* `behind`: behind the text of a message, until the next one begins. */
static void
read_line(dbal__postgres_reason *reason, writer *out, const char *line, const char *end,
          bool *behind)
{
    if (begins(line, end, "connection to server"))
        *behind = false;
    if (begins(line, end, "DETAIL:  "))
        copy_line(reason->detail, sizeof reason->detail, out->context, line + 9, end);
    else if (begins(line, end, "HINT:  "))
        copy_line(reason->hint, sizeof reason->hint, out->context, line + 7, end);
    else if (begins(line, end, "\tIs the server running"))
        copy_line(reason->hint, sizeof reason->hint, out->context, line, end);
    else if (!begins(line, end, "LOCATION:  ")) {
        if (!*behind && line < end)
            read_text(reason, out, line, end);
        return;
    }
    *behind = true;
}

/* Where libpq went is not to be judged: a name may be made of any words. */
static void
drop_places(char *to, const char *text)
{
    static const char place[] = "connection to server ", end[] = " failed: ";
    const char *at, *behind;
    for (; (at = strstr(text, place)) != NULL && (behind = strstr(at, end)) != NULL;
         text = behind + strlen(end))
        to = mempcpy(to, text, (size_t)(at - text));
    strcpy(to, text);
}

static void
judge(dbal__postgres_reason *reason)
{
    static const char *const unfit[] = {"session is read-only", "session is not read-only",
                                        "server is in hot standby mode",
                                        "server is not in hot standby mode", NULL};
    char said[sizeof reason->text];
    drop_places(said, reason->text);
    if (reason->sqlstate[0] != '\0') {
        reason->passing = is_passing(reason->sqlstate, said);
    } else if (has_any(said, settings_wrong)) {
        reason->error_class = DBAL_ERROR_INTERFACE;
        reason->passing = false;
    } else {
        reason->unfit = has_any(said, unfit);
        reason->passing = !has_any(said, never_passes) || strstr(said, "unexpected eof") != NULL;
        strcpy(reason->sqlstate, strstr(said, "no password") != NULL ? "28P01" : "08001");
    }
    reason->final = !reason->passing;
}

void
dbal__postgres_reason_read(dbal__postgres_reason *reason, const char *message,
                           const dbal__postgres_context *context)
{
    *reason = (dbal__postgres_reason){.error_class = DBAL_ERROR_OPERATIONAL};
    writer out = {reason->text, 0, sizeof reason->text, context};
    const char *line = message != NULL ? message : "";
    bool behind = false;
    while (*line != '\0') {
        const char *end = line + strcspn(line, "\n");
        read_line(reason, &out, line, end, &behind);
        line = *end != '\0' ? end + 1 : end;
    }
    write_end(&out);
    if (out.used == 0)
        strcpy(reason->text, "libpq does not say why");
    judge(reason);
}

void
dbal__postgres_reason_set(dbal__postgres_reason *reason, dbal_error_class error_class,
                          const char *format, ...)
{
    char text[DBAL__POSTGRES_REASON];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    *reason = (dbal__postgres_reason){.error_class = error_class, .passing = true};
    copy_line(reason->text, sizeof reason->text, NULL, text, text + strlen(text));
    strcpy(reason->sqlstate, "08001");
}
