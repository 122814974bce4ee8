/* What texts mean, and how a BEGIN is read. */
#include "drivers/odbc/meaning.h"

#include "tests/drivers/odbc/fixture.h"
#include "tests/lib/suite.h"

START_TEST(what_is_not_known_to_be_harmless_writes)
{
    static const struct {
        const char *sql;
        unsigned kinds;
    } all[] = {
        {"select 1", DBAL_SQL_READS},
        {" -- a comment\n (select 1)", DBAL_SQL_READS},
        {"with x as (select 'delete') select * from x", DBAL_SQL_READS},
        {"with x as (delete from y returning *) select * from x", DBAL_SQL_WRITES},
        {"select * into y from x", DBAL_SQL_WRITES},
        {"update x set y = 1", DBAL_SQL_WRITES},
        {"exec something", DBAL_SQL_WRITES | DBAL_SQL_UNSHARED},
        {"create table x(y int)", DBAL_SQL_WRITES | DBAL_SQL_UNSHARED},
        {"create temporary table x(y int)", DBAL_SQL_SESSION | DBAL_SQL_UNSHARED},
        {"set x = 1", DBAL_SQL_SESSION | DBAL_SQL_UNSHARED},
        {"pragma cache_size = 1", DBAL_SQL_SESSION | DBAL_SQL_UNSHARED},
        {"begin", DBAL_SQL_SESSION | DBAL_SQL_BEGINS},
        {"start transaction", DBAL_SQL_SESSION | DBAL_SQL_BEGINS},
        {"commit", DBAL_SQL_SESSION},
        {"rollback to savepoint x", DBAL_SQL_SESSION},
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        ck_assert_msg(dbal__odbc_meaning_of(all[i].sql).kinds == all[i].kinds, "%s", all[i].sql);
    ck_assert_int_eq(dbal__odbc_meaning_of("rollback work").verb, DBAL__ODBC_ROLLBACK);
    ck_assert_int_eq(dbal__odbc_meaning_of("rollback to x").verb, DBAL__ODBC_ROLLBACK_TO);
}
END_TEST

START_TEST(a_begin_is_read)
{
    dbal__odbc_beginning b;
    ck_assert(dbal__odbc_meaning_begins("begin", &b));
    ck_assert(b.isolation == DBAL_ISOLATION_DEFAULT && !b.read_only);
    ck_assert(dbal__odbc_meaning_begins("begin isolation level repeatable read read only", &b));
    ck_assert(b.isolation == DBAL_REPEATABLE_READ && b.read_only);
    ck_assert(dbal__odbc_meaning_begins(
        "START TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ WRITE;", &b));
    ck_assert(b.isolation == DBAL_SERIALIZABLE && !b.read_only);
    ck_assert(dbal__odbc_meaning_begins("begin isolation level read committed", &b));
    ck_assert(b.isolation == DBAL_READ_COMMITTED);
    ck_assert(!dbal__odbc_meaning_begins("begin immediate", &b));
    ck_assert(!dbal__odbc_meaning_begins("begin isolation level snapshot", &b));
}
END_TEST

void
add_meaning(Suite *suite)
{
    suite_add(suite, what_is_not_known_to_be_harmless_writes, before, after);
    suite_add(suite, a_begin_is_read, before, after);
}
