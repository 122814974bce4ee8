/* Servers that are not there, do not speak, or speak nonsense: each ends in time, and says why. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "connect_fixture.h"
#include "fake_postgres.h"
#include "tests/lib/alloc_fault.h"

static dialled one;
static fake_postgres server, other;
/* seconds, on a machine that has much else to do: whoever has not ended then waits for something else */
static const double TOO_LONG = 20;
static const char *const shape = "postgresql://me:topsecret@127.0.0.1:%d/bank?sslmode=disable";

/* Nothing listens there: it was free a moment ago. */
static int
free_port(void)
{
    fake_postgres none;
    fake_postgres_start(&none, "127.0.0.1", 0, fake_postgres_hold, NULL);
    fake_postgres_stop(&none);
    return none.port;
}

static void
meet(fake_postgres_talk *talk, void *arg)
{
    fake_postgres_start(&server, "127.0.0.1", 0, talk, arg);
}

static void
part(void)
{
    dial_end(&one);
    fake_postgres_stop(&server);
}

/* ---- nobody there ---- */

START_TEST(refused)
{
    ck_assert(!dial(&one, shape, free_port()));
    dial_failed(&one, DBAL_ERROR_OPERATIONAL, "08001", true, "Connection refused");
    ck_assert_ptr_nonnull(dbal_error_hint(one.error));
    dial_no_secret(&one, "topsecret");
    dial_end(&one);
}
END_TEST

