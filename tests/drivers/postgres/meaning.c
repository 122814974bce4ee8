#include "drivers/postgres/meaning.h"

#include <string.h>

#include "drivers/postgres/config.h"
#include "drivers/postgres/setting.h"
#include "values.h"

enum {
    R = DBAL_SQL_READS,
    W = DBAL_SQL_WRITES,
    S = DBAL_SQL_SESSION,
    U = DBAL_SQL_UNSHARED,
    B = DBAL_SQL_BEGINS
};

static const char transaction[] = "dbal_pool_transaction()";
static const char savepoint[] = "dbal_connection_savepoint()";
static const char session[] = "dbal_pool_session()";
static const char stream[] = "dbal_pool_stream()";
static const char listener[] = "dbal_pool_listen()";
static const char query[] = "dbal_pool_query(), which prepares statements by itself";
static const char returning[] = "insert … returning";

#define PLAIN DBAL__POSTGRES_PLAIN
#define CHANGES DBAL__POSTGRES_CHANGES_SESSION

static const struct {
    const char *sql;
    unsigned kinds;
    const char *instead;
    dbal__postgres_control control;
} table[] = {
    /* reading */
    {"select 1", R, NULL, PLAIN},
    {"SeLeCt 1", R, NULL, PLAIN},
    {"/* c /* d */ begin */ -- e\n select 1", R, NULL, PLAIN},
    {"; ; select 1", R, NULL, PLAIN},
    {"((select 1) union (select 2))", R, NULL, PLAIN},
    {"values (1), (2)", R, NULL, PLAIN},
    {"table t", R, NULL, PLAIN},
    {"select 'insert into t', $$update$$, \"delete\"", R, NULL, PLAIN},
    {"select update, t.delete from t", R, NULL, PLAIN},
    {"select coalesce(delete, 1), (update), substring(update from 1 for 2) from t", R, NULL, PLAIN},
    {"select f(x) update from t", R, NULL, PLAIN},
    {"with a as (select 1), b as materialized ((table t)) select insert from a", R, NULL, PLAIN},
    {"select count(*) filter (where x) from t group by x", R, NULL, PLAIN},
    {"select substring(x for 3), overlay(a placing b from 1 for 2) from t", R, NULL, PLAIN},
    {"with x as (select 1) select * from x", R, NULL, PLAIN},
    {"with recursive x(a) as (values (1) union all select a + 1 from x) table x", R, NULL, PLAIN},
    {"show all", R | U, NULL, PLAIN},
    {"", R | U, NULL, PLAIN},
    {"-- nothing", R | U, NULL, PLAIN},
    /* writing */
    {"insert into t values (1)", W, NULL, PLAIN},
    {"update t set a = 1 from b", W, NULL, PLAIN},
    {"delete from t returning a", W, NULL, PLAIN},
    {"with a as (update only t set x = 1 returning 1) table a", W, NULL, PLAIN},
    {"with a as (update \"t\" set x = 1 returning 1) table a", W, NULL, PLAIN},
    {"merge into t using s on true when matched then do nothing", W, NULL, PLAIN},
    {"with x as (select 1) insert into t select * from x", W, NULL, PLAIN},
    {"with x as (delete from t returning *) select * from x", W, NULL, PLAIN},
    {"with x as not materialized (update t set a = 1 returning *), y as (select 1) select 1", W,
     NULL, PLAIN},
    {"with a as (with b as (insert into t values (1) returning *) select * from b) table a", W,
     NULL, PLAIN},
    {"with x as (select 1) merge into t using x on true when matched then delete", W, NULL, PLAIN},
    {"select 1 from t for update", W, NULL, PLAIN},
    {"select 1 from t for no key update skip locked", W, NULL, PLAIN},
    {"select 1 from t for share", W, NULL, PLAIN},
    {"select * from (select 1 from t for key share) x", W, NULL, PLAIN},
    {"select nextval('s')", W, NULL, PLAIN},
    {"select pg_catalog.setval('s', 1)", W, NULL, PLAIN},
    {"select pg_notify('a', 'b')", W, NULL, PLAIN},
    {"notify a, 'b'", W, NULL, PLAIN},
    {"select 1 as a into b from c", W | U, NULL, PLAIN},
    {"with x as (select 1) select * into b from x", W | U, NULL, PLAIN},
    {"insert into b select 1", W, NULL, PLAIN},
    /* what should be by itself */
    {"create table t (a int)", W | U, NULL, PLAIN},
    {"create unique index concurrently i on t (a)", W | U, NULL, PLAIN},
    {"create or replace function temp() returns int language sql as 'select 1'", W | U, NULL,
     PLAIN},
    {"create table temperature (a int)", W | U, NULL, PLAIN},
    {"drop table t", W | U, NULL, PLAIN},
    {"alter table t add b int", W | U, NULL, PLAIN},
    {"truncate t", W | U, NULL, PLAIN},
    {"vacuum t", W | U, NULL, PLAIN},
    {"analyze", W | U, NULL, PLAIN},
    {"refresh materialized view v", W | U, NULL, PLAIN},
    {"grant select on t to a", W | U, NULL, PLAIN},
    {"call p(1)", W | U, NULL, PLAIN},
    {"do $$ begin perform 1; end $$", W | U, NULL, PLAIN},
    {"select pg_advisory_xact_lock(1)", R | U, NULL, PLAIN},
    {"commit prepared 'x'", W | U, NULL, PLAIN},
    {"rollback prepared 'x'", W | U, NULL, PLAIN},
    {"gibberish", W | U, NULL, PLAIN},
    {"'string'", W | U, NULL, PLAIN},
    /* EXPLAIN */
    {"explain delete from t", R | U, NULL, PLAIN},
    {"explain verbose select 1", R | U, NULL, PLAIN},
    {"explain (costs off) insert into t values (1)", R | U, NULL, PLAIN},
    {"explain (analyze off, verbose) insert into t values (1)", R | U, NULL, PLAIN},
    {"explain (analyze 'false') insert into t values (1)", R | U, NULL, PLAIN},
    {"explain (select 1)", R | U, NULL, PLAIN},
    {"explain analyze select 1", R | U, NULL, PLAIN},
    {"explain analyse verbose delete from t", W | U, NULL, PLAIN},
    {"explain (buffers, analyze) delete from t", W | U, NULL, PLAIN},
    {"explain (analyze on) (select 1 for update)", W | U, NULL, PLAIN},
    {"explain (analyze) create temp table x as select 1", S | W | U, session, CHANGES},
    {"explain execute x", S, query, CHANGES},
    {"explain analyze execute x", S | W | U, query, CHANGES},
    {"explain analyze select pg_advisory_lock(1)", S | R | U, session, CHANGES},
    /* transactions */
    {"begin", S | B, transaction, DBAL__POSTGRES_BEGINS},
    {"/* x */ BEGIN isolation level serializable", S | B, transaction, DBAL__POSTGRES_BEGINS},
    {"start transaction", S | B, transaction, DBAL__POSTGRES_BEGINS},
    {"commit", S, transaction, DBAL__POSTGRES_COMMITS},
    {"commit and chain", S, transaction, DBAL__POSTGRES_COMMITS},
    {"end work", S, transaction, DBAL__POSTGRES_COMMITS},
    {"rollback", S, transaction, DBAL__POSTGRES_ROLLS_BACK},
    {"abort transaction", S, transaction, DBAL__POSTGRES_ROLLS_BACK},
    {"rollback to a", S, savepoint, DBAL__POSTGRES_ROLLS_BACK_TO},
    {"rollback work to savepoint a", S, savepoint, DBAL__POSTGRES_ROLLS_BACK_TO},
    {"savepoint a", S, savepoint, DBAL__POSTGRES_SAVEPOINTS},
    {"release savepoint a", S, savepoint, DBAL__POSTGRES_RELEASES},
    {"prepare transaction 'x'", S, transaction, DBAL__POSTGRES_PREPARES},
    {"lock table t", S, transaction, PLAIN},
    {"set local x = 1", S, transaction, CHANGES},
    {"set transaction read only", S, transaction, CHANGES},
    {"set constraints all deferred", S, transaction, CHANGES},
    /* sessions */
    {"set search_path = a", S, session, CHANGES},
    {"set session characteristics as transaction read only", S, session, CHANGES},
    {"reset all", S, session, CHANGES},
    {"discard all", S | U, session, DBAL__POSTGRES_DISCARDS},
    {"load 'x'", S | U, session, CHANGES},
    {"listen a", S, listener, CHANGES},
    {"unlisten *", S, listener, CHANGES},
    {"prepare p as select 1", S, query, CHANGES},
    {"execute p(1)", S | W | U, query, CHANGES},
    {"deallocate p", S, query, DBAL__POSTGRES_DISCARDS},
    {"declare c cursor with hold for select 1", S, stream, CHANGES},
    {"fetch 1 from c", S, stream, CHANGES},
    {"move c", S, stream, CHANGES},
    {"close c", S, stream, CHANGES},
    {"create temp table t (a int)", S | W | U, session, CHANGES},
    {"create local temporary view v as select 1", S | W | U, session, CHANGES},
    {"create or replace temp view v as select 1", S | W | U, session, CHANGES},
    {"create table if not exists pg_temp.t (a int)", S | W | U, session, CHANGES},
    {"select 1 into temp t", S | W | U, session, CHANGES},
    {"with x as (insert into a values (1) returning *) select * into temporary t from x", S | W | U,
     session, CHANGES},
    {"select * from pg_temp.t", S | R, session, CHANGES},
    {"select pg_advisory_lock(1)", S | R, session, CHANGES},
    {"select pg_catalog . pg_try_advisory_lock ( 1 )", S | R, session, CHANGES},
    {"select \"pg_advisory_unlock\"(1)", S | R, session, CHANGES},
    {"insert into t select pg_advisory_lock(1)", S | W, session, CHANGES},
    {"select pg_advisory_lock from t", R, NULL, PLAIN},
    {"select set_config('a', 'b', false)", S | R, session, CHANGES},
    {"select set_config('a', $1, $2)", S | R, session, CHANGES},
    {"select set_config('a', lower('b'), true)", R, NULL, PLAIN},
    {"select setseed(0.5)", S | R, session, CHANGES},
    {"select currval('s')", S | R, returning, PLAIN},
    {"insert into t values (1) returning currval('s')", W, NULL, PLAIN},
    /* COPY */
    {"copy t from stdin", W | U | DBAL_SQL_COPY_IN, NULL, DBAL__POSTGRES_COPIES},
    {"/* x */ copy t (a, \"from\") from stdin with (format csv)", W | U | DBAL_SQL_COPY_IN, NULL,
     DBAL__POSTGRES_COPIES},
    {"copy t to stdout", R | U | DBAL_SQL_COPY_OUT, NULL, DBAL__POSTGRES_COPIES},
    {"copy (select a from t) to stdout", R | U | DBAL_SQL_COPY_OUT, NULL, DBAL__POSTGRES_COPIES},
    {"copy (delete from t returning *) to stdout", W | U | DBAL_SQL_COPY_OUT, NULL,
     DBAL__POSTGRES_COPIES},
    {"copy t (update, delete) to stdout", R | U | DBAL_SQL_COPY_OUT, NULL, DBAL__POSTGRES_COPIES},
    {"copy t from '/file'", W | U, NULL, PLAIN},
    {"copy t to program 'cat'", R | U, NULL, PLAIN},
    {"copy", R | U, NULL, PLAIN},
    /* what never ends is for the server to refuse */
    {"select 'x", R, NULL, PLAIN},
    {"select (1", R, NULL, PLAIN},
    {"explain (analyze", R | U, NULL, PLAIN},
    {"with", R, NULL, PLAIN},
};

