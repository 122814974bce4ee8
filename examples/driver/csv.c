/*
 * A driver for dbal: the CSV files of a folder as tables, which can be read. `csv:/folder`; the table
 * `name` is the file `name.csv`, its columns are in the first line.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "file.h"
#include "query.h"

/* What a URL says; the core keeps it for all connections of a pool. */
typedef struct config {
    char folder[PATH_MAX];
} config;

typedef struct connection {
    const config *config;
} connection;

/* A statement that runs. */
typedef struct scan {
    const connection *connection;
    dbal_request *request;
    dbal_fault *fault;
    csv_query query;
    csv_file file;
    size_t columns; /* of the file */
    int64_t rows;   /* that were given */
} scan;

/* ---- the URL, and connections ---- */

static void *
configure(const dbal_url *url, dbal_fault *fault)
{
    const char *path = dbal_url_path(url);
    if (*path == '\0' || dbal_url_hosts(url) != NULL || strlen(path) >= PATH_MAX) {
        dbal_fault_set(fault, DBAL_ERROR_INTERFACE, NULL, "a URL is csv:/folder, without a host");
        return NULL;
    }
    config *self = dbal_driver_alloc(sizeof *self);
    if (self == NULL)
        dbal_fault_set(fault, DBAL_ERROR_NO_MEMORY, "53200", "out of memory");
    else
        strcpy(self->folder, path);
    return self;
}

static bool
open_folder(void *arg, dbal_opening *opening, dbal_fault *fault)
{
    connection *self = arg;
    struct stat about;
    self->config = opening->config;
    if (stat(self->config->folder, &about) == 0 && S_ISDIR(about.st_mode))
        return true;
    dbal_fault_set(fault, DBAL_ERROR_OPERATIONAL, "08001", "%s: it is no folder",
                   self->config->folder);
    return false;
}

static void
close_folder(void *arg)
{
    (void)arg; /* a file is open only while a statement runs */
}

/* ---- columns ---- */

static bool
find_column(scan *self, csv_item *item)
{
    const csv_file *file = &self->file;
    for (item->index = 0; item->index < self->columns; item->index++) {
        size_t size = file->fields[item->index].size;
        if (size == strlen(item->column) &&
            memcmp(csv_field_text(file, item->index), item->column, size) == 0)
            return true;
    }
    dbal_fault_set(self->fault, DBAL_ERROR_PROGRAMMING, "42703", "the table %s has no column %s",
                   self->query.table, item->column);
    dbal_fault_set_position(self->fault, item->position);
    return false;
}

/* All columns of the file, as if they had been named. */
static bool
name_all(scan *self)
{
    csv_query *query = &self->query;
    for (size_t i = 0; i < self->columns; i++) {
        csv_item *item = &query->items[i];
        size_t size = self->file.fields[i].size;
        if (i == CSV_ITEMS || size >= CSV_NAME) {
            dbal_fault_set(self->fault, DBAL_ERROR_NOT_SUPPORTED, "0A000",
                           "%s has more than 64 columns, or one whose name is longer than 63 bytes",
                           self->query.table);
            return false;
        }
        *item = (csv_item){.is_column = true, .index = i};
        memcpy(item->name, csv_field_text(&self->file, i), size);
    }
    query->item_count = self->columns;
    return true;
}

/* The first line is read: which columns are meant? */
static bool
find_columns(scan *self)
{
    csv_query *query = &self->query;
    self->columns = self->file.count;
    for (size_t i = 0; i < query->item_count; i++)
        if (query->items[i].is_column && !find_column(self, &query->items[i]))
            return false;
    for (size_t i = 0; i < query->condition_count; i++)
        if (!find_column(self, &query->conditions[i].column))
            return false;
    return query->item_count > 0 || name_all(self);
}

/* What comes of a call that says false: the rows were enough, or the statement was stopped. */
static bool
stop(scan *self)
{
    if (dbal_request_satisfied(self->request))
        return true;
    if (dbal_request_stopped(self->request))
        dbal_fault_set(self->fault, DBAL_ERROR_CANCELLED, "57014", "the statement was stopped");
    return false;
}

static bool
tell_columns(scan *self)
{
    const csv_query *query = &self->query;
    for (size_t i = 0; i < query->item_count; i++) {
        const csv_item *item = &query->items[i];
        dbal_type type = item->is_column ? DBAL_TEXT : item->value.type;
        if (!dbal_request_column(self->request, item->name, type))
            return false;
    }
    return true;
}

/* ---- rows ---- */

