#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fixture.h"

static database db;

static void
setup(void)
{
    database_init(&db);
}

static void
teardown(void)
{
    database_fini(&db);
}

/* The only note of the last opening says this. */
static void
expect_note(const char *says)
{
    ck_assert_uint_eq(db.notes.count, 1);
    ck_assert_msg(strstr(db.notes.texts[0], says) != NULL, "%s", db.notes.texts[0]);
    ck_assert_ptr_nonnull(strstr(db.notes.texts[0], db.path));
}

/* ---- what can be seen by asking ---- */

static const struct {
    const char *parameter, *sql;
    int64_t value, otherwise; /* without the parameter */
} settings[] = {
    {"page_size=8k", "pragma page_size", 8192, 4096},
    {"auto_vacuum=full", "pragma auto_vacuum", 1, 0},
    {"auto_vacuum=incremental", "pragma auto_vacuum", 2, 0},
    {"mmap_size=1M", "pragma mmap_size", 1 << 20, 0},
    {"mmap_size=off", "pragma mmap_size", 0, 0},
    {"cell_size_check=off", "pragma cell_size_check", 0, 1},
    {"temp_store=memory", "pragma temp_store", 2, 0},
    {"temp_store=file", "pragma temp_store", 1, 0},
    {"secure_delete=fast", "pragma secure_delete", 2, -1},
    {"secure_delete=off", "pragma secure_delete", 0, -1},
    {"recursive_triggers=on", "pragma recursive_triggers", 1, 0},
    {"journal_size_limit=64k", "pragma journal_size_limit", 65536, -1},
    {"journal_size_limit=off", "pragma journal_size_limit", -1, -1},
    {"trusted_schema=on", "pragma trusted_schema", 1, 0},
    {"limit_worker_threads=2", "pragma threads", 2, 0},
};

START_TEST(settings_reach_the_database)
{
    database_open(&db, settings[_i].parameter);
    ck_assert_uint_eq(db.notes.count, 0);
    ask_int64(&db, settings[_i].sql, settings[_i].value);
    database_close(&db);
    char *file = db.path;
    ck_assert_int_eq(unlink(file), 0);
    database_open(&db, NULL);
    ck_assert_uint_eq(db.notes.count, 0);
    if (settings[_i].otherwise != -1 || strncmp(settings[_i].sql, "pragma journal", 14) == 0)
        ask_int64(&db, settings[_i].sql, settings[_i].otherwise);
}
END_TEST

/* ---- what SQLite took otherwise ---- */

START_TEST(what_an_existing_file_keeps_is_noted)
{
    database_open(&db, NULL);
    ASK(&db, "create table t (a)");
    database_close(&db);
    database_open(&db, "page_size=8192");
    expect_note("page_size is 4096, not 8192");
    ask_int64(&db, "pragma page_size", 4096);
    database_close(&db);
    database_open(&db, "auto_vacuum=full");
    expect_note("auto_vacuum is none, not full");
    database_close(&db);
    database_open(&db, "page_size=4096&auto_vacuum=none");
    ck_assert_uint_eq(db.notes.count, 0);
}
END_TEST

START_TEST(what_is_capped_is_noted)
{
    database_open(&db, "mmap_size=1024G");
    expect_note("mmap_size is 2147418112, not 1099511627776");
    database_close(&db);
    database_open(&db, "limit_attached=1000");
    expect_note("limit_attached is 10, not 1000");
}
END_TEST

START_TEST(a_journal_mode_that_cannot_be_is_noted)
{
    database_configure(&db, ":memory:", NULL);
    ck_assert(database_try_open(&db));
    ck_assert_uint_eq(db.notes.count, 0); /* nobody asked */
    database_close(&db);
    database_configure(&db, ":memory:", "journal_mode=wal");
    ck_assert(database_try_open(&db));
    ck_assert_uint_eq(db.notes.count, 1);
    ck_assert_ptr_nonnull(strstr(db.notes.texts[0], "journal_mode is memory, not wal"));
    database_close(&db);
    database_open(&db, "journal_mode=delete");
    ck_assert_uint_eq(db.notes.count, 0);
    database_close(&db);
    database_open(&db, "mode=ro");
    ck_assert_uint_eq(db.notes.count, 0);
    database_close(&db);
    database_open(&db, "mode=ro&journal_mode=wal");
    expect_note("journal_mode is delete, not wal");
}
END_TEST