START_TEST(every_statement_is_known)
{
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        dbal_sql_class c = dbal__postgres_classify(NULL, table[i].sql);
        unsigned kinds = c.kinds & ~(unsigned)DBAL_SQL_LOCAL;
        ck_assert_msg(kinds == table[i].kinds, "%s: %u instead of %u", table[i].sql, kinds,
                      table[i].kinds);
        if (table[i].instead != NULL)
            ck_assert_msg(c.instead != NULL && strcmp(c.instead, table[i].instead) == 0, "%s: %s",
                          table[i].sql, c.instead);
        else
            ck_assert_msg(c.instead == NULL, "%s: %s", table[i].sql, c.instead);
        ck_assert_msg(dbal__postgres_control_of(table[i].sql) == table[i].control, "%s: %d",
                      table[i].sql, (int)dbal__postgres_control_of(table[i].sql));
    }
}
END_TEST

static const char *const local[] = {
    "set local work_mem = '1MB'",
    "set transaction read only",
    "set constraints all deferred",
    "lock table t",
    "declare c cursor for select 1",
    "fetch 10 from c",
    "move c",
    "close c",
    "create temp table t (n int) on commit drop",
    "select currval('s')",
};
static const char *const lasting[] = {
    "set work_mem = '1MB'",
    "set session work_mem = '1MB'",
    "reset all",
    "declare c cursor with hold for select 1",
    "create temp table t (n int)",
    "create temp table t (n int) on commit delete rows",
    "select pg_advisory_lock(1)",
    "listen jobs",
    "prepare one as select 1",
    "discard all",
    "deallocate one",
    "load 'one'",
};

