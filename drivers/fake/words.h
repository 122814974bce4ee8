/* Does the words of a statement, one after the other. */
#ifndef DRIVERS_FAKE_WORDS_H
#define DRIVERS_FAKE_WORDS_H

#include "connection.h"

enum { FAKE_COLUMNS = 64 };

/* A statement that runs. */
typedef struct fake_run {
    fake_connection *connection;
    dbal_request *request;
    dbal_fault *fault;
    const char *words, *cursor;
    dbal_sql_token word;
    bool stopped;     /* no more rows are wanted */
    bool failed;      /* the fault says why */
    bool has_columns; /* they were told */
    size_t columns;   /* that `columns` named */
    char names[FAKE_COLUMNS][FAKE_NAME];
} fake_run;

/* false: failed, with the fault set */
bool fake_words_run(fake_run *run);

/* ---- among the files that know words ---- */

void fake_run_fail(fake_run *run, dbal_error_class error_class, const char *sqlstate,
                   const char *format, ...) DBAL_PRINTF(4, 5);
/* The next operand: a number, a text in quotes, null, true, false, or $n. False: there is none. */
bool fake_run_operand(fake_run *run, dbal_value *ret_value, char *room, size_t size);
int64_t fake_run_number(fake_run *run);
/* The same, as text; copied. */
void fake_run_text(fake_run *run, char *to, size_t size);
/* Sleeps so long, and fails when it is stopped. */
void fake_run_sleep(fake_run *run, double seconds);

void fake_run_columns(fake_run *run);
void fake_run_row(fake_run *run);
void fake_run_rows(fake_run *run);
void fake_run_echo(fake_run *run);
/* One row with one number. */
void fake_run_give(fake_run *run, const char *name, int64_t number);

void fake_run_begin(fake_run *run);
void fake_run_commit(fake_run *run);
void fake_run_rollback(fake_run *run);
void fake_run_savepoint(fake_run *run);
void fake_run_release(fake_run *run);

#endif