/* ---- what strangers may not do ---- */

static char *
long_text(size_t size)
{
    char *text = malloc(size + 1);
    ck_assert_ptr_nonnull(text);
    memset(text, 'x', size);
    text[size] = '\0';
    return text;
}

static const struct {
    const char *parameter, *good, *bad;
    dbal_error_class error_class;
    const char *sqlstate;
} limits[] = {
    {"limit_length=1000", "select zeroblob(1000)", "select zeroblob(1001)", DBAL_ERROR_DATA,
     "54000"},
    {"limit_column=10", "select 1,2,3,4,5,6,7,8,9,10", "select 1,2,3,4,5,6,7,8,9,10,11",
     DBAL_ERROR_PROGRAMMING, "54011"},
    {"limit_expr_depth=10", "select 1+1+1+1+1", "select 1+1+1+1+1+1+1+1+1+1+1+1",
     DBAL_ERROR_PROGRAMMING, "54001"},
    {"limit_compound_select=2", "select 1 union all select 2",
     "select 1 union all select 2 union all select 3", DBAL_ERROR_PROGRAMMING, "54001"},
    {"limit_function_arg=3", "select max(1, 2, 3)", "select max(1, 2, 3, 4)",
     DBAL_ERROR_PROGRAMMING, "54023"},
    {"limit_attached=0", "select 1", "attach ':memory:' as more", DBAL_ERROR_PROGRAMMING, "54000"},
    {"limit_attached=1", "attach ':memory:' as more", "attach ':memory:' as most",
     DBAL_ERROR_PROGRAMMING, "54000"},
    {"limit_like_pattern_length=10", "select 'a' like '1234567890'",
     "select 'a' like '12345678901'", DBAL_ERROR_DATA, "54001"},
    {"limit_trigger_depth=2", "insert into chain values (1)", "insert into chain values (4)",
     DBAL_ERROR_PROGRAMMING, "54001"},
    {"attach=off", "attach '' as more", "attach ':memory:' as most", DBAL_ERROR_PROGRAMMING,
     "42501"},
    {"attach=off", "vacuum", "vacuum into '/tmp/nowhere'", DBAL_ERROR_PROGRAMMING, "42501"},
    {"attach=off", "select 1", "attach lower('X') as most", DBAL_ERROR_PROGRAMMING, "42501"},
    {"enable_view=off", "select 1", "select * from v", DBAL_ERROR_PROGRAMMING, "42501"},
};

static void
make_schema(void)
{
    database_open(&db, NULL);
    ASK(&db, "create table chain (n)");
    ASK(&db, "create trigger more after insert on chain when new.n > 0 begin "
             "insert into chain values (new.n - 1); end");
    ASK(&db, "create view v as select * from chain");
    database_close(&db);
}

START_TEST(limits_have_their_errors)
{
    char parameters[64];
    make_schema();
    snprintf(parameters, sizeof parameters, "%s&recursive_triggers=on", limits[_i].parameter);
    database_open(&db, parameters);
    ck_assert_uint_eq(db.notes.count, 0);
    ck_assert_msg(ask(&db, limits[_i].good, DBAL_NO_PARAMS), "%s", dbal_error_message(db.error));
    ask_fails(&db, limits[_i].bad, DBAL_NO_PARAMS, limits[_i].error_class, limits[_i].sqlstate);
    database_close(&db);
    /* the limits of others are as they were */
    database_open(&db, "recursive_triggers=on");
    if (strncmp(limits[_i].parameter, "attach", 6) != 0)
        ck_assert_msg(ask(&db, limits[_i].bad, DBAL_NO_PARAMS), "%s", dbal_error_message(db.error));
}
END_TEST

