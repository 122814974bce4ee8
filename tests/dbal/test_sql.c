#include "tests/lib/alloc_fault.h"
#include "tests/lib/suite.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "dbal/error.h"
#include "dbal/sql.h"

#define LENGTH(array) ((int)(sizeof(array) / sizeof *(array)))

enum { S = DBAL_DIALECT_SQLITE, P = DBAL_DIALECT_POSTGRESQL, M = DBAL_DIALECT_MYSQL };

static unsigned
can_arrays(const void *config)
{
    (void)config;
    return DBAL_CAN_ARRAY;
}

/* Tells whether it was shown the program's text. */
static dbal_sql_class
classify(const void *config, const char *sql)
{
    (void)config;
    const char *cursor = sql;
    dbal_sql_token first = dbal_sql_next(DBAL_DIALECT_SQLITE, &cursor);
    return (dbal_sql_class){dbal_sql_token_is(first, "select") ? DBAL_SQL_READS : DBAL_SQL_WRITES,
                            strchr(sql, ':') != NULL ? "as written" : NULL};
}

static const dbal_driver drivers[] = {
    [S] = {.dialect = DBAL_DIALECT_SQLITE,
           .paramstyle = DBAL_PARAMSTYLE_NUMBERED,
           .max_parameters = 100,
           .classify = classify},
    [P] = {.dialect = DBAL_DIALECT_POSTGRESQL,
           .paramstyle = DBAL_PARAMSTYLE_DOLLAR,
           .capabilities = can_arrays},
    [M] = {.dialect = DBAL_DIALECT_MYSQL, .paramstyle = DBAL_PARAMSTYLE_QMARK},
};

static dbal__sql *
make(int dialect, const char *text)
{
    dbal_fault fault = DBAL__FAULT_INIT;
    dbal__sql *sql = dbal__sql_new(&drivers[dialect], NULL, text, &fault);
    ck_assert_msg(sql != NULL, "%s: %s", text,
                  fault.error != NULL ? dbal_error_message(fault.error) : "no fault");
    ck_assert(!dbal_fault_is_set(&fault));
    return sql;
}

/* ---- tokens ---------------------------------------------------------------------------------- */

/* One letter for each token: Word, Identifier, String, Number, Parameter, `;`, Operator, Broken. */
static const char letters[] = "?WISNP;OB";

static const struct {
    int dialect;
    const char *text, *kinds;
} tokens[] = {
    {S, "", ""},
    {S, " \t\r\n\f -- all\n/* of it */ -- comment", ""},
    {S, "\xef\xbb\xbfselect 1", "WN"},
    {S, "select \"a\"\"b\", `c`, [d\"e], 'f''g', x'00', X'41' from t;", "WIOIOIOSOSOSWW;"},
    {S, "select 'a\\', 'b'", "WSOS"},
    {S, "select E'a'", "WWS"},
    {S, "select /* /* */ 1", "WN"},
    {S, "1--1", "N"},
    {S, "$1 :a ?1 ? @a $a #a $::a", "PPPPPPPP"},
    {S, "a$1 :1 :a::b", "WPP"},
    {S, "1.5e-3 .5 0x1F 1_000", "NNNWN"},
    {S, "'open", "B"},
    {S, "a \"open", "WB"},
    {S, "a [open", "WB"},
    {S, "a `open", "WB"},
    {S, "a /* open", "WB"},
    {P, "E'a\\'b?' e'\\\\' $1", "SSP"},
    {P, "E'a'\n'b\\'c' $1", "SP"},
    {P, "E'a' -- c\n  'b\\'c' $1", "SP"},
    {P, "E'a' 'b\\' $1", "SSP"},
    {P, "'a\\' $1", "SP"},
    {P, "U&'\\0041' u&\"a\" B'01' X'1F' N'x'", "SISSS"},
    {P, "$$a?b$1$$ $t$ $$ $u$ $t$ $1", "SSP"},
    {P, "a$1$b $1", "WP"},
    {P, "$a b$", "OWW"}, /* a name may hold $ */
    {P, "$1$$x$$", "PS"},
    {P, "/* /* $1 */ $2 */ $3", "P"},
    {P, "/* /* $1 */ $2", "B"},
    {P, "--a\r$1", "P"},
    {P, "x::text :name := ::", "WOWPOO"},
    {P, "j ? 'a' ?| b ?& c @> d", "WOSOOWOOWOOW"},
    {P, "a[1:2] # 3", "WONONOON"},
    {P, "`", "O"},
    {P, "$t$ never $T$", "B"},
    {P, "U&\"open", "B"},
    {P, "E'a\\'", "B"},
    {P, "E'a\\", "B"},
    {P, "\xc3\xa9t\xc3\xa9 :\xc3\xa9", "WP"},
    {M, "'a\\'b' \"c\\\"d\" `e\\` N'f' x'41'", "SSISS"},
    {M, "1--1", "NOON"},
    {M, "1-- 1", "N"},
    {M, "a # b ' \n c", "WW"},
    {M, "/*!50001 7 + */ 1", "ONOOON"},
    {M, "/*M!100100 7 */ /*+ hint */ 1", "ONOON"},
    {M, "2*/*c*/3", "NON"},
    {M, "@x := $1, @@y, ?", "OWOPOOOWOP"},
    {M, "1a$b", "N"},
    {M, "'a\\", "B"},
};

