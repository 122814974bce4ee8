/* Certificates, real ones: who is believed to be the server, and who the server believes. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "connect_servers.h"

static dialled one;

/* As a user, with a certificate authority's file, or "" for none. */
static bool
secure(const char *user, const char *host, const char *mode, const char *authority,
       const char *more)
{
    char root[128] = "";
    if (authority[0] != '\0')
        snprintf(root, sizeof root, "&sslrootcert=%s/%s.crt", servers.files, authority);
    return dial(&one, "postgresql://%s:topsecret@%s:%d/bank?sslmode=%s%s%s", user, host,
                servers.bank_port, mode, root, more);
}

static void
secured(void)
{
    ck_assert_msg(one.conn != NULL, "%s", one.conn == NULL ? dbal_error_message(one.error) : "");
    ck_assert_int_eq(PQsslInUse(one.conn), 1);
    dial_end(&one);
}

static void
not_secured(const char *fragment)
{
    dial_failed(&one, DBAL_ERROR_OPERATIONAL, "08001", false, fragment);
    dial_no_secret(&one, "topsecret");
    dial_end(&one);
}

START_TEST(the_right_name)
{
    secure("teller", "db.test", "verify-full", "ca", "");
    secured();
    secure("teller", "db.test", "verify-ca", "ca", "");
    secured();
}
END_TEST

START_TEST(the_wrong_name)
{
    secure("teller", "other.test", "verify-full", "ca", "");
    not_secured("does not match host name \"other.test\"");
    secure("teller", "127.0.0.1", "verify-full", "ca", "");
    not_secured("127.0.0.1");
    secure("teller", "other.test", "verify-ca", "ca", "");
    secured();
}
END_TEST

START_TEST(the_wrong_authority)
{
    secure("teller", "db.test", "verify-full", "other", "");
    not_secured("certificate verify failed");
    secure("teller", "db.test", "verify-ca", "other", "");
    not_secured("certificate verify failed");
    secure("teller", "db.test", "verify-full", "missing", "");
    not_secured("root certificate file");
}
END_TEST

START_TEST(without_verification)
{
    secure("teller", "other.test", "require", "", "");
    secured();
    secure("teller", "other.test", "prefer", "", "");
    secured();
    secure("teller", "other.test", "disable", "", "");
    ck_assert_ptr_nonnull(one.conn);
    ck_assert_int_eq(PQsslInUse(one.conn), 0);
    dial_end(&one);
}
END_TEST

START_TEST(tls_or_not)
{
    secure("tlsonly", "db.test", "require", "", "");
    secured();
    secure("tlsonly", "db.test", "disable", "", "");
    dial_failed(&one, DBAL_ERROR_OPERATIONAL, "28000", false, "pg_hba.conf rejects");
    ck_assert(
        !dial(&one, "postgresql://postgres@127.0.0.1:%d/x?sslmode=require", servers.standby_port));
    not_secured("does not support SSL, but SSL was required");
    secure("teller", "db.test", "require", "",
           "&ssl_min_protocol_version=TLSv1&ssl_max_protocol_version=TLSv1.1");
    not_secured("SSL error");
}
END_TEST

/* SCRAM tied to the TLS channel; without TLS there is none. */
START_TEST(channel_binding)
{
    secure("teller", "db.test", "verify-full", "ca", "&channel_binding=require");
    secured();
    secure("teller", "db.test", "disable", "", "&channel_binding=require");
    not_secured("channel binding");
}
END_TEST

static bool
certified(const char *user, const char *key, const char *more)
{
    char files[256];
    snprintf(files, sizeof files, "&sslcert=%s/client.crt&sslkey=%s/%s.key%s", servers.files,
             servers.files, key, more);
    return secure(user, "db.test", "verify-full", "ca", files);
}

START_TEST(a_client_certificate)
{
    certified("certuser", "client", "");
    secured();
    secure("certuser", "db.test", "verify-full", "ca", "");
    dial_failed(&one, DBAL_ERROR_OPERATIONAL, "28000", false, "valid client certificate");
    certified("certuser", "other", "");
    not_secured("key values mismatch");
    certified("certuser", "missing", "");
    not_secured("not private key file");
}
END_TEST

/* A key with a password: without one nobody is asked for it on the terminal. */
START_TEST(a_locked_key)
{
    certified("certuser", "locked", "&sslpassword=keysecret");
    secured();
    certified("certuser", "locked", "");
    not_secured("could not load private key file");
    certified("certuser", "locked", "&sslpassword=wrongsecret");
    dial_no_secret(&one, "wrongsecret");
    not_secured("could not load private key file");
}
END_TEST

/* With a terminal of its own, where somebody could be asked. */
static void
try_locked_key(const char *terminal)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setsid();
    int fd = open(terminal, O_RDWR);
    certified("certuser", "locked", "");
    _exit(fd >= 0 && one.conn == NULL && one.seconds < 5 ? EXIT_SUCCESS : EXIT_FAILURE);
}

START_TEST(nobody_is_asked_for_a_key_s_password)
{
    int terminal = posix_openpt(O_RDWR | O_NOCTTY), status;
    ck_assert(grantpt(terminal) == 0 && unlockpt(terminal) == 0);
    const char *name = ptsname(terminal);
    pid_t child = fork();
    if (child == 0)
        try_locked_key(name);
    struct pollfd asked = {.fd = terminal, .events = POLLIN};
    while (waitpid(child, &status, WNOHANG) == 0)
        if (poll(&asked, 1, 10) == 1 && (asked.revents & POLLIN) != 0)
            kill(child, SIGKILL); /* it asks */
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS);
    close(terminal);
}
END_TEST

Suite *
connect_tls_suite(void)
{
    Suite *suite = suite_create("postgres TLS");
    TCase *tests = tcase_create("tls");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, dial_forget_environment, NULL);
    tcase_add_test(tests, the_right_name);
    tcase_add_test(tests, the_wrong_name);
    tcase_add_test(tests, the_wrong_authority);
    tcase_add_test(tests, without_verification);
    tcase_add_test(tests, tls_or_not);
    tcase_add_test(tests, channel_binding);
    tcase_add_test(tests, a_client_certificate);
    tcase_add_test(tests, a_locked_key);
    tcase_add_test(tests, nobody_is_asked_for_a_key_s_password);
    suite_add_tcase(suite, tests);
    return suite;
}
