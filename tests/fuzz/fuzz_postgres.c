/* Any bytes as what a PostgreSQL server sends or is sent: cells, statements, messages. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dbal/alloc.h"
#include "dbal/error.h"
#include "dbal/request.h"
#include "dbal/result.h"
#include "dbal/value.h"
#include "drivers/postgres/meaning.h"
#include "drivers/postgres/rows.h"
#include "drivers/postgres/secret.h"
#include "drivers/postgres/setting.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const Oid types[] = {16,  17,   18,   19,   20,   21,   23,   25,   26,   114,  700,  701,
                            705, 1042, 1043, 1082, 1083, 1114, 1184, 1186, 1700, 2278, 2950, 3802};

static PGresult *
result_of(Oid type, int format, const char *data, size_t size)
{
    PGresAttDesc column = {.name = "c", .typid = type, .format = format};
    PGresult *result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
    if (result == NULL || !PQsetResultAttrs(result, 1, &column) ||
        !PQsetvalue(result, 0, 0, (char *)data, (int)size))
        abort();
    return result;
}

/* the one cell's row, or false when the server could not have sent it */
static bool
take(dbal_request *request, Oid type, int format, const char *data, size_t size)
{
    dbal__postgres_columns columns = {0};
    dbal_fault fault = DBAL__FAULT_INIT;
    PGresult *result = result_of(type, format, data, size);
    *request = (dbal_request){.max_result_bytes = SIZE_MAX / 2, .batch_bytes = SIZE_MAX};
    request->result = dbal__result_new(request->max_result_bytes);
    if (request->result == NULL || !dbal__postgres_columns_learn(&columns, result))
        abort();
    bool ok =
        dbal__postgres_rows_take(&columns, result, 0, PQntuples(result), true, request, &fault);
    /* there is nothing that cannot be text */
    if (ok == dbal_fault_is_set(&fault) || (!ok && format == 0))
        abort();
    dbal_fault_clear(&fault);
    dbal__postgres_columns_fini(&columns);
    PQclear(result);
    return ok;
}

static void
convert(dbal_result *result)
{
    dbal_result_bool(result, 0, 0);
    dbal_result_int64(result, 0, 0);
    dbal_result_double(result, 0, 0);
    dbal_result_timestamp(result, 0, 0);
    dbal_error_unref(dbal_result_take_error(result));
}

/* a cell's text, read as a cell once more, must be the same value: both forms mean the same */
static void
check_cell(Oid type, int format, const char *data, size_t size)
{
    dbal_request first, second;
    if (take(&first, type, format, data, size)) {
        size_t length, again;
        const char *text = dbal_result_textn(first.result, 0, 0, &length);
        dbal_value value = dbal_result_get(first.result, 0, 0);
        take(&second, type, 0, text, length);
        const char *back = dbal_result_textn(second.result, 0, 0, &again);
        if (again != length || memcmp(back, text, length) != 0)
            abort();
        if (dbal_result_get(second.result, 0, 0).type != value.type)
            abort();
        if (value.type == DBAL_TEXT && format == 0 &&
            (length != size || memcmp(text, data, size) != 0))
            abort();
        convert(first.result);
        dbal__request_fini(&second);
    }
    dbal__request_fini(&first);
}

static void
check_statement(const uint8_t *data, size_t size)
{
    char *sql = strndup((const char *)data, size);
    if (sql == NULL)
        abort();
    dbal_sql_class c = dbal__postgres_classify(NULL, sql);
    if (c.kinds == 0 || ((c.kinds & DBAL_SQL_SESSION) != 0) != (c.instead != NULL))
        abort();
    dbal__postgres_control_of(sql);
    dbal__postgres_sets_of(sql);
    free(sql);
}

/* a parameter, its size before it, and a message */
static void
check_message(const uint8_t *data, size_t size)
{
    size_t secret = size != 0 && data[0] < size ? data[0] : 0;
    if (size == 0)
        return;
    char to[DBAL__POSTGRES_SECRET_ROOM];
    char *value = strndup((const char *)data + 1, secret);
    char *text = strndup((const char *)data + 1 + secret, size - 1 - secret);
    dbal_value values[] = {dbal_text(value)};
    char block[512];
    if (value == NULL || text == NULL || dbal__pack_size(values, NULL, 1) > sizeof block)
        abort();
    dbal__pack(block, values, NULL, 1);
    dbal_request request = {.block = block, .value_count = 1};
    dbal__postgres_secret_hide(text, &request, true, to);
    if (strlen(to) >= sizeof to)
        abort();
    dbal__postgres_secret_hide(text, NULL, false, to);
    if (strlen(to) >= sizeof to || (dbal__postgres_secret_key(text, to) && strlen(to) >= sizeof to))
        abort();
    free(value);
    free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    if (data[0] == 0xff)
        check_statement(data + 1, size - 1);
    else if (data[0] == 0xfe)
        check_message(data + 1, size - 1);
    else
        check_cell(types[data[0] % (sizeof types / sizeof types[0])], data[1] % 2,
                   (const char *)data + 2, size - 2);
    return 0;
}