static bool
add_value(dbal_request *request, dbal_value value)
{
    switch (value.type) {
    case DBAL_NULL:
        return dbal_request_null(request);
    case DBAL_BOOL:
        return dbal_request_integer(request, DBAL_BOOL, value.as.boolean);
    case DBAL_INT64:
    case DBAL_DATE:
    case DBAL_TIME:
    case DBAL_TIMESTAMP:
        return dbal_request_integer(request, value.type, value.as.integer);
    case DBAL_DOUBLE:
        return dbal_request_real(request, value.as.real);
    case DBAL_UUID:
        return dbal_request_bytes(request, value.type, value.as.uuid, 16);
    default:
        return dbal_request_bytes(request, value.type, value.as.bytes.data, value.as.bytes.size);
    }
}

static bool
add_cell(scan *self, const csv_item *item)
{
    if (!item->is_column)
        return add_value(self->request, item->value);
    const csv_field *field = &self->file.fields[item->index];
    if (field->is_null)
        return dbal_request_null(self->request);
    return dbal_request_bytes(self->request, DBAL_TEXT, csv_field_text(&self->file, item->index),
                              field->size);
}

static bool
add_row(scan *self)
{
    for (size_t i = 0; i < self->query.item_count; i++)
        if (!add_cell(self, &self->query.items[i]))
            return false;
    self->rows++;
    return dbal_request_row(self->request);
}

/* ---- conditions ---- */

/* A number equals what is written as the same number. */
static bool
equals_number(const char *text, size_t size, double number)
{
    char copy[64], *end;
    if (size == 0 || size >= sizeof copy)
        return false;
    memcpy(copy, text, size);
    copy[size] = '\0';
    double value = strtod(copy, &end);
    return *end == '\0' && value == number;
}

static bool
holds(const scan *self, const csv_condition *condition)
{
    const csv_field *field = &self->file.fields[condition->column.index];
    const char *text = csv_field_text(&self->file, condition->column.index);
    const dbal_value *value = &condition->value;
    if (condition->kind != CSV_EQUALS)
        return field->is_null == (condition->kind == CSV_IS_NULL);
    if (field->is_null || value->type == DBAL_NULL)
        return false;
    if (value->type == DBAL_INT64)
        return equals_number(text, field->size, (double)value->as.integer);
    if (value->type == DBAL_DOUBLE)
        return equals_number(text, field->size, value->as.real);
    return field->size == value->as.bytes.size &&
           memcmp(text, value->as.bytes.data, field->size) == 0;
}

static bool
all_hold(const scan *self)
{
    for (size_t i = 0; i < self->query.condition_count; i++)
        if (!holds(self, &self->query.conditions[i]))
            return false;
    return true;
}

static bool
can_compare(const scan *self)
{
    for (size_t i = 0; i < self->query.condition_count; i++) {
        const csv_condition *condition = &self->query.conditions[i];
        dbal_type type = condition->value.type;
        if (condition->kind != CSV_EQUALS || type == DBAL_NULL || type == DBAL_INT64 ||
            type == DBAL_DOUBLE || type == DBAL_TEXT)
            continue;
        dbal_fault_set(self->fault, DBAL_ERROR_NOT_SUPPORTED, "0A000",
                       "the column %s can be compared with a text or a number, and nothing else",
                       condition->column.column);
        return false;
    }
    return true;
}

/* ---- running ---- */

/* Nobody can interrupt a read of a file: it looks by itself whether it is still wanted. */
static bool
is_wanted(void *arg)
{
    const scan *self = arg;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    bool late =
        now.tv_sec * INT64_C(1000000000) + now.tv_nsec >= dbal_request_deadline(self->request);
    if (!late && !dbal_request_stopped(self->request))
        return true;
    dbal_fault_set(self->fault, DBAL_ERROR_CANCELLED, "57014", "the statement was stopped");
    return false;
}

static bool
check_width(scan *self)
{
    if (self->file.count == self->columns)
        return true;
    dbal_fault_set(self->fault, DBAL_ERROR_DATA, "22P04",
                   "%s, line %lu: %zu fields, where the first line has %zu", self->file.name,
                   self->file.record_line, self->file.count, self->columns);
    return false;
}

static bool
read_rows(scan *self)
{
    csv_step step = CSV_END;
    while (self->rows < self->query.limit) {
        step = csv_file_next(&self->file, self->fault);
        if (step != CSV_RECORD)
            return step == CSV_END;
        if (!check_width(self))
            return false;
        if (all_hold(self) && !add_row(self))
            return stop(self);
    }
    return true;
}

static bool
read_table(scan *self)
{
    csv_step step = csv_file_next(&self->file, self->fault);
    if (step == CSV_END)
        dbal_fault_set(self->fault, DBAL_ERROR_DATA, "22P04",
                       "%s is empty: its first line should name the columns", self->file.name);
    if (step != CSV_RECORD || !find_columns(self))
        return false;
    return tell_columns(self) ? read_rows(self) : stop(self);
}

