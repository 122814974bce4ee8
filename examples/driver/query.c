#include "query.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A statement while it is read, one token ahead. */
typedef struct reader {
    const char *sql, *cursor;
    const dbal_request *request;
    dbal_fault *fault;
    dbal_sql_token token;
    csv_query *query;
} reader;

static void
advance(reader *self)
{
    self->token = dbal_sql_next(DBAL_DIALECT_POSTGRESQL, &self->cursor);
}

static int
position(const reader *self)
{
    return (int)(self->token.start - self->sql) + 1;
}

static bool
fail(reader *self, const char *sqlstate, const char *wanted)
{
    if (self->token.kind == DBAL_SQL_END)
        dbal_fault_set(self->fault, DBAL_ERROR_PROGRAMMING, sqlstate, "%s, not the end", wanted);
    else
        dbal_fault_set(self->fault, DBAL_ERROR_PROGRAMMING, sqlstate, "%s, not %.*s", wanted,
                       (int)(self->token.size < 60 ? self->token.size : 60), self->token.start);
    dbal_fault_set_position(self->fault, position(self));
    return false;
}

static bool
is(const reader *self, const char *word)
{
    return dbal_sql_token_is(self->token, word);
}

static bool
is_sign(const reader *self, char sign)
{
    return self->token.kind == DBAL_SQL_OPERATOR && self->token.size == 1 &&
           *self->token.start == sign;
}

static bool
skip(reader *self, const char *word)
{
    bool there = is(self, word);
    if (there)
        advance(self);
    return there;
}

static bool
skip_sign(reader *self, char sign)
{
    bool there = is_sign(self, sign);
    if (there)
        advance(self);
    return there;
}

/* ---- names and values ---- */

/* A name as it is written, without double quotes. */
static bool
read_name(reader *self, char to[CSV_NAME], const char *wanted)
{
    size_t used = 0, quotes = self->token.kind == DBAL_SQL_IDENTIFIER;
    if (self->token.kind != DBAL_SQL_WORD && !quotes)
        return fail(self, "42601", wanted);
    for (size_t i = quotes; i < self->token.size - quotes; i++) {
        if (used + 1 == CSV_NAME)
            return fail(self, "42622", "a name of up to 63 bytes is wanted");
        to[used++] = self->token.start[i];
        i += quotes && self->token.start[i] == '"'; /* it stands twice */
    }
    to[used] = '\0';
    advance(self);
    return true;
}

static bool
read_text(reader *self, dbal_value *ret_value)
{
    csv_query *query = self->query;
    char *to = query->literals + query->literals_used;
    size_t used = 0;
    if (*self->token.start != '\'')
        return fail(self, "42601", "a text in single quotes is wanted");
    if (self->token.size > CSV_LITERALS - query->literals_used)
        return fail(self, "54000", "texts of up to 512 bytes are known; give it as a parameter");
    for (size_t i = 1; i + 1 < self->token.size; i++) {
        to[used++] = self->token.start[i];
        i += self->token.start[i] == '\'';
    }
    query->literals_used += used + 1;
    *ret_value = dbal_textn(to, used);
    return true;
}

static dbal_value
read_number(const reader *self)
{
    char text[64];
    snprintf(text, sizeof text, "%.*s", (int)self->token.size, self->token.start);
    return strpbrk(text, ".eE") != NULL ? dbal_double(strtod(text, NULL))
                                        : dbal_int64(strtoll(text, NULL, 10));
}

static bool
is_value(const reader *self)
{
    return self->token.kind == DBAL_SQL_PARAMETER || self->token.kind == DBAL_SQL_NUMBER ||
           self->token.kind == DBAL_SQL_STRING || is(self, "null");
}

static bool
read_value(reader *self, dbal_value *ret_value)
{
    if (!is_value(self))
        return fail(self, "42601", "a value is wanted");
    if (self->token.kind == DBAL_SQL_PARAMETER) {
        size_t number = strtoul(self->token.start + 1, NULL, 10);
        /* the library has seen to it that it is there */
        *ret_value = dbal_request_parameter(self->request, number - 1);
    } else if (self->token.kind == DBAL_SQL_NUMBER) {
        *ret_value = read_number(self);
    } else if (self->token.kind == DBAL_SQL_WORD) {
        *ret_value = dbal_null();
    } else if (!read_text(self, ret_value)) {
        return false;
    }
    advance(self);
    return true;
}

/* ---- the parts of a statement ---- */

static bool
read_item(reader *self, csv_item *item)
{
    item->position = position(self);
    item->is_column = !is_value(self);
    bool ok = item->is_column ? read_name(self, item->column, "a column is wanted")
                              : read_value(self, &item->value);
    snprintf(item->name, sizeof item->name, "%s", item->is_column ? item->column : "value");
    return ok && (!skip(self, "as") || read_name(self, item->name, "a name is wanted"));
}

static bool
read_items(reader *self)
{
    csv_query *query = self->query;
    if (skip_sign(self, '*'))
        return true;
    do {
        if (query->item_count == CSV_ITEMS)
            return fail(self, "54011", "up to 64 columns are known");
        if (!read_item(self, &query->items[query->item_count++]))
            return false;
    } while (skip_sign(self, ','));
    return true;
}

static bool
read_condition(reader *self, csv_condition *condition)
{
    condition->column.position = position(self);
    if (!read_name(self, condition->column.column, "a column is wanted"))
        return false;
    if (skip_sign(self, '=')) {
        condition->kind = CSV_EQUALS;
        return read_value(self, &condition->value);
    }
    if (!skip(self, "is"))
        return fail(self, "42601", "= or is null is wanted");
    condition->kind = skip(self, "not") ? CSV_IS_NOT_NULL : CSV_IS_NULL;
    return skip(self, "null") || fail(self, "42601", "null is wanted");
}

static bool
read_conditions(reader *self)
{
    csv_query *query = self->query;
    do {
        if (query->condition_count == CSV_CONDITIONS)
            return fail(self, "54001", "up to 16 conditions are known");
        if (!read_condition(self, &query->conditions[query->condition_count++]))
            return false;
    } while (skip(self, "and"));
    return true;
}

static bool
read_limit(reader *self)
{
    dbal_value value;
    int at = position(self);
    if (!read_value(self, &value))
        return false;
    self->query->limit = value.as.integer;
    if (value.type == DBAL_INT64 && value.as.integer >= 0)
        return true;
    dbal_fault_set(self->fault, DBAL_ERROR_DATA, "2201W", "a limit is a whole number from 0");
    dbal_fault_set_position(self->fault, at);
    return false;
}

static bool
read_rest(reader *self)
{
    csv_query *query = self->query;
    if (skip(self, "from")) {
        query->table_position = position(self);
        if (!read_name(self, query->table, "a table is wanted"))
            return false;
        if (skip(self, "where") && !read_conditions(self))
            return false;
    }
    if (skip(self, "limit") && !read_limit(self))
        return false;
    while (self->token.kind == DBAL_SQL_SEMICOLON)
        advance(self);
    return self->token.kind == DBAL_SQL_END || fail(self, "42601", "the statement should end here");
}

bool
csv_query_read(csv_query *query, const dbal_request *request, dbal_fault *fault)
{
    const char *sql = dbal_request_sql(request, NULL);
    reader self = {.sql = sql, .cursor = sql, .request = request, .fault = fault, .query = query};
    *query = (csv_query){.limit = INT64_MAX};
    advance(&self);
    if (!skip(&self, "select"))
        return fail(&self, "0A000", "CSV files are only read: select is wanted");
    return read_items(&self) && read_rest(&self);
}