START_TEST(limits_of_size)
{
    database_open(&db, "limit_sql_length=1000&limit_variable_number=2&limit_vdbe_op=1000");
    char *text = long_text(1000), sql[1200];
    snprintf(sql, sizeof sql, "select '%.900s'", text);
    ck_assert(ask(&db, sql, DBAL_NO_PARAMS));
    snprintf(sql, sizeof sql, "select '%s'", text);
    ask_fails(&db, sql, DBAL_NO_PARAMS, DBAL_ERROR_DATA, "54000");
    free(text);
    ask_ok(&db, "select ?1, ?2", DBAL_PARAMS(dbal_int64(1), dbal_int64(2)));
    ask_fails(&db, "select ?1, ?2, ?3", DBAL_PARAMS(dbal_null(), dbal_null(), dbal_null()),
              DBAL_ERROR_PROGRAMMING, "54023");
    database_close(&db);
    database_open(&db, "limit_vdbe_op=1000");
    strcpy(sql, "select 1");
    for (int i = 0; i < 80; i++)
        strcat(sql, ",abs(1)+2");
    ck_assert(ask(&db, sql, DBAL_NO_PARAMS));
    char *many = malloc(20000);
    ck_assert_ptr_nonnull(many);
    strcpy(many, "select 1");
    for (int i = 0; i < 1000; i++)
        strcat(many, ",abs(random())+2");
    ask_fails(&db, many, DBAL_NO_PARAMS, DBAL_ERROR_NO_MEMORY, "53200");
    free(many);
    ask_int64(&db, "select 7", 7);
}
END_TEST

/* the driver's own statements stay below what SQLite advises for those of strangers */
START_TEST(advised_limits_leave_the_driver_room)
{
    const char *advice =
        "limit_length=1000000&limit_sql_length=100000&limit_column=100&limit_expr_depth=10"
        "&limit_compound_select=3&limit_vdbe_op=25000&limit_function_arg=8&limit_attached=0"
        "&limit_like_pattern_length=50&limit_variable_number=10&limit_trigger_depth=10"
        "&attach=off&check=full";
    database_configure(&db, ":memory:", advice);
    ck_assert_msg(database_try_open(&db), "%s", dbal_error_message(db.error));
    db.has_token = false;
    ASK(&db, "create temp table t (a)");
    ASK(&db, "create temp view v as select a from t");
    ck_assert(dbal_sqlite_driver.blocking->reset(db.connection, NULL));
    ask_int64(&db, "select count(*) from temp.sqlite_schema", 0);
    database_close(&db);
    database_open(&db, advice);
    db.has_token = true;
    ASK(&db, "create table t (a)");
    ASK(&db, "begin immediate");
    ask_ok(&db, "insert into t values (?1)", DBAL_PARAMS(dbal_int64(3)));
    ASK(&db, "commit");
    ask_int64(&db, "select a from t", 3);
}
END_TEST

START_TEST(triggers_can_be_off)
{
    make_schema();
    database_open(&db, "enable_trigger=off");
    ASK(&db, "insert into chain values (3)");
    ask_int64(&db, "select count(*) from chain", 1);
}
END_TEST

START_TEST(defensive_can_be_off)
{
    make_schema();
    database_open(&db, "defensive=off");
    ASK(&db, "pragma writable_schema = on");
    ASK(&db, "delete from sqlite_schema where name = 'v'");
    ck_assert_int_eq(dbal_result_affected(db.result), 1);
}
END_TEST

/* what a session changed is set again where its connection stays */
START_TEST(a_reset_sets_them_again)
{
    database_configure(&db, ":memory:", "recursive_triggers=on&temp_store=memory");
    ck_assert(database_try_open(&db));
    db.has_token = false;
    ASK(&db, "pragma recursive_triggers = off");
    ASK(&db, "pragma temp_store = file");
    ck_assert(dbal_sqlite_driver.blocking->reset(db.connection, NULL));
    ask_int64(&db, "pragma recursive_triggers", 1);
    ask_int64(&db, "pragma temp_store", 2);
}
END_TEST

/* ---- the check ---- */

