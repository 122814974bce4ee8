// A C++ program that uses dbal as its C++ users would.
#include <cstdio>
#include <cstring>

#include <dbal.h>
#include <dbal/driver.h>
#include <ev.h>

namespace
{

int failures;

void
check(bool holds, const char *what)
{
    if (!holds) {
        std::fprintf(stderr, "not so: %s\n", what);
        failures++;
    }
}

struct Seen {
    int rows;
    int errors;
};

dbal_outcome
take(dbal_outcome in, void *arg)
{
    dbal_result *rows = dbal_outcome_result(in);

    check(dbal_result_row_count(rows) == 1, "one row");
    check(dbal_result_int64(rows, 0, 0) == 42, "the number came back");
    check(std::strcmp(dbal_result_text(rows, 0, 1), "forty-two") == 0, "the text came back");
    static_cast<Seen *>(arg)->rows++;
    return in;
}

dbal_outcome
complain(dbal_outcome in, void *arg)
{
    std::fprintf(stderr, "%s\n", dbal_error_message(dbal_outcome_error(in)));
    static_cast<Seen *>(arg)->errors++;
    return dbal_done();
}

void
query(dbal_pool *pool, Seen *seen)
{
    dbal_deferred *d = dbal_pool_query(pool, "select $1, $2",
                                       DBAL_PARAMS(dbal_int64(42), dbal_text("forty-two")));
    dbal_deferred_add_callbacks(d, take, complain, seen);

    dbal_query q = DBAL_QUERY_INIT;
    q.sql = "select 42, 'forty-two'";
    q.timeout = 30;
    d = dbal_pool_run(pool, &q);
    dbal_deferred_add_callbacks(d, take, complain, seen);

    d = dbal_pool_query(pool, "select 42, 'forty-two'", DBAL_PARAMS());
    dbal_deferred_add_callbacks(d, take, complain, seen);
    d = dbal_pool_query(pool, "select 42, 'forty-two'", DBAL_NO_PARAMS);
    dbal_deferred_add_callbacks(d, take, complain, seen);
}

} // namespace

int
main()
{
    dbal_pool_options options = DBAL_POOL_OPTIONS_INIT;
    dbal_transaction_options transaction = DBAL_TRANSACTION_OPTIONS_INIT;
    dbal_session_options session = DBAL_SESSION_OPTIONS_INIT;
    dbal_error *error = nullptr;
    Seen seen = {0, 0};

    check(std::strcmp(dbal_version(), DBAL_VERSION) == 0, "library and headers are of one version");
    check(transaction.size == sizeof transaction && session.size == sizeof session, "sizes are set");
    options.max_size = 2;
    dbal_loop *loop = dbal_loop_new(EV_DEFAULT);
    dbal_pool *pool = dbal_pool_open(loop, "sqlite::memory:", &options, &error);
    if (pool == nullptr) {
        std::fprintf(stderr, "%s\n", dbal_error_message(error));
        return 1;
    }
    query(pool, &seen);
    ev_run(EV_DEFAULT, 0);
    dbal_loop_free(loop);
    check(seen.rows == 4 && seen.errors == 0, "all four queries succeeded");
    return failures == 0 ? 0 : 1;
}