START_TEST(tokens_by_dialect)
{
    const char *cursor = tokens[_i].text;
    char kinds[64];
    size_t count = 0;
    for (;;) {
        dbal_sql_token token = dbal_sql_next((dbal_dialect)tokens[_i].dialect, &cursor);
        if (token.kind == DBAL_SQL_END)
            break;
        ck_assert_uint_lt(count, sizeof kinds - 1);
        kinds[count++] = letters[token.kind];
    }
    kinds[count] = '\0';
    ck_assert_msg(strcmp(kinds, tokens[_i].kinds) == 0, "%s: %s", tokens[_i].text, kinds);
}
END_TEST

/* Tokens, with the white space and comments before each, make up the text. */
START_TEST(tokens_make_up_the_text)
{
    const char *text = tokens[_i].text, *cursor = text;
    for (int dialect = S; dialect <= M; dialect++) {
        char again[256] = "";
        size_t at = 0;
        cursor = text;
        dbal_sql_token token;
        do {
            const char *before = cursor;
            token = dbal_sql_next((dbal_dialect)dialect, &cursor);
            ck_assert_ptr_eq(token.start + token.size, cursor);
            ck_assert(token.start >= before);
            memcpy(again + at, before, (size_t)(cursor - before));
            at += (size_t)(cursor - before);
            ck_assert((token.kind == DBAL_SQL_END) == (token.size == 0));
        } while (token.kind != DBAL_SQL_END);
        ck_assert_mem_eq(again, text, strlen(text) + 1);
    }
}
END_TEST

START_TEST(token_words)
{
    const char *cursor = "SeLeCt 'select'";
    dbal_sql_token token = dbal_sql_next(DBAL_DIALECT_SQLITE, &cursor);
    ck_assert(dbal_sql_token_is(token, "select"));
    ck_assert(!dbal_sql_token_is(token, "selec"));
    ck_assert(!dbal_sql_token_is(token, "selects"));
    token = dbal_sql_next(DBAL_DIALECT_SQLITE, &cursor);
    ck_assert(!dbal_sql_token_is(token, "'select'"));
}
END_TEST

/* ---- what drivers are given ------------------------------------------------------------------ */