/* Neither hidden, nor in another folder. */
static bool
is_file_name(const char *name)
{
    return *name != '.' && *name != '\0' && strchr(name, '/') == NULL;
}

static bool
run_on_table(scan *self)
{
    char path[PATH_MAX + CSV_NAME + 8], name[CSV_NAME + 8];
    snprintf(name, sizeof name, "%s.csv", self->query.table);
    snprintf(path, sizeof path, "%s/%s", self->connection->config->folder, name);
    if (!is_file_name(self->query.table))
        dbal_fault_set(self->fault, DBAL_ERROR_PROGRAMMING, "42602", "%s cannot be a table's name",
                       self->query.table);
    if (!is_file_name(self->query.table) || !csv_file_open(&self->file, path, name, self->fault)) {
        dbal_fault_set_position(self->fault, self->query.table_position);
        return false;
    }
    self->file.is_wanted = is_wanted;
    self->file.arg = self;
    bool ok = read_table(self);
    csv_file_close(&self->file);
    return ok;
}

/* Without a table it is one row, of values. */
static bool
run_on_nothing(scan *self)
{
    const csv_query *query = &self->query;
    bool values = query->item_count > 0;
    for (size_t i = 0; i < query->item_count; i++)
        values = values && !query->items[i].is_column;
    if (!values) {
        dbal_fault_set(self->fault, DBAL_ERROR_PROGRAMMING, "42703",
                       "columns without a table: from is wanted");
        return false;
    }
    if (tell_columns(self) && (query->limit == 0 || add_row(self)))
        return true;
    return stop(self);
}

static bool
run(void *arg, dbal_request *request, dbal_fault *fault)
{
    scan *self = dbal_driver_alloc(sizeof *self);
    if (self == NULL) {
        dbal_fault_set(fault, DBAL_ERROR_NO_MEMORY, "53200", "out of memory");
        return false;
    }
    self->connection = arg;
    self->request = request;
    self->fault = fault;
    bool ok = csv_query_read(&self->query, request, fault) && can_compare(self);
    if (ok)
        ok = self->query.table_position != 0 ? run_on_table(self) : run_on_nothing(self);
    dbal_driver_free(self);
    return ok;
}

static bool
in_transaction(void *arg)
{
    (void)arg;
    return false;
}

/* ---- the table ---- */

static const char *
version(void)
{
    return "1";
}

/* Nothing is shared between connections; one connection is for one statement at a time. */
static int
threadlevel(const void *arg)
{
    (void)arg;
    return 2;
}

static unsigned
capabilities(const void *arg)
{
    (void)arg;
    return DBAL_CAN_CANCEL | DBAL_CAN_STREAM | DBAL_CAN_DETACHED_RESULTS;
}

static dbal_sql_class
classify(const void *arg, const char *sql)
{
    static const char *const refused[] = {"begin",    "start",     "commit",
                                          "rollback", "savepoint", "set"};
    (void)arg;
    dbal_sql_token first = dbal_sql_next(DBAL_DIALECT_POSTGRESQL, &sql);
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        if (dbal_sql_token_is(first, refused[i]))
            return (dbal_sql_class){DBAL_SQL_REFUSED, "a select: CSV files have no transactions"};
    return (dbal_sql_class){.kinds = DBAL_SQL_READS};
}

static const char *
begin(const void *arg, dbal_isolation isolation, bool read_only, bool deferrable, dbal_fault *fault)
{
    (void)arg, (void)isolation, (void)read_only, (void)deferrable;
    dbal_fault_set(fault, DBAL_ERROR_NOT_SUPPORTED, "0A000", "CSV files have no transactions");
    return NULL;
}

static const char *const schemes[] = {"csv", NULL};
static const char *const settings[] = {NULL};

static const dbal_blocking blocking = {
    .size = sizeof blocking,
    .open = open_folder,
    .close = close_folder,
    .run = run,
    .in_transaction = in_transaction,
};

static const dbal_driver driver = {
    .size = sizeof driver,
    .abi = DBAL_DRIVER_ABI,
    .name = "csv",
    .schemes = schemes,
    .settings = settings,
    .dialect = DBAL_DIALECT_POSTGRESQL,
    .paramstyle = DBAL_PARAMSTYLE_DOLLAR,
    .connection_size = sizeof(connection),
    .version = version,
    .configure = configure,
    .configure_free = dbal_driver_free,
    .threadlevel = threadlevel,
    .capabilities = capabilities,
    .classify = classify,
    .begin = begin,
    .blocking = &blocking,
};

DBAL_DRIVER_MODULE(driver);