/* what ends with its transaction costs no reset, and goes through a pooler */
START_TEST(what_lasts_is_known)
{
    dbal__postgres_config config = {.pooler = true};
    for (size_t i = 0; i < sizeof local / sizeof local[0]; i++) {
        unsigned kinds = dbal__postgres_classify(&config, local[i]).kinds;
        ck_assert_msg((kinds & DBAL_SQL_LOCAL) != 0, "%s", local[i]);
        ck_assert_msg((kinds & S) != 0 && (kinds & DBAL_SQL_REFUSED) == 0, "%s", local[i]);
    }
    for (size_t i = 0; i < sizeof lasting / sizeof lasting[0]; i++) {
        unsigned kinds = dbal__postgres_classify(NULL, lasting[i]).kinds;
        ck_assert_msg((kinds & (S | DBAL_SQL_LOCAL)) == S, "%s", lasting[i]);
        kinds = dbal__postgres_classify(&config, lasting[i]).kinds;
        ck_assert_msg((kinds & DBAL_SQL_REFUSED) != 0, "%s", lasting[i]);
    }
}
END_TEST

START_TEST(a_chain_goes_on)
{
    ck_assert(dbal__postgres_meaning_of("commit and chain").chains);
    ck_assert(dbal__postgres_meaning_of("rollback work and chain").chains);
    ck_assert(dbal__postgres_meaning_of("end transaction and chain").chains);
    ck_assert(!dbal__postgres_meaning_of("commit and no chain").chains);
    ck_assert(!dbal__postgres_meaning_of("rollback").chains);
}
END_TEST

