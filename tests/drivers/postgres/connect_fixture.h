/* URLs read and connected to, by the driver's own functions. */
#ifndef TESTS_POSTGRES_CONNECT_FIXTURE_H
#define TESTS_POSTGRES_CONNECT_FIXTURE_H

#include <check.h>
#include <stdatomic.h>

#include "dbal/note.h"
#include "drivers/postgres/connect.h"

typedef struct dialled {
    dbal__postgres_config *config;
    PGconn *conn;      /* NULL when it failed */
    dbal_error *error; /* of what failed */
    dbal_notes notes;
    dbal__postgres_notices notices;
    bool again;       /* the pool has had a connection before */
    atomic_bool stop; /* the opening is not wanted any more */
    double seconds;   /* it took */
} dialled;

/* Forgets what the environment says of servers, and that this user has files: before each test. */
void dial_forget_environment(void);

/* Reads the URL; false with the error. */
bool dial_configure(dialled *self, const char *url);
/* Connects to what was configured, within so many seconds. */
bool dial_connect(dialled *self, double seconds);
/* Both, within ten seconds; the URL is printf-like. */
bool dial(dialled *self, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Asserts that it worked. */
void dial_ok(dialled *self, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Asserts what the error is, and that its message has this in it. */
void dial_failed(const dialled *self, dbal_error_class error_class, const char *sqlstate,
                 bool retryable, const char *fragment);
/* Asserts that no text of the error has this in it. */
void dial_no_secret(const dialled *self, const char *secret);
/* Ends the connection and frees everything; it may be dialled again. */
void dial_end(dialled *self);

/* ---- names, which the test program resolves itself ---- */

/*
 * hang.test never answers until names_let_go(); names_hanging() counts those that wait there.
 * two.test is 127.0.0.2 and 127.0.0.3, db.test and other.test 127.0.0.1; again.test cannot be
 * looked up now, gone.test is not there. All others are looked up.
 */
void names_let_go(void);
int names_hanging(void);
/* Called in a look-up of hang.test, or NULL. */
extern void (*names_on_hang)(void);

Suite *connect_config_suite(void);
Suite *connect_reason_suite(void);
Suite *connect_fake_suite(void);
Suite *connect_login_suite(void);
Suite *connect_server_suite(void);
Suite *connect_tls_suite(void);

#endif