static const struct {
    int dialect;
    const char *text;
    const char *written; /* NULL: as it is */
    size_t values, parameters;
} rewritten[] = {
    {S, "select 1", NULL, 0, 0},
    {S, "select '$1', \":a\", [$2], `?`, x'24' -- $3\n/* :b */", NULL, 0, 0},
    {S, "select 1; -- the end\n ;", NULL, 0, 0},
    {S, "select $2,$1", "select ?2,?1", 2, 2},
    {S, "select $1+$1", "select ?1+?1", 1, 1},
    {S, "select :b,:a,:b", "select ?1,?2,?1", 2, 2},
    {S, "select:a", "select?1", 1, 1},
    {S, "select $01", "select ?1", 1, 1},
    {S, "select :a-:b", "select ?1-?2", 2, 2},
    {S, "select j->>'$.a' from t where x=:x", "select j->>'$.a' from t where x=?1", 1, 1},
    {S, "create trigger t after insert on a begin insert into b values(1); select 2; end;", NULL, 0,
     0},
    {S, "create temp trigger t after insert on a begin select case 1 when 1 then 2 end; end", NULL,
     0, 0},
    {P, "select $2::int, $1::text", NULL, 2, 2},
    {P, "select :n::int + :m", "select $1::int + $2", 2, 2},
    {P, "select:a", "select $1", 1, 1},
    {P, "select 1:a", "select 1 $1", 1, 1},
    {P, "select f(a := :a, b => :b)", "select f(a := $1, b => $2)", 2, 2},
    {P, "select a[1:2], a[:n], a[x:y], a[1::n] from t where i = $1", NULL, 1, 1},
    {P, "select a[:n], $1", NULL, 1, 1},
    {P, "select a[:e'\\''], $1", NULL, 1, 1},
    {P, "select a[:n]", "select a[$1]", 1, 1},
    {P, "select a[:n : :m], a[x:y]", "select a[$1 : $2], a[x:y]", 2, 2},
    {P, "select a[b[1]:c], :d", "select a[b[1]:c], $1", 1, 1},
    {P, "select a[f(:x)], array[:y], a[x+:z]", "select a[f($1)], array[$2], a[x+$3]", 3, 3},
    {P, "select j ? 'a', j ?| :k, j ?& array['?']", "select j ? 'a', j ?| $1, j ?& array['?']", 1,
     1},
    {P, "select $q$ :a $1 $q$, E'\\':b', U&':c' /* :d /* :e */ */", NULL, 0, 0},
    {P,
     "create function f() returns int begin atomic select 1; select case when true then 2 end; "
     "end;",
     NULL, 0, 0},
    {P, "create or replace rule r as on insert to t do (select 1; select 2)", NULL, 0, 0},
    {M, "select $2, $1, $2", "select ?, ?, ?", 3, 2},
    {M, "select :a, :b, :a", "select ?, ?, ?", 3, 2},
    {M, "select 'a\\'$1', \"$2\", `$3` # $4\n, @x := $1",
     "select 'a\\'$1', \"$2\", `$3` # $4\n, @x := ?", 1, 1},
    {M, "select 1--$1", "select 1--?", 1, 1},
    {M, "select /*!50000 1 + */ $1", "select /*!50000 1 + */ ?", 1, 1},
    {M, "select /*! 2 */*$1", "select /*! 2 */*?", 1, 1},
    {M, "create definer=`a`@`b` procedure p() begin if x then select 1; end if; end", NULL, 0, 0},
};

START_TEST(written_for_the_driver)
{
    dbal__sql *sql = make(rewritten[_i].dialect, rewritten[_i].text);
    const char *written = rewritten[_i].written;
    ck_assert_str_eq(sql->source, rewritten[_i].text);
    ck_assert_str_eq(sql->text, written != NULL ? written : rewritten[_i].text);
    ck_assert(written != NULL || sql->text == sql->source);
    ck_assert_uint_eq(sql->size, strlen(sql->text));
    ck_assert_uint_eq(sql->value_count, rewritten[_i].values);
    ck_assert_uint_eq(sql->param_count, rewritten[_i].parameters);
    dbal__sql_unref(sql);
}
END_TEST

/* SQLite itself counts as many, and its index of each is the number that was written. */
START_TEST(sqlite_counts_the_same)
{
    static const char *const texts[] = {
        "select 1",
        "select $2, $1",
        "select :b, :a, :b -- ? @x",
        "select '$1' || :a || \"\" || ':b' from (select 1 as \"\")",
        "select $3, x'3f', [?1], $2, $1 from (select 1 as \"?1\")",
        "select:a,-:b",
    };
    sqlite3 *db;
    ck_assert_int_eq(sqlite3_open(":memory:", &db), SQLITE_OK);
    dbal__sql *sql = make(S, texts[_i]);
    sqlite3_stmt *statement;
    ck_assert_msg(sqlite3_prepare_v2(db, sql->text, -1, &statement, NULL) == SQLITE_OK, "%s",
                  sqlite3_errmsg(db));
    ck_assert_int_eq(sqlite3_bind_parameter_count(statement), (int)sql->value_count);
    for (int i = 1; i <= (int)sql->value_count; i++) {
        char name[16];
        snprintf(name, sizeof name, "?%d", i);
        ck_assert_str_eq(sqlite3_bind_parameter_name(statement, i), name);
    }
    sqlite3_finalize(statement);
    sqlite3_close(db);
    dbal__sql_unref(sql);
}
END_TEST

