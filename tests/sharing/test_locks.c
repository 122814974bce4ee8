/*
 * Locks of another program, and a database that is full, at each place of writes that share a
 * commit: all are told what is true, and nothing is done by half.
 */
#include "tests/lib/suite.h"
#include "tests/sharing/crowd.h"
#include "tests/sharing/hold.h"
#include "tests/sharing/sharing.h"

enum { FIVE = 5 };

static void
ask_all(int count)
{
    for (int i = 0; i < count; i++)
        crowd_ask(i, CROWD_PLAIN, i, 0);
}

static void
all_locked_out(int count)
{
    for (int i = 0; i < count; i++) {
        crowd_failed(i, DBAL_ERROR_OPERATIONAL, "55P03", DBAL_EXECUTION_FAILED);
        ck_assert(crowd[i].retryable && !crowd[i].lost);
    }
}

static void
all_succeeded(int count)
{
    for (int i = 0; i < count; i++)
        crowd_succeeded(i);
}

static sqlite3 *
outsider_with(const char *sql)
{
    sqlite3 *outsider = outsider_open("one");
    outsider_run(outsider, sql);
    return outsider;
}

static void
end_outsider(sqlite3 *outsider)
{
    outsider_run(outsider, "commit");
    sqlite3_close(outsider);
}

START_TEST(the_lock_is_not_to_be_had)
{
    crowd_open("busy_timeout=0.02");
    sqlite3 *writer = outsider_with("begin immediate");
    ask_all(FIVE);
    crowd_await();
    all_locked_out(FIVE);
    end_outsider(writer);
    good(dbal_pool_query(pool, "insert into t values (5, 0)", DBAL_NO_PARAMS));
    ck_assert_int_eq(number(pool, "select count(*) from t where id >= 0"), 1);
    crowd_close();
}
END_TEST

START_TEST(the_lock_is_given_back)
{
    crowd_open("busy_timeout=600");
    sqlite3 *writer = outsider_with("begin immediate; insert into t values (77, 0)");
    ask_all(FIVE);
    hold_await_naps(3);
    end_outsider(writer);
    crowd_await();
    all_succeeded(FIVE);
    crowd_close();
}
END_TEST

/* One breaks the group, and when it has ended another program has got the lock. */
START_TEST(the_lock_is_lost_between_two_runs)
{
    for (int at = 0; at < FIVE; at++) {
        crowd_open("busy_timeout=600");
        for (int i = 0; i < FIVE; i++)
            crowd_ask(i, i == at ? CROWD_ROLLBACK : CROWD_PLAIN, i == at ? -1 : i, 0);
        hold_await();
        sqlite3 *volunteer = outsider_open("one");
        sqlite3_busy_timeout(volunteer, 60000);
        hold_release();
        outsider_run(volunteer,
                     "begin immediate"); /* as soon as the group has let go, or when all is over */
        end_outsider(volunteer);
        crowd_await();
        for (int i = 0; i < FIVE; i++)
            if (i != at)
                crowd_succeeded(i);
        crowd_failed(at, DBAL_ERROR_INTEGRITY, "23505", DBAL_EXECUTION_FAILED);
        crowd_close();
    }
}
END_TEST

/* With a rollback journal it is the COMMIT that cannot be had while somebody reads. */
START_TEST(a_reader_stops_the_commit)
{
    crowd_open("journal_mode=delete&busy_timeout=0.02");
    sqlite3 *reader = outsider_with("begin");
    outsider_number(reader, "select count(*) from t");
    ask_all(FIVE);
    crowd_await();
    end_outsider(reader);
    all_locked_out(FIVE);
    ck_assert_uint_eq(crowd_counts().shared_commits, 0);
    good(dbal_pool_query(pool, "insert into t values (5, 0)", DBAL_NO_PARAMS));
    crowd_close();
}
END_TEST

