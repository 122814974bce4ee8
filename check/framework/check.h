/*
 * Stands where the unit test framework Check stands in this project's own tests, so that the contract
 * is one source for both: there it is a test program, here each test is a trial of somebody's driver.
 */
#ifndef CHECK_FRAMEWORK_CHECK_H
#define CHECK_FRAMEWORK_CHECK_H

#include <stdint.h>
#include <string.h>

#include "check/trial.h"

typedef struct Suite Suite;
typedef struct SRunner SRunner;

typedef struct TTest {
    const char *name;
    void (*fn)(int number);
} TTest;

#define START_TEST(test)                                                                           \
    static void test##_fn(int number);                                                             \
    static const TTest test##_test = {#test, test##_fn};                                           \
    static const TTest *test = &test##_test;                                                       \
    static void test##_fn(__attribute__((unused)) int number_)
#define END_TEST

#define ck_assert_msg(is, ...) ((is) ? (void)0 : trial_fail(__VA_ARGS__))
#define ck_assert(is) ck_assert_msg(is, "it is not so that %s", #is)

#define CK_COMPARE(type, format, left, is, right)                                                  \
    do {                                                                                           \
        type left_ = (type)(left), right_ = (type)(right);                                         \
        ck_assert_msg(left_ is right_, "%s is " format ", not %s " format, #left, left_, #is,      \
                      right_);                                                                     \
    } while (0)

#define ck_assert_int_eq(left, right) CK_COMPARE(intmax_t, "%jd", left, ==, right)
#define ck_assert_int_ne(left, right) CK_COMPARE(intmax_t, "%jd", left, !=, right)
#define ck_assert_int_lt(left, right) CK_COMPARE(intmax_t, "%jd", left, <, right)
#define ck_assert_int_le(left, right) CK_COMPARE(intmax_t, "%jd", left, <=, right)
#define ck_assert_int_gt(left, right) CK_COMPARE(intmax_t, "%jd", left, >, right)
#define ck_assert_int_ge(left, right) CK_COMPARE(intmax_t, "%jd", left, >=, right)
#define ck_assert_uint_eq(left, right) CK_COMPARE(uintmax_t, "%ju", left, ==, right)
#define ck_assert_uint_ne(left, right) CK_COMPARE(uintmax_t, "%ju", left, !=, right)
#define ck_assert_uint_lt(left, right) CK_COMPARE(uintmax_t, "%ju", left, <, right)
#define ck_assert_uint_le(left, right) CK_COMPARE(uintmax_t, "%ju", left, <=, right)
#define ck_assert_uint_gt(left, right) CK_COMPARE(uintmax_t, "%ju", left, >, right)
#define ck_assert_uint_ge(left, right) CK_COMPARE(uintmax_t, "%ju", left, >=, right)
#define ck_assert_ptr_nonnull(pointer) ck_assert_msg((pointer) != NULL, "%s is NULL", #pointer)
#define ck_assert_ptr_null(pointer) ck_assert_msg((pointer) == NULL, "%s is not NULL", #pointer)
#define ck_assert_ptr_eq(left, right) ck_assert((const void *)(left) == (const void *)(right))
#define ck_assert_mem_eq(left, right, size)                                                        \
    ck_assert_msg(memcmp(left, right, size) == 0, "%s and %s differ", #left, #right)
#define ck_assert_str_eq(left, right)                                                              \
    do {                                                                                           \
        const char *left_ = (left), *right_ = (right);                                             \
        ck_assert_msg(left_ != NULL && right_ != NULL && strcmp(left_, right_) == 0,               \
                      "%s is \"%s\", not \"%s\"", #left, left_ != NULL ? left_ : "NULL",           \
                      right_ != NULL ? right_ : "NULL");                                           \
    } while (0)

#endif
