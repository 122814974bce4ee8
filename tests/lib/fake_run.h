/* A statement of a fake on its way, for the files that know its words. */
#ifndef TESTS_LIB_FAKE_RUN_H
#define TESTS_LIB_FAKE_RUN_H

#include "tests/lib/fake_words.h"

#define FAKE_DIALECT DBAL_DIALECT_POSTGRESQL

/* Where it is, and what it has done. */
typedef struct fake_run {
    fake_session *session;
    const fake_call *call;
    const char *cursor;
    dbal_sql_token word;
    int64_t affected, id;
    bool headed;          /* it has its columns */
    bool over;            /* the answer has ended, or nobody wants the rest */
    bool soiled, cleaned; /* the session, and the driver is told */
} fake_run;

void fake_run_emit(fake_run *run, const fake_frame *frame, const void *data);
/* Ends the answer. */
void fake_run_fail(fake_run *run, dbal_error_class error_class, const char *sqlstate,
                   const char *message);
/* What was emitted must be seen now. */
void fake_run_flush(fake_run *run);
/* The next operand, as text without quotes, or as a number. */
void fake_run_text(fake_run *run, char *ret_text, size_t size);
int64_t fake_run_number(fake_run *run);
/* False: it fails, since it was promised that nothing changes. */
bool fake_run_may_write(fake_run *run);
/* Adds to the database's number. */
void fake_run_add(fake_run *run, int64_t number);

/* The words of fake_copy.c and fake_notify.c. */
void fake_run_load(fake_run *run);
void fake_run_unload(fake_run *run);
void fake_run_listen(fake_run *run);
void fake_run_unlisten(fake_run *run);
void fake_run_notify(fake_run *run);

#endif