/* What failed by itself keeps its own error. */
START_TEST(a_reader_stops_the_commit_of_one_that_failed)
{
    for (int at = 0; at < 3; at++) {
        crowd_open("journal_mode=delete&busy_timeout=0.02");
        sqlite3 *reader = outsider_with("begin");
        outsider_number(reader, "select count(*) from t");
        for (int i = 0; i < 3; i++)
            crowd_ask(i, CROWD_PLAIN, i == at ? -1 : i, 0);
        crowd_await();
        end_outsider(reader);
        for (int i = 0; i < 3; i++)
            if (i != at)
                crowd_failed(i, DBAL_ERROR_OPERATIONAL, "55P03", DBAL_EXECUTION_FAILED);
        crowd_failed(at, DBAL_ERROR_INTEGRITY, "23505", DBAL_EXECUTION_FAILED);
        crowd_close();
    }
}
END_TEST

START_TEST(a_reader_lets_the_commit_go)
{
    crowd_open("journal_mode=delete&busy_timeout=600");
    sqlite3 *reader = outsider_with("begin");
    outsider_number(reader, "select count(*) from t");
    ask_all(FIVE);
    hold_await_naps(3);
    end_outsider(reader);
    crowd_await();
    all_succeeded(FIVE);
    crowd_close();
}
END_TEST

/* ---- a full database -------------------------------------------------------------------------------- */

static int
limit_pages(sqlite3 *db, const char **message, const void *routines)
{
    (void)message, (void)routines;
    return sqlite3_exec(db, "pragma max_page_count = 12", NULL, NULL, NULL);
}

/* One does not fit, at each place; all others do, as they would one after the other. */
START_TEST(one_does_not_fit)
{
    for (int at = 0; at < FIVE; at++) {
        sqlite3_auto_extension((void (*)(void))limit_pages);
        crowd_open("");
        for (int i = 0; i < FIVE; i++)
            if (i == at)
                crowd_ask_large(i, 80000);
            else
                crowd_ask(i, CROWD_PLAIN, i, 0);
        crowd_await();
        sqlite3_cancel_auto_extension((void (*)(void))limit_pages);
        for (int i = 0; i < FIVE; i++)
            if (i != at)
                crowd_succeeded(i);
        crowd_failed(at, DBAL_ERROR_OPERATIONAL, "53100", DBAL_EXECUTION_FAILED);
        ck_assert_int_eq(number(pool, "select count(*) from t where id >= 0"), FIVE - 1);
        crowd_close();
    }
}
END_TEST

/* It is full in the middle: those before are kept, those behind are told, each for itself. */
START_TEST(it_is_full_from_one_on)
{
    int kept = 0;
    sqlite3_auto_extension((void (*)(void))limit_pages);
    crowd_open("");
    for (int i = 0; i < CROWD; i++) {
        if (i % 2 == 0)
            crowd_ask_large(i, 20000);
        else
            crowd_ask(i, CROWD_PLAIN, i, 0);
    }
    crowd_await();
    sqlite3_cancel_auto_extension((void (*)(void))limit_pages);
    for (int i = 0; i < CROWD; i++) {
        kept += crowd[i].error_class == 0;
        if (crowd[i].error_class == 0)
            crowd_succeeded(i);
        else
            crowd_failed(i, DBAL_ERROR_OPERATIONAL, "53100", DBAL_EXECUTION_FAILED);
    }
    ck_assert_int_gt(kept, 3);
    ck_assert_int_lt(kept, CROWD);
    ck_assert_int_eq(number(pool, "select count(*) from t where id >= 0"), kept);
    crowd_close();
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("sharing, locks");
    sharing_add(suite, the_lock_is_not_to_be_had);
    sharing_add(suite, the_lock_is_given_back);
    sharing_add(suite, the_lock_is_lost_between_two_runs);
    sharing_add(suite, a_reader_stops_the_commit);
    sharing_add(suite, a_reader_stops_the_commit_of_one_that_failed);
    sharing_add(suite, a_reader_lets_the_commit_go);
    sharing_add(suite, one_does_not_fit);
    sharing_add(suite, it_is_full_from_one_on);
    return suite_run(suite);
}
