/* What the driver makes of a statement's text. */
#include "drivers/mariadb/meaning.h"

#include <stdlib.h>
#include <string.h>

#include "session.h"
#include "tests/lib/suite.h"

enum {
    R = DBAL_SQL_READS,
    W = DBAL_SQL_WRITES,
    S = DBAL_SQL_SESSION,
    U = DBAL_SQL_UNSHARED,
    B = DBAL_SQL_BEGINS,
    L = DBAL_SQL_LOCAL
};

#define PLAIN DBAL__MARIADB_PLAIN
#define COMMITS DBAL__MARIADB_COMMITS_BY_ITSELF

static const struct {
    const char *sql;
    unsigned kinds;
    dbal__mariadb_control control;
} table[] = {
    {"select 1", R, PLAIN},
    {"# c\n-- d\n /* e */ SELECT 1", R, PLAIN},
    {"((select 1) union (select 2))", R, PLAIN},
    {"values (1), (2)", R, PLAIN},
    {"with x as (select 1) select * from x", R, PLAIN},
    {"select 'for update', \"get_lock(1)\", `into`", R, PLAIN},
    {"select @@sql_mode, @@global.x, current_user()", R, PLAIN},
    {"select sleep(1), left('a', 1), replace('a', 'b', 'c')", R, PLAIN},
    {"do sleep(1)", R, PLAIN},
    {"", R | U, PLAIN},
    {"show tables", R | U, PLAIN},
    {"describe t", R | U, PLAIN},
    {"help 'x'", R | U, DBAL__MARIADB_HELPS},
    {"explain select 1", R | U, PLAIN},
    {"explain delete from t", R | U, PLAIN},
    {"analyze select 1", R | U, PLAIN},
    /* writing */
    {"insert into t values (1)", W, DBAL__MARIADB_MAKES},
    {"replace into t values (1) returning a", W, DBAL__MARIADB_MAKES},
    {"update t set a = 1", W, PLAIN},
    {"delete from t", W, PLAIN},
    {"with x as (select 1) delete from t", W, PLAIN},
    {"select * from t for update", W, PLAIN},
    {"select * from t lock in share mode", W, PLAIN},
    {"select 1 into outfile '/tmp/x'", W, PLAIN},
    {"select nextval(s), next value for s", W, PLAIN},
    {"/*! delete from t */", W, PLAIN},
    {"/*!50000 insert */ into t values (1)", W, DBAL__MARIADB_MAKES},
    {"call p()", W | U, PLAIN},
    {"load data infile 'x' into table t", W | U, PLAIN},
    {"begin not atomic select 1; end", S | W | U, PLAIN},
    {"begin not atomic set sql_mode = ''; end", S | W | U, PLAIN},
    {"if 1 then set sql_mode = ''; end if", S | W | U, PLAIN},
    {"case 1 when 1 then set sql_mode = ''; end case", S | W | U, PLAIN},
    {"while 1 do set sql_mode = ''; end while", S | W | U, PLAIN},
    {"repeat set sql_mode = ''; until 1 end repeat", S | W | U, PLAIN},
    {"for i in 1..2 do set sql_mode = ''; end for", S | W | U, PLAIN},
    {"l : loop set sql_mode = ''; leave l; end loop", S | W | U, PLAIN},
    {"analyze update t set a = 1", W | U, PLAIN},
    {"nonsense", W | U, PLAIN},
    /* DDL and its like */
    {"create table t(a int)", W | U, COMMITS},
    {"create or replace table t(a int)", W | U, COMMITS},
    {"drop table t", W | U, COMMITS},
    {"alter table t add b int", W | U, COMMITS},
    {"truncate t", W | U, COMMITS},
    {"rename table a to b", W | U, COMMITS},
    {"grant all on *.* to a", W | U, COMMITS},
    {"analyze table t", W | U, COMMITS},
    {"flush tables", W | U, COMMITS},
    {"set password = ''", W | U, COMMITS},
    {"start slave", W | U, COMMITS},
    {"flush tables with read lock", S | W | U, COMMITS},
    {"lock tables t write", S | W | U, COMMITS},
    {"unlock tables", S | W | U, COMMITS},
    /* of a session */
    {"create temporary table t(a int)", S | W | U, PLAIN},
    {"create or replace temporary table t(a int)", S | W | U, PLAIN},
    {"drop temporary table t", S | W | U, PLAIN},
    {"set @a = 1", S, DBAL__MARIADB_SETS},
    {"set names latin1", S, DBAL__MARIADB_SETS},
    {"set transaction read only", S | L, DBAL__MARIADB_SETS},
    {"set global x = 1", S | W, DBAL__MARIADB_SETS},
    {"set global x = 1, role r", S | W, DBAL__MARIADB_SETS_ROLE},
    {"set global x = 1, session max_statement_time = 5", S | W, DBAL__MARIADB_SETS_LIMIT},
    {"set statement max_statement_time = 1 for select 1", R, PLAIN},
    {"set statement max_statement_time = 1 for insert into t values (1)", W, DBAL__MARIADB_MAKES},
    {"use d", S, DBAL__MARIADB_MOVES},
    {"prepare s from 'select 1'", S, PLAIN},
    {"execute s", S | W | U, PLAIN},
    {"handler t open", S | U, PLAIN},
    {"xa begin 'x'", S | W | U, PLAIN},
    {"show warnings", S | R | U, PLAIN},
    {"select @a", S | R, PLAIN},
    {"select @a := 1", S | R, PLAIN},
    {"select 1 into @a", S | R, PLAIN},
    {"select get_lock('a', 1)", S | R, PLAIN},
    {"select last_insert_id()", S | R, PLAIN},
    {"select /*! get_lock('a', 1) */ 1", S | R, PLAIN},
    {"insert into t values (last_insert_id())", S | W, DBAL__MARIADB_MAKES},
    /* transactions */
    {"begin", S | B, DBAL__MARIADB_BEGINS},
    {"begin work", S | B, DBAL__MARIADB_BEGINS},
    {"start transaction read only", S | B, DBAL__MARIADB_BEGINS},
    {"commit", S, DBAL__MARIADB_COMMITS},
    {"rollback", S, DBAL__MARIADB_ROLLS_BACK},
    {"rollback work to savepoint a", S, DBAL__MARIADB_STEPS},
    {"savepoint a", S, DBAL__MARIADB_STEPS},
    {"release savepoint a", S, DBAL__MARIADB_STEPS},
};

