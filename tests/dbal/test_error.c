/* Errors: what they say, what a wrapper keeps, and what is left of them without memory. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "dbal/error.h"
#include "tests/lib/alloc_fault.h"
#include "tests/lib/chance.h"
#include "tests/lib/suite.h"

START_TEST(null_counts_as_out_of_memory)
{
    ck_assert_int_eq(dbal_error_kind(NULL), DBAL_ERROR_NO_MEMORY);
    ck_assert(dbal_error_is(NULL, DBAL_ERROR_NO_MEMORY));
    ck_assert(!dbal_error_is(NULL, DBAL_ERROR_DATA));
    ck_assert_str_eq(dbal_error_message(NULL), "out of memory");
    ck_assert_str_eq(dbal_error_sqlstate(NULL), "");
    ck_assert_int_eq(dbal_error_vendor_code(NULL), 0);
    ck_assert_ptr_null(dbal_error_detail(NULL));
    ck_assert_ptr_null(dbal_error_hint(NULL));
    ck_assert_ptr_null(dbal_error_constraint(NULL));
    ck_assert_int_eq(dbal_error_position(NULL), 0);
    ck_assert(!dbal_error_connection_lost(NULL));
    ck_assert(!dbal_error_retryable(NULL));
    ck_assert_int_eq(dbal_error_execution(NULL), DBAL_EXECUTION_NOT_SENT);
    ck_assert_ptr_null(dbal_error_cause(NULL));
    ck_assert_ptr_null(dbal_error_ref(NULL));
    ck_assert_ptr_null(dbal_error_unref(NULL));
}
END_TEST

START_TEST(classes_have_names)
{
    ck_assert_str_eq(dbal_error_class_name(DBAL_ERROR_INTERFACE), "interface");
    ck_assert_str_eq(dbal_error_class_name(DBAL_ERROR_APPLICATION), "application");
    ck_assert_str_eq(dbal_error_class_name((dbal_error_class)0), "unknown");
    ck_assert_str_eq(dbal_error_class_name((dbal_error_class)-1), "unknown");
    ck_assert_str_eq(dbal_error_class_name((dbal_error_class)99), "unknown");
    for (int kind = DBAL_ERROR_INTERFACE; kind <= DBAL_ERROR_APPLICATION; kind++)
        ck_assert_str_ne(dbal_error_class_name((dbal_error_class)kind), "unknown");
}
END_TEST

START_TEST(error_of_ones_own)
{
    dbal_error *error = dbal_error_new(DBAL_ERROR_APPLICATION, "%s is %d", "x", 7);
    ck_assert_int_eq(dbal_error_kind(error), DBAL_ERROR_APPLICATION);
    ck_assert_str_eq(dbal_error_message(error), "x is 7");
    ck_assert_int_eq(dbal_error_execution(error), DBAL_EXECUTION_NOT_SENT);
    ck_assert_ptr_eq(dbal_error_ref(error), error);
    ck_assert_ptr_null(dbal_error_unref(error));
    ck_assert_str_eq(dbal_error_message(error), "x is 7");
    dbal_error_unref(error);
}
END_TEST

static char *
long_text(size_t size)
{
    char *text = malloc(size + 1);
    memset(text, 'x', size);
    text[size] = '\0';
    return text;
}

START_TEST(long_texts_are_cut)
{
    char *text = long_text(100000);
    dbal_fault fault = DBAL__FAULT_INIT;
    dbal_fault_set(&fault, DBAL_ERROR_DATA, "1234567", "%s", text);
    dbal_fault_set_detail(&fault, text);
    dbal_fault_set_hint(&fault, text);
    dbal_fault_set_constraint(&fault, text);
    dbal_error *error = dbal__fault_take(&fault);
    ck_assert_str_eq(dbal_error_sqlstate(error), "12345");
    const char *const all[] = {dbal_error_message(error), dbal_error_detail(error),
                               dbal_error_hint(error), dbal_error_constraint(error)};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        ck_assert_uint_ge(strlen(all[i]), 4096);
        ck_assert_uint_le(strlen(all[i]), 8192);
        ck_assert_uint_eq(strspn(all[i], "x"), strlen(all[i]));
    }
    dbal__error_set_where(error, text);
    ck_assert_uint_le(strlen(dbal__error_where(error)), 200);
    dbal_error_unref(error);
    free(text);
}
END_TEST

/* faults */

