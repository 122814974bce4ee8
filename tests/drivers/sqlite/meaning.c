#include <string.h>

#include "fixture.h"

enum {
    R = DBAL_SQL_READS,
    W = DBAL_SQL_WRITES,
    S = DBAL_SQL_SESSION,
    U = DBAL_SQL_UNSHARED,
    B = DBAL_SQL_BEGINS,
    REFUSED = DBAL_SQL_REFUSED
};

static const char transaction[] = "dbal_pool_transaction()";
static const char savepoint[] = "dbal_connection_savepoint()";
static const char session[] = "dbal_pool_session()";
static const char rowid[] = "dbal_result_last_insert_id()";
static const char affected[] = "dbal_result_affected()";

static const struct {
    const char *sql;
    unsigned kinds;
    const char *instead;
} table[] = {
    {"select 1", R, NULL},
    {"SeLeCt 1", R, NULL},
    {"/* c */ -- d\n select 1", R, NULL},
    {"; ; select 1", R, NULL},
    {"\xef\xbb\xbfselect 1", R, NULL},
    {"values (1), (2)", R, NULL},
    {"insert into t values (1)", W, NULL},
    {"replace into t values (1)", W, NULL},
    {"update t set a = 1", W, NULL},
    {"delete from t", W, NULL},
    {"delete from t returning a", W, NULL},
    {"with x as (select 1) select * from x", R, NULL},
    {"with x(a, b) as (select 1, ')'), y as materialized (select (2)) insert into t select 1", W,
     NULL},
    {"with recursive x as (select 1 union all select 2 from x) delete from t", W, NULL},
    {"with recursive as (select 1) select * from recursive", R, NULL},
    {"with insert_ as not materialized (select 1) update t set a = 1", W, NULL},
    {"with \"a b\" as (values (1)) values (2)", R, NULL},
    {"with replace as (select 1) select * from replace", R, NULL},
    {"with", R | U, NULL},
    {"with x as (select 1", R | U, NULL},
    {"explain delete from t", R | U, NULL},
    {"explain query plan insert into t values (1)", R | U, NULL},
    {"create table t (a)", W | U, NULL},
    {"create unique index i on t (a)", W | U, NULL},
    {"create trigger r after insert on t begin select changes(); end", W | U, NULL},
    {"create temp table t (a)", S | U, session},
    {"create temporary view v as select 1", S | U, session},
    {"create table temp.t (a)", S | U, session},
    {"create table if not exists \"TEMP\".t (a)", S | U, session},
    {"create table temp (a)", W | U, NULL},
    {"drop table t", W | U, NULL},
    {"alter table t add column b", W | U, NULL},
    {"reindex", W | U, NULL},
    {"analyze", W | U, NULL},
    {"vacuum", W | U, NULL},
    {"vacuum main", W | U, NULL},
    {"vacuum into 'x.db'", R | U, NULL},
    {"vacuum main into 'x.db'", R | U, NULL},
    {"begin", S | B, transaction},
    {"begin deferred transaction", S | B, transaction},
    {"begin immediate", S | B | W, transaction},
    {"begin exclusive", S | B | W, transaction},
    {"\xef\xbb\xbf begin", S | B, transaction},
    {"commit", S, transaction},
    {"end transaction", S, transaction},
    {"rollback", S, transaction},
    {"rollback transaction to savepoint a", S, savepoint},
    {"rollback to a", S, savepoint},
    {"savepoint a", S, savepoint},
    {"release a", S, savepoint},
    {"attach 'x' as y", S, session},
    {"detach y", S, session},
    {"pragma user_version", R | U, NULL},
    {"pragma user_version = 5", S | W | U, session},
    {"pragma main.user_version(5)", S | W | U, session},
    {"pragma table_info(t)", R | U, NULL},
    {"pragma foreign_key_check", R | U, NULL},
    {"pragma integrity_check(10)", R | U, NULL},
    {"pragma foreign_keys", R | U, NULL},
    {"pragma foreign_keys = off", S, "the URL parameter foreign_keys"},
    {"pragma /* c */ main . cache_size /* d */ ( 5 )", S, "the URL parameter cache_size"},
    {"pragma \"foreign_keys\" = off", S, "the URL parameter foreign_keys"},
    {"explain pragma query_only = on", S, session},
    {"explain query plan pragma query_only = on", S, session},
    {"pragma journal_mode", R | U, NULL},
    {"pragma journal_mode = delete", REFUSED, "the URL parameter journal_mode"},
    {"pragma main.journal_mode(delete)", REFUSED, "the URL parameter journal_mode"},
    {"pragma busy_timeout", R | U, NULL},
    {"pragma busy_timeout = 100", S, "the URL parameter busy_timeout"},
    {"pragma wal_checkpoint(truncate)", W | U, NULL},
    {"pragma optimize", W | U, NULL},
    {"select * from pragma_optimize", W | U, NULL},
    {"select * from t, main . \"Pragma_Optimize\"(-1)", W | U, NULL},
    {"with a as (select * from [pragma_optimize]) select 1 from a", W | U, NULL},
    {"select 1 from 'pragma_optimize'", W | U, NULL},
    {"select 1 from main.'pragma_optimize'", W | U, NULL},
    {"select 1 where 1 in 'pragma_optimize'", W | U, NULL},
    {"select 1 where 'a' in ('pragma_optimize')", R, NULL},
    {"insert into t select * from pragma_optimize", W | U, NULL},
    {"select last_insert_rowid() from pragma_optimize", W | U | S, rowid},
    {"explain select * from pragma_optimize", R | U, NULL},
    {"select 'pragma_optimize'", R, NULL},
    {"select * from pragma_table_info('optimize')", R, NULL},
    {"select * from pragma_ join pragma_optimizer join optimize", R, NULL},
    {"select last_insert_rowid()", R | S, rowid},
    {"insert into t values (last_insert_rowid ( ))", W | S, rowid},
    {"select changes()", R | S, affected},
    {"select total_changes()", R | S, affected},
    {"insert into changes (a) values (1)", W, NULL},
    {"select 'changes()'", R, NULL},
    {"select changes from t", R, NULL},
    {"", R | U, NULL},
    {"nonsense", R | U, NULL},
    {"select 'never ends", R, NULL},
};

START_TEST(what_statements_do)
{
    dbal_sql_class got = dbal_sqlite_driver.classify(NULL, table[_i].sql);
    ck_assert_msg(got.kinds == table[_i].kinds, "%s: %u", table[_i].sql, got.kinds);
    ck_assert_msg((got.instead == NULL) == (table[_i].instead == NULL) &&
                      (got.instead == NULL || strcmp(got.instead, table[_i].instead) == 0),
                  "%s: %s", table[_i].sql, got.instead);
}
END_TEST

Suite *
meaning_suite(void)
{
    Suite *suite = suite_create("sqlite meaning");
    TCase *tests = tcase_create("meaning");
    tcase_add_loop_test(tests, what_statements_do, 0, sizeof table / sizeof table[0]);
    suite_add_tcase(suite, tests);
    return suite;
}
