/* What is said to be frozen stays so: programs compiled today must run with later libraries. */
#include <assert.h>
#include <dbal.h>
#include <dbal/driver.h>

#ifdef __x86_64__
static_assert(sizeof(dbal_outcome) == 24, "dbal_outcome is frozen");
static_assert(sizeof(dbal_value) == 32, "dbal_value is frozen");
static_assert(sizeof(dbal_params) == 16, "dbal_params is frozen");
static_assert(offsetof(dbal_value, as) == 16, "dbal_value is frozen");
#endif
static_assert(offsetof(dbal_outcome, kind) == 0, "dbal_outcome is frozen");
static_assert(offsetof(dbal_value, type) == 0, "dbal_value is frozen");
static_assert(DBAL_NULL == 0 && DBAL_INT64 == 2 && DBAL_BLOB == 5, "the types' numbers are frozen");

static const dbal_params none = {0, 0};

/* Parameters in every place that C allows an expression: empty, nested, in an initializer. */
static size_t
count(dbal_params params)
{
    return params.count;
}

size_t parameters_everywhere(int64_t number);

size_t
parameters_everywhere(int64_t number)
{
    dbal_query query = {.size = sizeof(query), .params = DBAL_PARAMS(dbal_int64(number))};
    const dbal_query *other =
        DBAL_QUERY(.sql = "select :a", .params = DBAL_PARAMS(dbal_named("a", dbal_null())));

    return count(DBAL_PARAMS()) + count(DBAL_PARAMS(dbal_int64(number), dbal_text("x"))) +
           count(query.params) + count(other->params) + count(DBAL_NO_PARAMS) + none.count;
}