static dbal_error *
busy(dbal_execution execution)
{
    dbal_fault fault = DBAL__FAULT_INIT;
    dbal_fault_set(&fault, DBAL_ERROR_OPERATIONAL, "40001", "busy");
    dbal_fault_set_detail(&fault, "detail");
    dbal_fault_set_hint(&fault, "hint");
    dbal_fault_set_constraint(&fault, "account.name");
    dbal_fault_set_vendor_code(&fault, 5);
    dbal_fault_set_position(&fault, 9);
    dbal_fault_set_connection_lost(&fault, true);
    dbal_fault_set_retryable(&fault, true);
    dbal_fault_set_execution(&fault, execution);
    ck_assert(dbal_fault_is_set(&fault));
    dbal_error *error = dbal__fault_take(&fault);
    ck_assert(!dbal_fault_is_set(&fault));
    return error;
}

static void
expect_busy(const dbal_error *error, dbal_execution execution)
{
    ck_assert_int_eq(dbal_error_kind(error), DBAL_ERROR_OPERATIONAL);
    ck_assert_str_eq(dbal_error_sqlstate(error), "40001");
    ck_assert_int_eq(dbal_error_vendor_code(error), 5);
    ck_assert(dbal_error_connection_lost(error));
    ck_assert(dbal_error_retryable(error) == (execution != DBAL_EXECUTION_UNKNOWN));
    ck_assert_int_eq(dbal_error_execution(error), execution);
}

START_TEST(fault_says_everything)
{
    dbal_error *error = busy(DBAL_EXECUTION_FAILED);
    expect_busy(error, DBAL_EXECUTION_FAILED);
    ck_assert_str_eq(dbal_error_message(error), "busy");
    ck_assert_str_eq(dbal_error_detail(error), "detail");
    ck_assert_str_eq(dbal_error_hint(error), "hint");
    ck_assert_str_eq(dbal_error_constraint(error), "account.name");
    ck_assert_int_eq(dbal_error_position(error), 9);
    dbal_error_unref(error);
}
END_TEST

START_TEST(what_may_have_taken_effect_is_never_retryable)
{
    dbal_error *error = busy(DBAL_EXECUTION_UNKNOWN);
    expect_busy(error, DBAL_EXECUTION_UNKNOWN);
    dbal_error *wrapped = dbal_error_wrap(error, "wrapped");
    expect_busy(wrapped, DBAL_EXECUTION_UNKNOWN);
    dbal_error_unref(wrapped);
    dbal_error_unref(error);
}
END_TEST

START_TEST(later_fault_replaces_an_earlier_one_whole)
{
    dbal_fault fault = DBAL__FAULT_INIT;
    dbal_fault_set(&fault, DBAL_ERROR_DATA, "22000", "first");
    dbal_fault_set_hint(&fault, "a hint");
    dbal_fault_set_hint(&fault, "another");
    dbal_fault_set(&fault, DBAL_ERROR_INTEGRITY, NULL, "second");
    dbal_error *error = dbal__fault_take(&fault);
    ck_assert_str_eq(dbal_error_message(error), "second");
    ck_assert_str_eq(dbal_error_sqlstate(error), "");
    ck_assert_ptr_null(dbal_error_hint(error));
    ck_assert_int_eq(dbal_error_execution(error), DBAL_EXECUTION_FAILED);
    dbal_error_unref(error);
}
END_TEST

START_TEST(fault_that_was_never_set_is_an_internal_error)
{
    dbal_fault fault = DBAL__FAULT_INIT;
    dbal_fault_set_detail(&fault, "of nothing");
    dbal_fault_set_execution(&fault, DBAL_EXECUTION_NOT_SENT);
    dbal_fault_set_retryable(&fault, true);
    dbal_error *error = dbal__fault_take(&fault);
    ck_assert_int_eq(dbal_error_kind(error), DBAL_ERROR_INTERNAL);
    ck_assert_int_eq(dbal_error_execution(error), DBAL_EXECUTION_UNKNOWN);
    dbal_error_unref(error);
    dbal_fault_clear(&fault);
}
END_TEST

/* one over another */

