/* The fakes' database: does the words of a statement. See fake_script.h for the words. */
#ifndef TESTS_LIB_FAKE_WORDS_H
#define TESTS_LIB_FAKE_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/lib/fake_frame.h"
#include "tests/lib/fake_notify.h"
#include "tests/lib/fake_script.h"

enum { FAKE_SAVEPOINTS = 16 };

/* Of fake_call.read, when there are no bytes: that was all, it was aborted, the client is gone. */
enum { FAKE_READ_END = 0, FAKE_READ_ABORT = -1, FAKE_READ_GONE = -2 };

/* A connection's side of the database. */
typedef struct fake_session {
    fake_script *script;
    bool in_transaction, changed;
    bool shares, shares_commit; /* see fake_share.h */
    bool broken;                /* what is shared cannot be kept */
    bool lost;                  /* it has given out LOST */
    int64_t delta;              /* added in the transaction, or in what is shared */
    fake_hearer hearer;
    int savepoints;
    struct {
        char name[FAKE_NAME];
        int64_t delta;
    } stack[FAKE_SAVEPOINTS];
} fake_session;

/* One statement and where its answer goes. */
typedef struct fake_call {
    const char *sql;
    const dbal_value *values;
    size_t count;
    bool read_only, needs_token, has_token;
    bool polls; /* nobody says when it is stopped: it looks by itself */
    bool (*stopped)(void *arg);
    bool (*closed)(void *arg); /* or NULL */
    /* false: no more is wanted */
    bool (*emit)(void *arg, const fake_frame *frame, const void *data);
    /* or NULL; bytes of a copy, or the reason, NUL-terminated, of one that was aborted */
    int64_t (*read)(void *arg, char *data, size_t size);
    void (*flush)(void *arg); /* or NULL; what was emitted must be seen now: a wait follows */
    void *arg;
} fake_call;

/* Gives out the whole answer, ended by DONE, FAILED or LOST unless it was not wanted. */
void fake_session_run(fake_session *session, const fake_call *call);

/* Adds what was added in the transaction to the database's number. */
void fake_session_keep(fake_session *session);

/* Of both drivers. */
dbal_sql_class fake_classify(const void *config, const char *sql);
const char *fake_begin(const void *config, dbal_isolation isolation, bool read_only,
                       bool deferrable, dbal_fault *fault);

#endif
