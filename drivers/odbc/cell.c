#include "cell.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "moment.h"
#include "uuid.h"

/* MOST: what is made room for on the mere word of an ODBC driver */
enum { FIRST_ROOM = 512, MOST = 1 << 20 };

/* ---- bytes out of ODBC ------------------------------------------------------------------------- */

/* What there was room for; a text has a NUL behind it, which the driver wrote. */
static size_t
portion(const dbal__odbc_buffer *cell, SQLSMALLINT kind)
{
    return cell->room - cell->size - (kind == SQL_C_CHAR ? 1 : 0);
}

/* How much room to make for what is left; a little for what only seems to be there. */
static size_t
more_for(const dbal__odbc_buffer *cell, SQLLEN left, size_t had)
{
    size_t most = cell->room > MOST ? cell->room : MOST;
    size_t more = left == SQL_NO_TOTAL ? cell->room : (size_t)left - had;
    return more < most ? more : most;
}

/*
 * What is whole has a length; for a text that was given none, it is where the NUL is. False: a claim
 * that cannot be, behind which the room may hold anything.
 */
static bool
check_length(const dbal__odbc_buffer *cell, SQLSMALLINT kind, size_t had, bool whole,
             SQLLEN *length)
{
    if (*length < 0 && *length != SQL_NO_TOTAL)
        return false;
    if (!whole)
        return true;
    if (*length != SQL_NO_TOTAL)
        return *length <= (SQLLEN)had;
    size_t size = strnlen(cell->data + cell->size, had);
    if (size < had)
        *length = (SQLLEN)size;
    return kind == SQL_C_CHAR;
}

/*
 * Reads it in portions. TAKEN, with *ret_null, or with the bytes in the buffer. What is truncated has
 * filled its room, whatever is in it: a NUL says nothing. A length is a mere claim: nothing is read or
 * written for it beyond the room that there is.
 */
static dbal__odbc_taken
read_bytes(dbal__odbc_buffer *cell, SQLHSTMT handle, SQLUSMALLINT column, SQLSMALLINT kind,
           bool *ret_null)
{
    cell->size = 0;
    *ret_null = false;
    if (!dbal__odbc_buffer_reserve(cell, FIRST_ROOM))
        return DBAL__ODBC_NO_MEMORY;
    for (;;) {
        SQLLEN left = 0;
        size_t had = portion(cell, kind);
        SQLRETURN code = SQLGetData(handle, column, kind, cell->data + cell->size,
                                    (SQLLEN)(cell->room - cell->size), &left);
        if (code == SQL_NO_DATA)
            return DBAL__ODBC_TAKEN;
        if (!SQL_SUCCEEDED(code))
            return DBAL__ODBC_FAILED;
        *ret_null = left == SQL_NULL_DATA;
        if (*ret_null)
            return DBAL__ODBC_TAKEN;
        if (!check_length(cell, kind, had, code == SQL_SUCCESS, &left))
            return DBAL__ODBC_NONSENSE;
        if (left != SQL_NO_TOTAL && left <= (SQLLEN)had) {
            cell->size += (size_t)left;
            return DBAL__ODBC_TAKEN;
        }
        cell->size += had;
        if (!dbal__odbc_buffer_reserve(cell, cell->size + more_for(cell, left, had) + 1))
            return DBAL__ODBC_NO_MEMORY;
    }
}

/* ---- texts as values --------------------------------------------------------------------------- */

static bool
read_integer(const char *text, size_t size, int64_t *ret_value)
{
    char *end;
    if (text[0] != '-' && (text[0] < '0' || text[0] > '9'))
        return false;
    errno = 0;
    *ret_value = strtoll(text, &end, 10);
    /* a NUL may be in it */
    return errno == 0 && end == text + size;
}

/* an infinity as SQLite's ODBC driver has it, but no "nan" or "0x10", which strtod() would take */
static bool
read_double(const char *text, size_t size, locale_t plain, double *ret_value)
{
    char *end;
    bool infinite = strcasecmp(text, "inf") == 0 || strcasecmp(text, "-inf") == 0;
    if (size == 0 || (!infinite && strspn(text, "+-.0123456789eE") != size))
        return false;
    *ret_value = strtod_l(text, &end, plain);
    return end == text + size;
}

static bool
read_bool(const char *text, size_t size, int64_t *ret_value)
{
    if (size != 1 || strchr("01tfTF", text[0]) == NULL)
        return false;
    *ret_value = strchr("1tT", text[0]) != NULL;
    return true;
}

/* The cell in the buffer, followed by a NUL. */
static bool
give_text(dbal__odbc_connection *c, dbal_type type)
{
    const char *text = c->cell.data;
    size_t size = c->cell.size;
    int64_t integer;
    double real;
    uint8_t uuid[16];
    bool moment = type == DBAL_DATE || type == DBAL_TIME || type == DBAL_TIMESTAMP;
    if ((type == DBAL_INT64 && read_integer(text, size, &integer)) ||
        (type == DBAL_BOOL && read_bool(text, size, &integer)) ||
        (moment && dbal__odbc_moment_read(type, text, size, &integer)))
        return dbal_request_integer(c->request, type, integer);
    if (type == DBAL_UUID && dbal__odbc_uuid_read(text, size, uuid))
        return dbal_request_bytes(c->request, DBAL_UUID, uuid, sizeof uuid);
    if (type == DBAL_DOUBLE && read_double(text, size, c->plain, &real))
        return dbal_request_real(c->request, real);
    bool kept = type == DBAL_NUMERIC && size != 0 && strspn(text, "+-.0123456789eE") == size;
    return dbal_request_bytes(c->request, kept ? DBAL_NUMERIC : DBAL_TEXT, text, size);
}

/* ---- cells ------------------------------------------------------------------------------------- */

static dbal__odbc_taken
taken(bool by_sink)
{
    return by_sink ? DBAL__ODBC_TAKEN : DBAL__ODBC_REFUSED;
}

/* its bits, which a text might not keep */
static dbal__odbc_taken
take_double(dbal__odbc_connection *c, SQLHSTMT handle, SQLUSMALLINT column)
{
    double real = 0;
    SQLLEN size = 0;
    if (!SQL_SUCCEEDED(SQLGetData(handle, column, SQL_C_DOUBLE, &real, sizeof real, &size)))
        return DBAL__ODBC_FAILED;
    if (size < 0 && size != SQL_NULL_DATA)
        return DBAL__ODBC_NONSENSE;
    return taken(size == SQL_NULL_DATA ? dbal_request_null(c->request)
                                       : dbal_request_real(c->request, real));
}

dbal__odbc_taken
dbal__odbc_cell_take(dbal__odbc_connection *c, SQLHSTMT handle, SQLUSMALLINT column, dbal_type type)
{
    bool null;
    if (type == DBAL_DOUBLE && c->database != DBAL__ODBC_SQLITE)
        return take_double(c, handle, column);
    SQLSMALLINT kind = type == DBAL_BLOB ? SQL_C_BINARY : SQL_C_CHAR;
    dbal__odbc_taken read = read_bytes(&c->cell, handle, column, kind, &null);
    if (read != DBAL__ODBC_TAKEN)
        return read;
    if (null)
        return taken(dbal_request_null(c->request));
    if (kind == SQL_C_BINARY)
        return taken(dbal_request_bytes(c->request, DBAL_BLOB, c->cell.data, c->cell.size));
    c->cell.data[c->cell.size] = '\0';
    return taken(give_text(c, type));
}
