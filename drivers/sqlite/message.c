#include "message.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The first whose words are in the message. */
static const struct {
    const char *words;
    dbal__sqlite_message message;
} known[] = {
    {"syntax error", {DBAL_ERROR_PROGRAMMING, "42601"}},
    {"unrecognized token", {DBAL_ERROR_PROGRAMMING, "42601"}},
    {"incomplete input", {DBAL_ERROR_PROGRAMMING, "42601"}},
    {"no such table", {DBAL_ERROR_PROGRAMMING, "42P01"}},
    {"no such view", {DBAL_ERROR_PROGRAMMING, "42P01"}},
    {"no such column", {DBAL_ERROR_PROGRAMMING, "42703"}},
    {"has no column named", {DBAL_ERROR_PROGRAMMING, "42703"}},
    {"unknown column", {DBAL_ERROR_PROGRAMMING, "42703"}},
    {"no such function", {DBAL_ERROR_PROGRAMMING, "42883"}},
    {"wrong number of arguments", {DBAL_ERROR_PROGRAMMING, "42883"}},
    {"ambiguous column name", {DBAL_ERROR_PROGRAMMING, "42702"}},
    {"no such savepoint", {DBAL_ERROR_PROGRAMMING, "3B001"}},
    {"no such index", {DBAL_ERROR_PROGRAMMING, "42704"}},
    {"no such trigger", {DBAL_ERROR_PROGRAMMING, "42704"}},
    {"no such collation", {DBAL_ERROR_PROGRAMMING, "42704"}},
    {"no such module", {DBAL_ERROR_PROGRAMMING, "42704"}},
    {"no such database", {DBAL_ERROR_PROGRAMMING, "3D000"}},
    {"unknown database", {DBAL_ERROR_PROGRAMMING, "3D000"}},
    {"already in use", {DBAL_ERROR_PROGRAMMING, "42P04"}},
    {"already exists", {DBAL_ERROR_PROGRAMMING, "42P07"}},
    {"already another table or index", {DBAL_ERROR_PROGRAMMING, "42P07"}},
    {"duplicate column name", {DBAL_ERROR_PROGRAMMING, "42701"}},
    {"misuse of aggregate", {DBAL_ERROR_PROGRAMMING, "42803"}},
    {"foreign key mismatch", {DBAL_ERROR_PROGRAMMING, "42830"}},
    {"because it is a view", {DBAL_ERROR_PROGRAMMING, "42809"}},
    {"may not be modified", {DBAL_ERROR_PROGRAMMING, "42501"}},
    {"unsafe use of", {DBAL_ERROR_PROGRAMMING, "42501"}},
    {"prohibited", {DBAL_ERROR_PROGRAMMING, "42501"}},
    {"not authorized", {DBAL_ERROR_PROGRAMMING, "42501"}},
    {"reserved for internal use", {DBAL_ERROR_PROGRAMMING, "42939"}},
    {"too many columns", {DBAL_ERROR_PROGRAMMING, "54011"}},
    {"too many SQL variables", {DBAL_ERROR_PROGRAMMING, "54023"}},
    {"too many arguments on function", {DBAL_ERROR_PROGRAMMING, "54023"}},
    {"too many terms in compound", {DBAL_ERROR_PROGRAMMING, "54001"}},
    {"too many levels of trigger", {DBAL_ERROR_PROGRAMMING, "54001"}},
    {"too many attached databases", {DBAL_ERROR_PROGRAMMING, "54000"}},
    {"too large", {DBAL_ERROR_PROGRAMMING, "54001"}},
    {"stack overflow", {DBAL_ERROR_PROGRAMMING, "54001"}},
    {"within a transaction", {DBAL_ERROR_PROGRAMMING, "25001"}},
    {"from within a transaction", {DBAL_ERROR_PROGRAMMING, "25001"}},
    {"no transaction is active", {DBAL_ERROR_PROGRAMMING, "25P01"}},
    {"integer overflow", {DBAL_ERROR_DATA, "22003"}},
    {"malformed JSON", {DBAL_ERROR_DATA, "22032"}},
    {"JSON cannot hold BLOB", {DBAL_ERROR_DATA, "22032"}},
    {"JSON path", {DBAL_ERROR_DATA, "22033"}},
    {"ESCAPE expression", {DBAL_ERROR_DATA, "22019"}},
    {"pattern too complex", {DBAL_ERROR_DATA, "54001"}},
    {"malformed MATCH", {DBAL_ERROR_DATA, "22000"}},
};

dbal__sqlite_message
dbal__sqlite_message_find(const char *text, dbal__sqlite_message otherwise)
{
    /* what is wrong there is a value: what a MATCH looks for */
    if (strncmp(text, "fts5: ", 6) == 0)
        return (dbal__sqlite_message){DBAL_ERROR_DATA, "22000"};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strstr(text, known[i].words) != NULL)
            return known[i].message;
    return otherwise;
}

/* as SQLite writes it */
static bool
is_integer(dbal_value value, const char *part, size_t size)
{
    char text[24];
    int length = snprintf(text, sizeof text, "%" PRId64, value.as.integer);
    return value.type == DBAL_INT64 && (size_t)length == size && memcmp(text, part, size) == 0;
}

static bool
in_parameters(const char *part, size_t size, const dbal_request *request)
{
    size_t count = request != NULL ? dbal_request_parameter_count(request) : 0;
    for (size_t i = 0; i < count; i++) {
        dbal_value value = dbal_request_parameter(request, i);
        bool bytes = value.type == DBAL_TEXT || value.type == DBAL_BLOB ||
                     value.type == DBAL_JSON || value.type == DBAL_NUMERIC;
        if (bytes && value.as.bytes.size != 0 &&
            memmem(value.as.bytes.data, value.as.bytes.size, part, size) != NULL)
            return true;
        if (is_integer(value, part, size))
            return true;
    }
    return false;
}

/* where the variable part of a message begins: behind ": " or a quote; NULL when there is none */
static const char *
variable_part(const char *text)
{
    size_t skip = strncmp(text, "fts5: ", 6) == 0 ? 6 : 0;
    const char *colon = strstr(text + skip, ": ");
    size_t plain = strcspn(text + skip, "\"'[");
    const char *quote = text[skip + plain] != '\0' ? text + skip + plain : NULL;
    if (colon != NULL && (quote == NULL || colon < quote))
        return colon + 2;
    return quote != NULL ? quote + 1 : NULL;
}

void
dbal__sqlite_message_hide(const char *text, const dbal_request *request, char *to, size_t room)
{
    const char *part = variable_part(text);
    /* SQLite may cut or quote a value, so its first word is what is looked for */
    if (part != NULL)
        part += strspn(part, "\"'[] \t\n");
    size_t size = part == NULL ? 0 : strcspn(part, "\"'[] \t\n");
    bool secret = size != 0 && in_parameters(part, size, request);
    int kept = secret ? (int)(part - text) : (int)strlen(text);
    snprintf(to, room, "%.*s%s", kept, text, secret ? "…" : "");
}

bool
dbal__sqlite_message_constraint(const char *text, char *to, size_t room)
{
    const char *name = strstr(text, "constraint failed: ");
    if (name == NULL)
        return false;
    name += strlen("constraint failed: ");
    size_t size = strlen(name);
    if (strncmp(name, "index '", 7) == 0 && size > 8) {
        name += 7;
        size -= 8;
    }
    snprintf(to, room, "%.*s", (int)size, name);
    return true;
}