START_TEST(wrapper_keeps_what_matters_of_its_cause)
{
    dbal_error *cause = busy(DBAL_EXECUTION_FAILED);
    dbal__error_set_where(cause, "cart");
    dbal_error *error = dbal_error_wrap(cause, "saving %s", "it");
    dbal_error_unref(cause);
    expect_busy(error, DBAL_EXECUTION_FAILED);
    ck_assert_str_eq(dbal_error_message(error), "saving it");
    ck_assert_ptr_eq(dbal_error_cause(error), cause);
    ck_assert_str_eq(dbal_error_detail(dbal_error_cause(error)), "detail");
    ck_assert_str_eq(dbal__error_where(error), "cart");
    dbal_error_unref(error);
}
END_TEST

START_TEST(wrapper_of_nothing_is_out_of_memory)
{
    dbal_error *error = dbal_error_wrap(NULL, "saving");
    ck_assert_int_eq(dbal_error_kind(error), DBAL_ERROR_NO_MEMORY);
    ck_assert_str_eq(dbal_error_message(error), "saving");
    dbal_error_unref(error);
}
END_TEST

START_TEST(long_chain_of_causes_is_freed_in_constant_stack)
{
    dbal_error *error = dbal_error_new(DBAL_ERROR_DATA, "first");
    for (unsigned i = 0; i < 100000; i++) {
        dbal_error *outer = dbal_error_wrap(error, "more");
        dbal_error_unref(error);
        error = outer;
    }
    dbal_error_unref(error);
}
END_TEST

START_TEST(copy_with_another_execution_keeps_the_rest)
{
    dbal_error *error = busy(DBAL_EXECUTION_FAILED);
    ck_assert_ptr_eq(dbal__error_with_execution(error, DBAL_EXECUTION_FAILED), error);
    error = dbal__error_with_execution(error, DBAL_EXECUTION_UNKNOWN);
    expect_busy(error, DBAL_EXECUTION_UNKNOWN);
    ck_assert_str_eq(dbal_error_message(error), "busy");
    ck_assert_str_eq(dbal_error_hint(error), "hint");
    ck_assert_int_eq(dbal_error_position(error), 9);
    dbal_error_unref(error);
}
END_TEST

START_TEST(lost_connection_has_a_cause_and_its_sqlstate)
{
    dbal_error *cause =
        dbal__error_make(DBAL_ERROR_OPERATIONAL, "57P01", DBAL_EXECUTION_FAILED, "terminated");
    dbal_error *error = dbal__error_lost(cause, DBAL_EXECUTION_UNKNOWN);
    ck_assert(dbal_error_connection_lost(error));
    ck_assert_str_eq(dbal_error_sqlstate(error), "57P01");
    ck_assert(strstr(dbal_error_message(error), "terminated") != NULL);
    dbal_error_unref(error);
    dbal_error_unref(cause);
    error = dbal__error_lost(NULL, DBAL_EXECUTION_NOT_SENT);
    ck_assert_str_eq(dbal_error_sqlstate(error), "08006");
    dbal_error_unref(error);
}
END_TEST

/* memory */

START_TEST(constants_stand_in_when_memory_runs_out)
{
    alloc_fault_install();
    for (int kind = DBAL_ERROR_INTERFACE; kind <= DBAL_ERROR_APPLICATION; kind++) {
        alloc_fault_fail_from(1);
        dbal_error *error = dbal_error_new((dbal_error_class)kind, "never stored");
        ck_assert_int_eq(dbal_error_kind(error), kind);
        ck_assert_str_ne(dbal_error_message(error), "");
        ck_assert_ptr_eq(dbal_error_wrap(error, "wrapped"), error);
        dbal__error_set_position(error, 5);
        dbal__error_set_where(error, "somewhere");
        ck_assert_int_eq(dbal_error_position(error), 0);
        ck_assert_ptr_null(dbal__error_where(error));
        dbal_error_unref(error);
        dbal_error_unref(error);
        for (int e = DBAL_EXECUTION_NOT_SENT; e <= DBAL_EXECUTION_UNKNOWN; e++) {
            error = dbal__error_with_execution(error, (dbal_execution)e);
            ck_assert_int_eq(dbal_error_execution(error), e);
            ck_assert_int_eq(dbal_error_kind(error), kind);
        }
    }
    ck_assert_int_eq(alloc_fault_live(), 0);
    alloc_fault_remove();
    ck_assert_int_eq(dbal_error_kind(dbal__error_constant((dbal_error_class)99, 0)),
                     DBAL_ERROR_INTERNAL);
}
END_TEST