START_TEST(no_such_socket)
{
    ck_assert(!dial(&one, "postgresql:///bank?host=/nonexistent"));
    dial_failed(&one, DBAL_ERROR_OPERATIONAL, "08001", true, "No such file");
    ck_assert(!dial(&one, "postgresql:///bank?host=@dbal-no-such-abstract-socket"));
    dial_failed(&one, DBAL_ERROR_OPERATIONAL, "08001", true, "refused");
    char path[300];
    memset(path, 'x', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    ck_assert(!dial(&one, "postgresql:///bank?host=/%s", path));
    dial_failed(&one, DBAL_ERROR_INTERFACE, "", false, "too long");
    dial_end(&one);
}
END_TEST

START_TEST(every_attempt_is_told)
{
    int port = free_port();
    ck_assert(
        !dial(&one, "postgresql://me:topsecret@127.0.0.1:%d,two.test:%d,gone.test/x", port, port));
    dial_failed(&one, DBAL_ERROR_OPERATIONAL, "08001", true, "none of 4 attempts");
    const char *message = dbal_error_message(one.error);
    ck_assert_ptr_nonnull(strstr(message, "server at \"127.0.0.1\", port"));
    ck_assert_ptr_nonnull(strstr(message, "server at \"two.test\" (127.0.0.2), port"));
    ck_assert_ptr_nonnull(strstr(message, "server at \"two.test\" (127.0.0.3), port"));
    ck_assert_ptr_nonnull(strstr(message, "host \"gone.test\" cannot be looked up: Name or"));
    dial_no_secret(&one, "topsecret");
    dial_end(&one);
}
END_TEST

/* ---- names ---- */

START_TEST(a_name_that_is_not_there)
{
    ck_assert(!dial(&one, "postgresql://me:topsecret@gone.test/bank"));
    dial_failed(&one, DBAL_ERROR_OPERATIONAL, "08001", false, "\"gone.test\" cannot be looked up");
    ck_assert(!dial(&one, "postgresql://me:topsecret@again.test/bank"));
    dial_failed(&one, DBAL_ERROR_OPERATIONAL, "08001", true, "\"again.test\" cannot be looked up");
    dial_no_secret(&one, "topsecret");
    /* where it was once, it may be again */
    ck_assert(dial_configure(&one, "postgresql://gone.test/bank"));
    one.again = true;
    ck_assert(!dial_connect(&one, 5));
    dial_failed(&one, DBAL_ERROR_OPERATIONAL, "08001", true, "\"gone.test\" cannot be looked up");
    one.again = false;
    dial_end(&one);
}
END_TEST

START_TEST(a_look_up_that_hangs_is_left)
{
    ck_assert(dial_configure(&one, "postgresql://hang.test:1/bank"));
    ck_assert(!dial_connect(&one, 0.2));
    dial_failed(&one, DBAL_ERROR_TIMEOUT, "08001", true,
                "\"hang.test\" could not be looked up: no answer in time");
    ck_assert(one.seconds >= 0.2 && one.seconds < TOO_LONG);
    ck_assert_int_eq(names_hanging(), 1);
    names_let_go();
    dial_end(&one);
}
END_TEST

START_TEST(a_look_up_that_hangs_leaves_time_for_others)
{
    char url[200];
    meet(fake_postgres_welcome, NULL);
    snprintf(url, sizeof url, "postgresql://hang.test,db.test/bank?port=%d&sslmode=disable",
             server.port);
    ck_assert(dial_configure(&one, url));
    ck_assert_msg(dial_connect(&one, 4), "%s", dbal_error_message(one.error));
    ck_assert(one.seconds >= 2);
    names_let_go();
    part();
}
END_TEST

START_TEST(there_are_only_so_many_look_ups_that_hang)
{
    ck_assert(dial_configure(&one, "postgresql://hang.test:1/bank"));
    /* the time may be up before a look-up has begun */
    while (names_hanging() < 32) {
        ck_assert(!dial_connect(&one, 0.01));
        one.error = dbal_error_unref(one.error);
    }
    ck_assert(!dial_connect(&one, 10));
    dial_failed(&one, DBAL_ERROR_OPERATIONAL, "08001", true, "32 look-ups of names are hanging");
    names_let_go();
    dial_end(&one);
}
END_TEST

static void
stop_it(void)
{
    atomic_store(&one.stop, true);
}

START_TEST(a_look_up_ends_when_it_is_not_wanted)
{
    names_on_hang = stop_it;
    ck_assert(dial_configure(&one, "postgresql://hang.test:1/bank"));
    ck_assert(!dial_connect(&one, 60));
    dial_failed(&one, DBAL_ERROR_OPERATIONAL, "08001", true, "not wanted any more");
    ck_assert(one.seconds < TOO_LONG);
    names_on_hang = NULL;
    names_let_go();
    dial_end(&one);
}
END_TEST

/* Its name is kept beside the address: the certificate, the password file and messages go by it. */
START_TEST(the_name_stays)
{
    meet(fake_postgres_welcome, NULL);
    dial_ok(&one, "postgresql://db.test:%d/bank?sslmode=disable", server.port);
    ck_assert_str_eq(PQhost(one.conn), "db.test");
    ck_assert_str_eq(PQhostaddr(one.conn), "127.0.0.1");
    part();
}
END_TEST

START_TEST(the_second_address)
{
    fake_postgres_start(&server, "127.0.0.3", 0, fake_postgres_welcome, NULL);
    dial_ok(&one, "postgresql://two.test:%d/bank?sslmode=disable", server.port);
    ck_assert_str_eq(PQhostaddr(one.conn), "127.0.0.3");
    part();
}
END_TEST

/* With chance on its side one of two is the first often enough. */
START_TEST(random_hosts)
{
    fake_postgres_start(&server, "127.0.0.2", 0, fake_postgres_welcome, NULL);
    fake_postgres_start(&other, "127.0.0.3", server.port, fake_postgres_welcome, NULL);
    for (int i = 0; i < 200 && (server.calls == 0 || other.calls == 0); i++)
        dial_ok(&one, "postgresql://two.test:%d/bank?sslmode=disable&load_balance_hosts=random",
                server.port);
    ck_assert_int_gt(server.calls, 0);
    ck_assert_int_gt(other.calls, 0);
    int calls = other.calls;
    for (int i = 0; i < 20; i++)
        dial_ok(&one, "postgresql://127.0.0.2,127.0.0.3/bank?port=%d&sslmode=disable", server.port);
    ck_assert_int_eq(other.calls, calls);
    part();
    fake_postgres_stop(&other);
}
END_TEST

/* ---- servers that do not speak ---- */

START_TEST(one_that_never_speaks)
{
    char url[200];
    meet(fake_postgres_hold, NULL);
    snprintf(url, sizeof url, shape, server.port);
    ck_assert(dial_configure(&one, url));
    ck_assert(!dial_connect(&one, 0.3));
    dial_failed(&one, DBAL_ERROR_TIMEOUT, "08001", true, "server at \"127.0.0.1\", port");
    ck_assert(one.seconds >= 0.3 && one.seconds < TOO_LONG);
    dial_no_secret(&one, "topsecret");
    part();
}
END_TEST

START_TEST(connect_timeout_is_for_each_address)
{
    fake_postgres_start(&server, "127.0.0.2", 0, fake_postgres_hold, NULL);
    fake_postgres_start(&other, "127.0.0.3", server.port, fake_postgres_welcome, NULL);
    dial_ok(&one, "postgresql://two.test:%d/x?connect_timeout=1.5&sslmode=disable", server.port);
    ck_assert(one.seconds >= 1.5 && one.seconds < 4);
    ck_assert_str_eq(PQhostaddr(one.conn), "127.0.0.3");
    part();
    fake_postgres_stop(&other);
}
END_TEST

static void
stop_then_hold(fake_postgres *self, int fd)
{
    stop_it();
    fake_postgres_hold(self, fd);
}

START_TEST(it_ends_when_it_is_not_wanted)
{
    meet(stop_then_hold, NULL);
    char url[200];
    snprintf(url, sizeof url, shape, server.port);
    ck_assert(dial_configure(&one, url));
    ck_assert(!dial_connect(&one, 60));
    dial_failed(&one, DBAL_ERROR_OPERATIONAL, "08001", true, "not wanted any more");
    ck_assert(one.seconds < TOO_LONG);
    part();
}
END_TEST

/* As an address does that nothing comes back from: the queue of those to be taken is full. */
START_TEST(one_that_does_not_even_take_the_connection)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof name;
    int hole = socket(AF_INET, SOCK_STREAM, 0), fill[4];
    ck_assert_int_eq(bind(hole, (struct sockaddr *)&name, sizeof name), 0);
    ck_assert_int_eq(listen(hole, 0), 0);
    getsockname(hole, (struct sockaddr *)&name, &size);
    for (int i = 0; i < 4; i++) {
        fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        connect(fill[i], (struct sockaddr *)&name, sizeof name);
    }
    meet(fake_postgres_welcome, NULL);
    char url[200];
    snprintf(url, sizeof url, "postgresql://127.0.0.1:%d,127.0.0.1:%d/bank?sslmode=disable",
             ntohs(name.sin_port), server.port);
    ck_assert(dial_configure(&one, url));
    ck_assert_msg(dial_connect(&one, 4), "%s", dbal_error_message(one.error));
    ck_assert_msg(one.seconds >= 2, "%g", one.seconds);
    for (int i = 0; i < 4; i++)
        close(fill[i]);
    close(hole);
    part();
}
END_TEST

