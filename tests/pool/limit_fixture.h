/* Pools that share a limit, on fakes behind each kind of gate. */
#ifndef TESTS_POOL_LIMIT_FIXTURE_H
#define TESTS_POOL_LIMIT_FIXTURE_H

#include "tests/lib/suite.h"
#include "tests/pool/pool_fixture.h"

/* thread, driver-thread, and two on the loop: by number */
enum { TARGETS = 4, MANY = 3, MOST = 4 };

extern dbal_limit *limit;
extern dbal_pool *pools[MOST];

/* At the limit, with max_size=8; NULL when it cannot be opened. */
dbal_pool *open_on(dbal_loop *loop, int target, const char *parameters);
/* The first so many of the pools, at a new limit of so many places. */
void open_pools(int target, int count, int places, const char *parameters);
/* And nothing of the limit is left. */
void close_pools(int count);

dbal_deferred *ask_of(int index, const char *sql);
dbal_pool_counts counts_of(int index);
void hold_of(int index, holder *one);
/* Time passes until it holds its connection; driven time, too. */
void until_got(holder *one);
void end(holder *one);
/* Until so many places are taken. */
void until_used(int count);
/* Lets time pass that is driven, and threads of the driver do what they were told meanwhile. */
void let_pass(double seconds);
/* Until it has settled, while driven time passes. */
void until_settled_in_time(seen *one);

/* For dbal_loop_set_log(). */
void no_log(void *arg, dbal_log_level level, const char *message);
/* Adds a test that runs so many times. */
void add(Suite *suite, const TTest *test, int times);

#endif