static void
everything(void *arg)
{
    (void)arg;
    dbal_error *error = busy(DBAL_EXECUTION_FAILED);
    ck_assert_int_eq(dbal_error_kind(error), DBAL_ERROR_OPERATIONAL);
    ck_assert_int_eq(dbal_error_execution(error), DBAL_EXECUTION_FAILED);
    dbal_error *wrapped = dbal_error_wrap(error, "over it");
    ck_assert_int_eq(dbal_error_kind(wrapped), DBAL_ERROR_OPERATIONAL);
    dbal_error *other =
        dbal__error_because(wrapped, DBAL_ERROR_TIMEOUT, "57014", DBAL_EXECUTION_UNKNOWN, "late");
    ck_assert_int_eq(dbal_error_kind(other), DBAL_ERROR_TIMEOUT);
    error = dbal__error_with_execution(error, DBAL_EXECUTION_UNKNOWN);
    ck_assert_int_eq(dbal_error_execution(error), DBAL_EXECUTION_UNKNOWN);
    dbal_error *lost = dbal__error_lost(error, DBAL_EXECUTION_UNKNOWN);
    ck_assert_int_eq(dbal_error_kind(lost), DBAL_ERROR_OPERATIONAL);
    dbal_error_unref(lost);
    dbal_error_unref(error);
    dbal_error_unref(other);
    dbal_error_unref(wrapped);
}

START_TEST(nothing_is_lost_without_memory)
{
    alloc_fault_sweep(everything, NULL);
}
END_TEST

/* threads */

static void *
use_and_drop(void *arg)
{
    for (unsigned i = chance_rounds(20000); i > 0; i--) {
        dbal_error *mine = dbal_error_ref(arg);
        if (!dbal_error_is(mine, DBAL_ERROR_DATA))
            abort();
        dbal_error_unref(mine);
    }
    dbal_error_unref(arg);
    return NULL;
}

START_TEST(error_may_be_kept_and_dropped_by_any_thread)
{
    enum { THREADS = 4 };
    pthread_t threads[THREADS];
    alloc_fault_install();
    dbal_error *error = dbal_error_new(DBAL_ERROR_DATA, "shared");
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, use_and_drop, dbal_error_ref(error));
    dbal_error_unref(error);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    ck_assert_int_eq(alloc_fault_live(), 0);
    alloc_fault_remove();
}
END_TEST

START_TEST(long_text_is_cut_between_characters)
{
    static const char *const characters[] = {"e", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x8c\x8d"};
    for (size_t i = 0; i < 4; i++) {
        size_t size = strlen(characters[i]);
        for (size_t shift = 0; shift < 4; shift++) {
            char text[9000];
            size_t at = 0;
            for (; at < shift; at++)
                text[at] = 'x';
            for (; at + size < sizeof text; at += size)
                memcpy(text + at, characters[i], size);
            text[at] = '\0';
            dbal_error *error = dbal_error_new(DBAL_ERROR_DATA, "%s", text);
            size_t kept = strlen(dbal_error_message(error));
            ck_assert_uint_gt(kept, 8000);
            ck_assert_uint_eq((kept - shift) % size, 0);
            dbal_error_unref(error);
        }
    }
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("error");
    const TTest *const tests[] = {
        null_counts_as_out_of_memory,
        classes_have_names,
        error_of_ones_own,
        long_texts_are_cut,
        long_text_is_cut_between_characters,
        fault_says_everything,
        what_may_have_taken_effect_is_never_retryable,
        later_fault_replaces_an_earlier_one_whole,
        fault_that_was_never_set_is_an_internal_error,
        wrapper_keeps_what_matters_of_its_cause,
        wrapper_of_nothing_is_out_of_memory,
        long_chain_of_causes_is_freed_in_constant_stack,
        copy_with_another_execution_keeps_the_rest,
        lost_connection_has_a_cause_and_its_sqlstate,
        constants_stand_in_when_memory_runs_out,
        nothing_is_lost_without_memory,
        error_may_be_kept_and_dropped_by_any_thread,
    };
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        suite_add(suite, tests[i], NULL, NULL);
    return suite_run(suite);
}