/* Writes over the page of the index, so that it says what the table does not. */
static void
damage(void)
{
    database_open(&db, NULL);
    ASK(&db, "create table t (a, b)");
    ASK(&db, "insert into t values ('one', 1), ('two', 2)");
    ASK(&db, "create index i on t (a)");
    ask_int64(&db, "select rootpage from sqlite_schema where name = 'i'", 3);
    database_close(&db);
    FILE *file = fopen(db.path, "r+");
    ck_assert_ptr_nonnull(file);
    char page[4096];
    ck_assert_int_eq(fseek(file, 2 * 4096, SEEK_SET), 0);
    ck_assert_uint_eq(fread(page, 1, sizeof page, file), sizeof page);
    char *one = memmem(page, sizeof page, "one", 3);
    ck_assert_ptr_nonnull(one);
    memcpy(one, "own", 3);
    ck_assert_int_eq(fseek(file, 2 * 4096, SEEK_SET), 0);
    ck_assert_uint_eq(fwrite(page, 1, sizeof page, file), sizeof page);
    ck_assert_int_eq(fclose(file), 0);
}

static void
expect_damage(const char *parameter, const char *says)
{
    database_configure(&db, db.path, parameter);
    ck_assert(!database_try_open(&db));
    expect_error(db.error, DBAL_ERROR_OPERATIONAL, "XX001");
    ck_assert(!dbal_error_retryable(db.error));
    ck_assert_msg(strstr(dbal_error_message(db.error), says) != NULL, "%s",
                  dbal_error_message(db.error));
    ck_assert(!database_try_open(&db)); /* it is looked at until it is sound */
}

START_TEST(damage_is_found_when_asked_for)
{
    damage();
    database_open(&db, "check=off");
    ask_int64(&db, "select b from t where rowid = 1", 1);
    database_close(&db);
    /* the quick one does not compare an index with its table */
    database_open(&db, "check=quick");
    database_close(&db);
    expect_damage("check=full", "missing from index i");
}
END_TEST

START_TEST(the_quick_check_sees_broken_pages)
{
    damage();
    ck_assert_int_eq(truncate(db.path, 2 * 4096), 0);
    database_configure(&db, db.path, "check=quick");
    ck_assert(!database_try_open(&db));
    expect_error(db.error, DBAL_ERROR_OPERATIONAL, "XX001");
}
END_TEST

START_TEST(a_sound_database_is_looked_at_once)
{
    sqlite3 *outsider;
    database_open(&db, NULL);
    ASK(&db, "create table t (a not null)");
    ASK(&db, "insert into t values (1)");
    database_close(&db);
    database_open(&db, "check=full");
    database_close(&db);
    outsider = outsider_open(&db);
    outsider_run(outsider, "pragma writable_schema = on;"
                           "update sqlite_schema set sql = 'create table t (a check (a > 5))'");
    sqlite3_close(outsider);
    /* the same pool's next connection does not look, another pool's does */
    ck_assert(database_try_open(&db));
    database_close(&db);
    expect_damage("check=quick", "CHECK constraint failed in t");
}
END_TEST

Suite *
option_suite(void)
{
    Suite *suite = suite_create("sqlite options");
    TCase *tests = tcase_create("options");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, settings_reach_the_database, 0,
                        sizeof settings / sizeof settings[0]);
    tcase_add_test(tests, what_an_existing_file_keeps_is_noted);
    tcase_add_test(tests, what_is_capped_is_noted);
    tcase_add_test(tests, a_journal_mode_that_cannot_be_is_noted);
    tcase_add_loop_test(tests, limits_have_their_errors, 0, sizeof limits / sizeof limits[0]);
    tcase_add_test(tests, limits_of_size);
    tcase_add_test(tests, advised_limits_leave_the_driver_room);
    tcase_add_test(tests, triggers_can_be_off);
    tcase_add_test(tests, defensive_can_be_off);
    tcase_add_test(tests, a_reset_sets_them_again);
    tcase_add_test(tests, damage_is_found_when_asked_for);
    tcase_add_test(tests, the_quick_check_sees_broken_pages);
    tcase_add_test(tests, a_sound_database_is_looked_at_once);
    suite_add_tcase(suite, tests);
    return suite;
}
