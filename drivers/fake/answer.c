/* Words that answer with rows. */
#include <stdio.h>
#include <string.h>

#include "words.h"

static void
go_on(fake_run *run, bool more)
{
    run->stopped = run->stopped || !more;
}

static void
add_column(fake_run *run, const char *name, dbal_type type)
{
    go_on(run, dbal_request_column(run->request, name, type));
}

static void
add_cell(fake_run *run, dbal_value value)
{
    switch (value.type) {
    case DBAL_NULL:
        go_on(run, dbal_request_null(run->request));
        break;
    case DBAL_BOOL:
        go_on(run, dbal_request_integer(run->request, DBAL_BOOL, value.as.boolean));
        break;
    case DBAL_INT64:
    case DBAL_DATE:
    case DBAL_TIME:
    case DBAL_TIMESTAMP:
        go_on(run, dbal_request_integer(run->request, value.type, value.as.integer));
        break;
    case DBAL_DOUBLE:
        go_on(run, dbal_request_real(run->request, value.as.real));
        break;
    case DBAL_UUID:
        go_on(run, dbal_request_bytes(run->request, value.type, value.as.uuid, 16));
        break;
    default:
        go_on(run, dbal_request_bytes(run->request, value.type, value.as.bytes.data,
                                      value.as.bytes.size));
        break;
    }
}

static void
end_row(fake_run *run)
{
    if (!run->stopped)
        go_on(run, dbal_request_row(run->request));
}

static bool
is_full(fake_run *run, size_t columns)
{
    if (columns < FAKE_COLUMNS)
        return false;
    fake_run_fail(run, DBAL_ERROR_PROGRAMMING, "54011", "more than %d columns", (int)FAKE_COLUMNS);
    return true;
}

/* columns id, name */
void
fake_run_columns(fake_run *run)
{
    if (run->has_columns) {
        fake_run_fail(run, DBAL_ERROR_PROGRAMMING, "42601", "columns are named before the rows");
        return;
    }
    do {
        if (is_full(run, run->columns))
            return;
        fake_run_text(run, run->names[run->columns++], FAKE_NAME);
        const char *ahead = run->cursor;
        dbal_sql_token comma = dbal_sql_next(DBAL_DIALECT_POSTGRESQL, &ahead);
        if (comma.size != 1 || *comma.start != ',')
            return;
        run->cursor = ahead;
    } while (!run->failed);
}

/* The values behind a word, which become cells, or, first, columns. */
static size_t
each_operand(fake_run *run, bool as_columns)
{
    char room[1024], name[FAKE_NAME];
    dbal_value value;
    size_t count = 0;
    while (!run->failed && !run->stopped && fake_run_operand(run, &value, room, sizeof room)) {
        if (is_full(run, count))
            break;
        snprintf(name, sizeof name, "c%zu", count + 1);
        if (as_columns)
            add_column(run, count < run->columns ? run->names[count] : name, value.type);
        else
            add_cell(run, value);
        count++;
        const char *ahead = run->cursor;
        dbal_sql_token comma = dbal_sql_next(DBAL_DIALECT_POSTGRESQL, &ahead);
        if (comma.size != 1 || *comma.start != ',')
            break;
        run->cursor = ahead;
    }
    return count;
}

/* row 1, 'Ada', null, $1 */
void
fake_run_row(fake_run *run)
{
    const char *from = run->cursor;
    if (!run->has_columns) {
        size_t count = each_operand(run, true);
        if (run->columns != 0 && count != run->columns)
            fake_run_fail(run, DBAL_ERROR_PROGRAMMING, "42601", "%zu cells, but %zu columns", count,
                          run->columns);
        run->columns = count;
        run->cursor = from;
        run->has_columns = true;
    }
    if (run->failed || run->stopped)
        return;
    if (each_operand(run, false) != run->columns && !run->stopped)
        fake_run_fail(run, DBAL_ERROR_PROGRAMMING, "42601", "rows of different lengths");
    else if (!run->failed)
        end_row(run);
}

/* echo $2, $1: the same */
void
fake_run_echo(fake_run *run)
{
    fake_run_row(run);
}

/* The one column that numbers go to, whatever `columns` named; rows before them had one too. */
static void
begin_numbers(fake_run *run, const char *name)
{
    if (run->failed || run->stopped)
        return;
    if (!run->has_columns) {
        add_column(run, name, DBAL_INT64);
        run->columns = 1;
        run->has_columns = true;
    } else if (run->columns != 1) {
        fake_run_fail(run, DBAL_ERROR_PROGRAMMING, "42601", "rows of different lengths");
    }
}

/* rows 10 */
void
fake_run_rows(fake_run *run)
{
    int64_t count = fake_run_number(run);
    begin_numbers(run, "n");
    for (int64_t i = 1; i <= count && !run->stopped && !run->failed; i++) {
        if (i % 256 == 0)
            fake_run_sleep(run, 0);
        if (run->failed)
            return;
        add_cell(run, dbal_int64(i));
        end_row(run);
    }
}

void
fake_run_give(fake_run *run, const char *name, int64_t number)
{
    begin_numbers(run, name);
    if (run->failed || run->stopped)
        return;
    add_cell(run, dbal_int64(number));
    end_row(run);
}