static const char *const sets[] = {
    "set statement_timeout = 5",
    ";/* first */ set session Statement_Timeout to '5s'",
    "set \"statement_timeout\" = default",
    "reset statement_timeout",
    "reset all",
    "discard all",
    "discard temp",
    "select set_config('statement_timeout', '5', false)",
    "select 1, pg_catalog.set_config($1, $2, false)",
    "select set_config(E'statement\\137timeout', '5', false)",
    "select set_config('statement_' || 'timeout', '5', false)",
    "select set_config(name, setting, false) from pg_settings",
    "with x as (select \"set_config\"('STATEMENT_TIMEOUT', '5', false)) select * from x",
    "explain analyze select set_config('statement_timeout', '5', false)",
    "prepare p as select set_config('statement_timeout', '5', false)",
    "do $$ begin set statement_timeout = 5; end $$",
    "do $x$ begin perform set_config($1, '5', false); end $x$",
};
static const char *const sets_local[] = {
    "set local statement_timeout = 5",
    "select set_config('statement_timeout', '5', true)",
};
static const char *const sets_not[] = {
    "",
    "set",
    "select 'set statement_timeout = 5'",
    "show statement_timeout",
    "select * from pg_settings where name = 'statement_timeout'",
    "set work_mem = 5",
    "set local lock_timeout = 5",
    "set session characteristics as transaction read only",
    "set transaction isolation level serializable",
    "reset work_mem",
    "deallocate all",
    "select set_config('app.user', 'statement_timeout', false)",
    "select set_config from t",
    "select current_setting('statement_timeout')",
    "alter role someone set statement_timeout = 5",
    "create function f() returns void language sql as 'set statement_timeout = 5'",
    "do $$ begin perform 1; end $$",
    "begin",
};

START_TEST(what_sets_the_servers_limit_is_known)
{
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++)
        ck_assert_msg(dbal__postgres_sets_of(sets[i]) == DBAL__POSTGRES_SETS, "%s", sets[i]);
    for (size_t i = 0; i < sizeof sets_local / sizeof sets_local[0]; i++)
        ck_assert_msg(dbal__postgres_sets_of(sets_local[i]) == DBAL__POSTGRES_SETS_LOCAL, "%s",
                      sets_local[i]);
    for (size_t i = 0; i < sizeof sets_not / sizeof sets_not[0]; i++)
        ck_assert_msg(dbal__postgres_sets_of(sets_not[i]) == DBAL__POSTGRES_SETS_NOT, "%s",
                      sets_not[i]);
}
END_TEST

Suite *
meaning_suite(void)
{
    Suite *suite = suite_create("postgres meaning");
    suite_add(suite, every_statement_is_known, NULL, NULL);
    suite_add(suite, what_lasts_is_known, NULL, NULL);
    suite_add(suite, a_chain_goes_on, NULL, NULL);
    suite_add(suite, what_sets_the_servers_limit_is_known, NULL, NULL);
    return suite;
}