START_TEST(class_of_the_text_as_written)
{
    dbal__sql *sql = make(S, "select :a");
    ck_assert_uint_eq(sql->sql_class.kinds, DBAL_SQL_READS);
    ck_assert_str_eq(sql->sql_class.instead, "as written");
    dbal__sql_unref(sql);
}
END_TEST

START_TEST(names_in_order_of_use)
{
    dbal__sql *sql = make(M, "select :bb, :a, :bb, :b");
    ck_assert_uint_eq(sql->param_count, 3);
    ck_assert_str_eq(sql->names[0], "bb");
    ck_assert_str_eq(sql->names[1], "a");
    ck_assert_str_eq(sql->names[2], "b");
    static const uint32_t numbers[] = {0, 1, 0, 2};
    ck_assert_mem_eq(sql->numbers, numbers, sizeof numbers);
    dbal__sql_unref(sql);
}
END_TEST

/* ---- what is refused ------------------------------------------------------------------------- */

static const struct {
    int dialect;
    const char *text, *sqlstate;
    int position;
} refused[] = {
    {S, NULL, "42601", 1},
    {S, "", "42601", 1},
    {S, " -- nothing", "42601", 12},
    {S, " ;", "42601", 2},
    {S, "select 1; select 2", "42601", 11},
    {S, "select 1;;select 2", "42601", 11},
    {S, "create trigger t after insert on a begin select 1; end; drop table a", "42601", 57},
    {S, "create trigger t; drop table a", "42601", 19},
    {P, "create table t (begin int); select 1", "42601", 29},
    {S, "select 'a", "42601", 8},
    {P, "select /* /* */", "42601", 8},
    {P, "select $a$ $b$", "42601", 8},
    {M, "select \"a\\\"", "42601", 8},
    {M, "select /*! 1", "42601", 13},
    {M, "select /*! $1 */ 1", "42601", 12},
    {S, "select $1, :a", "42601", 12},
    {S, "select :a, $1", "42601", 12},
    {P, "select a[:n], :m, $1", "42601", 19},
    {P, "select a[:n], $1, :m", "42601", 19},
    {S, "select $0", "42601", 8},
    {S, "select $1, $3", "42601", 12},
    {S, "select $4294967297", "42601", 8},
    {S, "select $99999999999999999999999999", "42601", 8},
    {S, "select ?", "42601", 8},
    {S, "select ?1", "42601", 8},
    {S, "select @a", "42601", 8},
    {S, "select $a", "42601", 8},
    {S, "select $::a", "42601", 8},
    {S, "select #a", "42601", 8},
    {S, "select :1", "42601", 8},
    {S, "select :a::b", "42601", 8},
    {S, "select $1a", "42601", 8},
    {P, "select $1a", "42601", 8},
    {P, "select :a$b", "42601", 8},
    {M, "select ?", "42601", 8},
    {S, "select '\xff'", "22021", 9},
    {S, "select '\xc3", "22021", 9},
};

static void
assert_refused(const dbal_driver *driver, const char *text, dbal_error_class error_class,
               const char *sqlstate, int position)
{
    dbal_fault fault = DBAL__FAULT_INIT;
    dbal__sql *sql = dbal__sql_new(driver, NULL, text, &fault);
    ck_assert_msg(sql == NULL, "not refused: %s", text);
    ck_assert(dbal_fault_is_set(&fault));
    const char *message = dbal_error_message(fault.error);
    ck_assert_msg(dbal_error_is(fault.error, error_class), "%s", message);
    ck_assert_str_eq(dbal_error_sqlstate(fault.error), sqlstate);
    ck_assert_msg(dbal_error_position(fault.error) == position, "%s: %d: %s", text,
                  dbal_error_position(fault.error), message);
    ck_assert_int_eq(dbal_error_execution(fault.error), DBAL_EXECUTION_NOT_SENT);
    ck_assert(dbal__utf8_valid(message, strlen(message)));
    dbal_fault_clear(&fault);
}