/* ---- servers that speak nonsense ---- */

typedef struct nonsense {
    const char *says;
    size_t size;
    bool holds; /* instead of closing */
    const char *fragment;
    dbal_error_class error_class;
} nonsense;

#define BYTES(text) text, sizeof(text) - 1

static const nonsense nonsenses[] = {
    {BYTES("HTTP/1.1 400 Bad Request\r\n\r\n"), false, "", DBAL_ERROR_OPERATIONAL},
    {BYTES(""), false, "closed the connection", DBAL_ERROR_OPERATIONAL},
    {BYTES("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), false, "", DBAL_ERROR_OPERATIONAL},
    /* truncated */
    {BYTES("R\0\0\0\x08\0\0"), false, "closed the connection", DBAL_ERROR_OPERATIONAL},
    {BYTES("R\0\0\0\x08\0\0"), true, "in time", DBAL_ERROR_TIMEOUT},
    {BYTES("E\0\0\0\x60SFATAL\0C57P03\0Mtrunc"), false, "closed the connection",
     DBAL_ERROR_OPERATIONAL},
    {BYTES("E\0\0\0\x60SFATAL\0C57P03\0Mtrunc"), true, "in time", DBAL_ERROR_TIMEOUT},
    /* absurdly long ones */
    {BYTES("R\x7f\xff\xff\xff\0\0\0\0"), true, "", DBAL_ERROR_OPERATIONAL},
    {BYTES("E\x7f\xff\xff\xff"
           "a text of an age ago\0"),
     true, "an age ago", DBAL_ERROR_OPERATIONAL},
    {BYTES("R\xff\xff\xff\xff"), true, "", DBAL_ERROR_OPERATIONAL},
    /* an authentication that is not known */
    {BYTES("R\0\0\0\x08\0\0\0\x63"), true, "authentication method", DBAL_ERROR_OPERATIONAL},
    /* authenticated, then nothing that makes sense */
    {BYTES("R\0\0\0\x08\0\0\0\0"
           "S\0\0\0\x05"
           "abcdefgh"),
     true, "", DBAL_ERROR_OPERATIONAL},
    {BYTES("R\0\0\0\x08\0\0\0\0"
           "q\0\0\0\x04"),
     true, "", DBAL_ERROR_OPERATIONAL},
};

static void
talk_nonsense(fake_postgres *self, int fd)
{
    const nonsense *which = self->arg;
    if (!fake_postgres_hear(self, fd, 'N'))
        return;
    if (fake_postgres_send(fd, which->says, which->size) && which->holds)
        fake_postgres_hold(self, fd);
}

START_TEST(nonsense_is_told_in_time)
{
    char url[200];
    const nonsense *which = &nonsenses[_i];
    meet(talk_nonsense, (void *)which);
    snprintf(url, sizeof url, shape, server.port);
    ck_assert(dial_configure(&one, url));
    /* what is wrong for certain is seen at once */
    ck_assert(!dial_connect(
        &one, which->fragment[0] != '\0' && which->error_class != DBAL_ERROR_TIMEOUT ? 60 : 0.5));
    ck_assert(one.seconds < TOO_LONG);
    ck_assert_str_eq(dbal_error_sqlstate(one.error), "08001");
    ck_assert_msg(dbal_error_is(one.error, which->error_class) ||
                      dbal_error_is(one.error, DBAL_ERROR_TIMEOUT),
                  "%s", dbal_error_message(one.error));
    ck_assert_msg(strstr(dbal_error_message(one.error), which->fragment) != NULL, "%s",
                  dbal_error_message(one.error));
    ck_assert_uint_lt(strlen(dbal_error_message(one.error)), 700);
    dial_no_secret(&one, "topsecret");
    part();
}
END_TEST

/* It never comes to an end, and must neither fill the memory nor hold up anybody. */
static void
talk_without_end(fake_postgres *self, int fd)
{
    static const char page[65536] = {'x'};
    if (!fake_postgres_hear(self, fd, 'N') || !fake_postgres_send(fd, self->arg, 5))
        return;
    while (fake_postgres_send(fd, page + 1, sizeof page - 1)) {
    }
}

static const char *const endless[] = {"E\x7f\xff\xff\xff", "R\x00\x00\x00\x00", "N\x7f\xff\xff\xff",
                                      "S\x7f\xff\xff\xff", "v\x7f\xff\xff\xff"};

START_TEST(a_message_without_end)
{
    char url[200];
    meet(talk_without_end, (void *)endless[_i]);
    snprintf(url, sizeof url, shape, server.port);
    ck_assert(dial_configure(&one, url));
    ck_assert(!dial_connect(&one, 1));
    ck_assert(one.seconds < TOO_LONG);
    ck_assert_str_eq(dbal_error_sqlstate(one.error), "08001");
    part();
}
END_TEST

static void
add(Suite *suite, const TTest *test, int count)
{
    TCase *tests = tcase_create(test->name);
    tcase_add_loop_test(tests, test, 0, count);
    tcase_set_timeout(tests, 60);
    suite_add_tcase(suite, tests);
}

#define COUNT(array) (int)(sizeof(array) / sizeof(array)[0])

Suite *
connect_fake_suite(void)
{
    Suite *suite = suite_create("postgres fakes");
    add(suite, refused, 1);
    add(suite, no_such_socket, 1);
    add(suite, every_attempt_is_told, 1);
    add(suite, a_name_that_is_not_there, 1);
    add(suite, a_look_up_that_hangs_is_left, 1);
    add(suite, a_look_up_that_hangs_leaves_time_for_others, 1);
    add(suite, there_are_only_so_many_look_ups_that_hang, 1);
    add(suite, a_look_up_ends_when_it_is_not_wanted, 1);
    add(suite, the_name_stays, 1);
    add(suite, the_second_address, 1);
    add(suite, random_hosts, 1);
    add(suite, one_that_never_speaks, 1);
    add(suite, connect_timeout_is_for_each_address, 1);
    add(suite, it_ends_when_it_is_not_wanted, 1);
    add(suite, one_that_does_not_even_take_the_connection, 1);
    add(suite, nonsense_is_told_in_time, COUNT(nonsenses));
    add(suite, a_message_without_end, COUNT(endless));
    return suite;
}