START_TEST(what_a_text_means)
{
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        dbal__mariadb_meaning m = dbal__mariadb_meaning_of(table[i].sql);
        ck_assert_msg(m.kinds == table[i].kinds, "%s: %x", table[i].sql, m.kinds);
        ck_assert_msg(m.control == table[i].control, "%s: %d", table[i].sql, (int)m.control);
        ck_assert_msg((m.instead != NULL) == ((m.kinds & S) != 0), "%s: %s", table[i].sql,
                      m.instead != NULL ? m.instead : "nothing instead");
    }
}
END_TEST

/* What is nested is followed for a while, and not for as long as there is memory to nest in. */
START_TEST(what_is_nested_has_an_end)
{
    static const char *const words[] = {"analyze ", "explain analyze ", "set statement a = 1 for "};
    enum { TIMES = 1000000 };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        size_t size = strlen(words[i]);
        char *sql = malloc(TIMES * size + 1);
        ck_assert_ptr_nonnull(sql);
        for (size_t at = 0; at < TIMES; at++)
            memcpy(sql + at * size, words[i], size);
        sql[TIMES * size] = '\0';
        ck_assert_uint_eq(dbal__mariadb_meaning_of(sql).kinds & (R | W | U), W | U);
        free(sql);
    }
}
END_TEST

static void
nothing(void)
{
}

void
add_meaning(Suite *suite)
{
    suite_add(suite, what_a_text_means, nothing, nothing);
    suite_add(suite, what_is_nested_has_an_end, nothing, nothing);
}