START_TEST(refused_with_a_place)
{
    dbal_error_class error_class =
        strcmp(refused[_i].sqlstate, "22021") == 0 ? DBAL_ERROR_DATA : DBAL_ERROR_PROGRAMMING;
    assert_refused(&drivers[refused[_i].dialect], refused[_i].text, error_class,
                   refused[_i].sqlstate, refused[_i].position);
}
END_TEST

static void
assert_hint(int dialect, const char *text, const char *part)
{
    dbal_fault fault = DBAL__FAULT_INIT;
    ck_assert_ptr_null(dbal__sql_new(&drivers[dialect], NULL, text, &fault));
    const char *hint = dbal_error_hint(fault.error);
    ck_assert_msg(hint != NULL && strstr(hint, part) != NULL, "%s: %s", text, hint);
    dbal_fault_clear(&fault);
}

START_TEST(refused_with_a_hint)
{
    assert_hint(S, "select ?", "$1 or :name");
    assert_hint(S, "select @a", "$1 or :name");
    assert_hint(S, "select 1; select 2", "dbal_connection_script()");
    assert_hint(P, "select :a, $1", "$n");
}
END_TEST

/* `$1+$2+…` or `:a1+:a2+…`; to be freed */
static char *
many(const char *sign, int count)
{
    char *text = malloc((size_t)count * 16 + 16);
    ck_assert_ptr_nonnull(text);
    char *to = text + sprintf(text, "select 0");
    for (int i = 1; i <= count; i++)
        to += sprintf(to, "+%s%d", sign, i);
    return text;
}

START_TEST(refused_when_too_many)
{
    char *text = many("$", 101);
    assert_refused(&drivers[S], text, DBAL_ERROR_PROGRAMMING, "54023", 0);
    free(text);
    text = many(":a", 100);
    dbal__sql_unref(make(S, text));
    free(text);
}
END_TEST

START_TEST(very_many_names)
{
    char *text = many(":a", 30000);
    dbal__sql *sql = make(P, text);
    ck_assert_uint_eq(sql->param_count, 30000);
    ck_assert_str_eq(sql->names[29999], "a30000");
    const char *end = strstr(sql->text, "$30000");
    ck_assert(end != NULL && end[6] == '\0');
    dbal__sql_unref(sql);
    free(text);
}
END_TEST

/* ---- positions ------------------------------------------------------------------------------- */

START_TEST(positions_in_the_source)
{
    /*                          1234567890123456789012 */
    dbal__sql *sql = make(P, "select:alpha,x from :t;");
    ck_assert_str_eq(sql->text, "select $1,x from $2;");
    static const int places[][2] = {{-1, 0},  {0, 0},   {1, 1},   {6, 6},   {7, 7},
                                    {8, 7},   {9, 7},   {10, 13}, {11, 14}, {17, 20},
                                    {18, 21}, {19, 21}, {20, 23}, {21, 24}, {999, 24}};
    for (int i = 0; i < LENGTH(places); i++)
        ck_assert_msg(dbal__sql_position(sql, &drivers[P], places[i][0]) == places[i][1], "%d: %d",
                      places[i][0], dbal__sql_position(sql, &drivers[P], places[i][0]));
    dbal__sql_unref(sql);
}
END_TEST

START_TEST(positions_when_untouched)
{
    dbal__sql *sql = make(P, "select $1");
    for (int i = 0; i <= 9; i++)
        ck_assert_int_eq(dbal__sql_position(sql, &drivers[P], i), i);
    dbal__sql_unref(sql);
}
END_TEST

/* ---- scripts --------------------------------------------------------------------------------- */

