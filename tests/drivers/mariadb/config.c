/* URLs that are refused, and what for. */
#include "session.h"

#include <string.h>

#include "tests/lib/suite.h"

static void
before(void)
{
    loop_fixture_init(&fixture);
}

static void
after(void)
{
    loop_fixture_fini(&fixture);
}

static void
check(const char *url, const char *words)
{
    dbal_error *error = NULL;
    dbal_pool *refused = dbal_pool_open(fixture.loop, url, NULL, &error);
    ck_assert_msg(refused == NULL, "%s", url);
    ck_assert_msg(dbal_error_is(error, DBAL_ERROR_INTERFACE), "%s", dbal_error_message(error));
    ck_assert_msg(strstr(dbal_error_message(error), words) != NULL, "%s: %s", url,
                  dbal_error_message(error));
    ck_assert_ptr_null(strstr(dbal_error_message(error), "secret"));
    dbal_error_unref(error);
}

START_TEST(what_is_not_known_is_refused)
{
    check("mariadb://me:secret@h/d?sql_mod=x", "sql_mode");
    check("mariadb://me:secret@h/d?ssl=maybe", "on or off");
    check("mariadb://me:secret@h/d?connect_timeout=0", "from 1 to 3600");
    check("mariadb://me:secret@h/d?connect_timeout=1.5", "from 1 to 3600");
    check("mariadb://me:secret@h/d?tinyint1=yes", "int or bool");
    check("mariadb://me:secret@h/d?socket=/x", "both a host and a socket");
    check("mariadb://me:secret@h:70000/d", "port");
}
END_TEST

START_TEST(modes_that_change_how_sql_is_read_are_refused)
{
    check("mariadb://h/d?sql_mode=ANSI_QUOTES", "how SQL is read");
    check("mariadb://h/d?sql_mode=STRICT_ALL_TABLES,ansi", "how SQL is read");
    check("mariadb://h/d?sql_mode=NO_BACKSLASH_ESCAPES", "how SQL is read");
    check("mariadb://h/d?sql_mode=x%27", "list of modes");
}
END_TEST

void
add_config(Suite *suite)
{
    suite_add(suite, what_is_not_known_is_refused, before, after);
    suite_add(suite, modes_that_change_how_sql_is_read_are_refused, before, after);
}
