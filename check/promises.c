/* What a driver declares besides what the contract asks of all. */
#include "check/promises.h"

#include "tests/contract/contract.h"

START_TEST(rows_of_a_write_come_back)
{
    dbal_outcome outcome = loop_fixture_await(
        &fixture, dbal_pool_query(pool, SQL(returning), DBAL_PARAMS(dbal_int64(7))));
    dbal_result *rows = dbal_outcome_result(outcome);
    ck_assert_msg(rows != NULL, "%s", dbal_error_message(dbal_outcome_error(outcome)));
    ck_assert_uint_eq(dbal_result_row_count(rows), 1);
    ck_assert_int_eq(dbal_result_int64(rows, 0, 0), 7);
    dbal_outcome_clear(&outcome);
}
END_TEST

START_TEST(an_array_goes_as_one_parameter)
{
    static const int64_t numbers[] = {3, 1, 2};
    dbal_outcome outcome = loop_fixture_await(
        &fixture, dbal_pool_query(pool, SQL(array), DBAL_PARAMS(dbal_array_int64(numbers, 3))));
    dbal_result *rows = dbal_outcome_result(outcome);
    ck_assert_msg(rows != NULL, "%s", dbal_error_message(dbal_outcome_error(outcome)));
    ck_assert_int_eq(dbal_result_int64(rows, 0, 0), 3);
    dbal_outcome_clear(&outcome);
}
END_TEST

START_TEST(a_write_is_seen_by_another_pool)
{
    if ((target->quirks & CONTRACT_PRIVATE) != 0)
        trial_end(VERDICT_QUIRK, "a private database");
    dbal_pool *first = pool;
    good(add_to_value(3));
    pool = contract_open(fixture.loop, "");
    ck_assert_int_eq(value_now(), 3);
    pool = first;
}
END_TEST

void
add_promises(Suite *suite)
{
    contract_add(suite, rows_of_a_write_come_back);
    contract_add(suite, an_array_goes_as_one_parameter);
    contract_add(suite, a_write_is_seen_by_another_pool);
}