static const struct {
    int dialect;
    const char *script;
    const char *parts; /* with | between */
} scripts[] = {
    {S, "", ""},
    {S, " ; ; -- nothing\n", ""},
    {S, "a; b", "a|b"},
    {S, " a ;\n-- c\nb /* ; */ c; ", "a|b /* ; */ c"},
    {S, "select ';'; x", "select ';'|x"},
    {S,
     "create trigger t before delete on a begin select case 1 when 2 then 3 end; delete from b; "
     "end; x",
     "create trigger t before delete on a begin select case 1 when 2 then 3 end; delete from b; "
     "end|x"},
    {S, "begin; x; end; y", "begin|x|end|y"},
    {S, "explain create temporary trigger t begin a; end; x",
     "explain create temporary trigger t begin a; end|x"},
    {P, "do $$ begin a; b; end $$; c", "do $$ begin a; b; end $$|c"},
    {P, "create function f() begin atomic a; case x end; end; b",
     "create function f() begin atomic a; case x end; end|b"},
    {P, "create rule r as on insert to t do also (a; b); c",
     "create rule r as on insert to t do also (a; b)|c"},
    {P, "create table t (a int; b", "create table t (a int|b"},
    {M,
     "create trigger t before insert on a for each row begin case x when 1 then a; end case; if "
     "b then c; end if; end; d",
     "create trigger t before insert on a for each row begin case x when 1 then a; end case; if b "
     "then c; end if; end|d"},
    {M, "/*!50003 create*/ /*!50017 definer=root@localhost*/ /*!50003 trigger t begin a; end */; b",
     "/*!50003 create*/ /*!50017 definer=root@localhost*/ /*!50003 trigger t begin a; end */|b"},
    {M, "start transaction; a; commit", "start transaction|a|commit"},
    {S, "a; 'b;", "a|'b;"},
};

START_TEST(script_cut_up)
{
    char parts[512] = "";
    const char *cursor = scripts[_i].script, *start;
    size_t size;
    while (dbal__sql_split((dbal_dialect)scripts[_i].dialect, &cursor, &start, &size)) {
        strcat(parts, *parts != '\0' ? "|" : "");
        strncat(parts, start, size);
    }
    ck_assert_str_eq(parts, scripts[_i].parts);
    ck_assert_int_eq(*cursor, '\0');
    ck_assert(!dbal__sql_split((dbal_dialect)scripts[_i].dialect, &cursor, &start, &size));
}
END_TEST

/* ---- memory ---------------------------------------------------------------------------------- */

static void
scan_one(void *arg)
{
    dbal_fault fault = DBAL__FAULT_INIT;
    const char *text = arg;
    for (int dialect = S; dialect <= M; dialect++) {
        dbal__sql *sql = dbal__sql_new(&drivers[dialect], NULL, text, &fault);
        ck_assert(sql != NULL || dbal_fault_is_set(&fault));
        ck_assert(sql != NULL || dbal_error_is(fault.error, DBAL_ERROR_NO_MEMORY) ||
                  dbal_error_is(fault.error, DBAL_ERROR_PROGRAMMING));
        dbal__sql_unref(sql);
        dbal_fault_clear(&fault);
    }
}

START_TEST(without_memory)
{
    static const char *const texts[] = {"select 1", "select $2, $1, $2", "select :b, :a, :b",
                                        "select $1, :a", "select $1, $3"};
    alloc_fault_install();
    for (int i = 0; i < LENGTH(texts); i++)
        alloc_fault_sweep(scan_one, (void *)texts[i]);
    alloc_fault_remove();
}
END_TEST

#define ADD(test) suite_add(suite, test, NULL, NULL)

static void
add_loop(Suite *suite, const TTest *test, int count)
{
    TCase *one = tcase_create(test->name);
    tcase_add_loop_test(one, test, 0, count);
    suite_add_tcase(suite, one);
}

int
main(void)
{
    Suite *suite = suite_create("sql");
    add_loop(suite, tokens_by_dialect, LENGTH(tokens));
    add_loop(suite, tokens_make_up_the_text, LENGTH(tokens));
    ADD(token_words);
    add_loop(suite, written_for_the_driver, LENGTH(rewritten));
    add_loop(suite, sqlite_counts_the_same, 6);
    ADD(class_of_the_text_as_written);
    ADD(names_in_order_of_use);
    add_loop(suite, refused_with_a_place, LENGTH(refused));
    ADD(refused_with_a_hint);
    ADD(refused_when_too_many);
    ADD(very_many_names);
    ADD(positions_in_the_source);
    ADD(positions_when_untouched);
    add_loop(suite, script_cut_up, LENGTH(scripts));
    ADD(without_memory);
    return suite_run(suite);
}
