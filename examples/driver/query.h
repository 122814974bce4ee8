/*
 * The SQL that this driver knows:
 *
 *   select ITEM, … [from TABLE] [where COLUMN = VALUE | COLUMN is [not] null [and …]] [limit VALUE]
 *
 * An ITEM is *, a column, or a VALUE, the latter two with `as NAME`; a VALUE is $1, 'text', a number or null.
 */
#ifndef CSV_QUERY_H
#define CSV_QUERY_H

#include <dbal/driver.h>

enum { CSV_ITEMS = 64, CSV_CONDITIONS = 16, CSV_NAME = 64, CSV_LITERALS = 512 };

/* A column's name and where it stands, or a value. */
typedef struct csv_item {
    bool is_column;
    char column[CSV_NAME], name[CSV_NAME];
    int position; /* in the statement, from 1 */
    size_t index; /* of the column in the file */
    dbal_value value;
} csv_item;

typedef struct csv_condition {
    csv_item column;
    enum { CSV_EQUALS, CSV_IS_NULL, CSV_IS_NOT_NULL } kind;
    dbal_value value;
} csv_condition;

typedef struct csv_query {
    csv_item items[CSV_ITEMS];
    size_t item_count; /* 0: all columns */
    char table[CSV_NAME];
    int table_position; /* 0: there is none */
    csv_condition conditions[CSV_CONDITIONS];
    size_t condition_count;
    int64_t limit;
    char literals[CSV_LITERALS]; /* what values in quotes are */
    size_t literals_used;
} csv_query;

/* Reads a request's statement; values may lie in its parameters. False with the fault set. */
bool csv_query_read(csv_query *query, const dbal_request *request, dbal_fault *fault);

#endif
