/* Histograms by label, and what Prometheus is given. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/suite.h"
#include "tests/pool/exposition.h"
#include "tests/pool/pool_fixture.h"

static const char *const targets[][2] = {
    {"fake", ""},
    {"fake", "level=0"},
    {"native", ""},
    {"native", "pipeline=off"},
};
enum { TARGETS = sizeof targets / sizeof targets[0] };

static void
open_target(int target, const char *parameters)
{
    char text[200];
    snprintf(text, sizeof text, "%s&%s", targets[target][1], parameters);
    open_pool(targets[target][0], text[0] == '&' ? text + 1 : text);
    good(dbal_pool_ready(pool));
}

static void
run(const char *sql, const char *label)
{
    good(dbal_pool_run(pool, DBAL_QUERY(.sql = sql, .label = label)));
}

/* ---- histograms ---- */

typedef struct counts {
    const char *label; /* of those that are counted; NULL: any */
    uint64_t phases[DBAL_PHASES];
    double sums[DBAL_PHASES];
    size_t labels, told;
    char last[80];
} counts;

static void
count(const dbal_histogram *told, void *arg)
{
    counts *self = arg;
    uint64_t all = 0;
    ck_assert_uint_eq(told->size, sizeof *told);
    ck_assert_uint_eq(told->bucket_count, DBAL_HISTOGRAM_BUCKETS);
    ck_assert_double_eq_tol(told->bounds[0], 1e-6, 1e-12);
    for (size_t i = 0; i < told->bucket_count; i++) {
        all += told->buckets[i];
        if (i > 0 && i + 1 < told->bucket_count)
            ck_assert_double_eq_tol(told->bounds[i] / told->bounds[i - 1], 2, 1e-9);
    }
    ck_assert(isinf(told->bounds[told->bucket_count - 1]));
    ck_assert_uint_eq(told->count, all);
    ck_assert_uint_gt(told->count, 0);
    if (self->told == 0 || strcmp(self->last, told->label) != 0)
        self->labels++;
    snprintf(self->last, sizeof self->last, "%s", told->label);
    self->told++;
    if (self->label == NULL || strcmp(self->label, told->label) == 0) {
        self->phases[told->phase] += told->count;
        self->sums[told->phase] += told->sum;
    }
}

static counts
counted(const char *label)
{
    counts self = {.label = label};
    ck_assert_uint_eq(dbal_pool_histograms(pool, count, &self), self.told);
    ck_assert_uint_eq(dbal_pool_histograms(pool, NULL, NULL), self.told);
    return self;
}

static dbal_outcome
add_one(dbal_connection *connection, void *arg)
{
    (void)arg;
    return dbal_wait(dbal_connection_query(connection, "add 1", DBAL_NO_PARAMS));
}

START_TEST(by_label_and_phase)
{
    open_target(_i, "pool_histograms=on&pool_max_size=1");
    run("get", "cart");
    run("add 1", "cart");
    run("get", NULL);
    run("get", "");
    bad(dbal_pool_run(pool, DBAL_QUERY(.sql = "fail '23505'", .label = "cart")),
        DBAL_ERROR_INTEGRITY, "23505", DBAL_EXECUTION_FAILED, NULL);
    good(dbal_pool_transaction(pool, DBAL_TRANSACTION(.label = "order"), add_one, NULL));
    counts cart = counted("cart"), none = counted(""), order = counted("order");
    ck_assert_uint_eq(cart.phases[DBAL_PHASE_QUEUE], 3);
    ck_assert_uint_eq(cart.phases[DBAL_PHASE_EXECUTE], 3);
    ck_assert_uint_eq(cart.phases[DBAL_PHASE_FETCH], 1);
    ck_assert_uint_eq(cart.phases[DBAL_PHASE_CONNECT], 0);
    ck_assert_uint_eq(none.phases[DBAL_PHASE_EXECUTE], 2);
    ck_assert_uint_eq(none.phases[DBAL_PHASE_CONNECT], 1);
    ck_assert_uint_eq(order.phases[DBAL_PHASE_QUEUE], 4); /* with BEGIN and COMMIT */
    ck_assert_uint_eq(order.phases[DBAL_PHASE_EXECUTE], 3);
    ck_assert_double_gt(cart.sums[DBAL_PHASE_EXECUTE], 0);
}
END_TEST

START_TEST(off_by_default)
{
    open_target(_i, "pool_max_size=1");
    run("get", "cart");
    ck_assert_uint_eq(counted(NULL).told, 0);
}
END_TEST

static size_t
bucket_of(double seconds)
{
    size_t bucket = 0;
    for (double bound = 1e-6; seconds > bound && bucket < DBAL_HISTOGRAM_BUCKETS - 1; bucket++)
        bound *= 2;
    return bucket;
}

static void
find_queued(const dbal_histogram *told, void *arg)
{
    if (told->phase == DBAL_PHASE_QUEUE && strcmp(told->label, "waits") == 0)
        memcpy(arg, told->buckets, sizeof(uint64_t) * DBAL_HISTOGRAM_BUCKETS);
}

START_TEST(a_time_is_in_its_bucket)
{
    static const double times[] = {0.9e-6, 1.9e-6, 3e-6, 0.001, 0.3, 1, 70, 134, 135, 100000};
    open_target(2, "pool_histograms=on&pool_max_size=1&pool_acquire_timeout=off");
    loop_fixture_drive(&fixture);
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        uint64_t before[DBAL_HISTOGRAM_BUCKETS] = {0}, now[DBAL_HISTOGRAM_BUCKETS] = {0};
        holder one;
        seen waits;
        dbal_pool_histograms(pool, find_queued, before);
        hold(&one);
        until_held(&one);
        watch(dbal_pool_run(pool, DBAL_QUERY(.sql = "get", .label = "waits")), &waits);
        loop_fixture_advance(&fixture, times[i]);
        let_go(&one);
        until_settled(&waits);
        dbal_pool_histograms(pool, find_queued, now);
        for (size_t at = 0; at < DBAL_HISTOGRAM_BUCKETS; at++)
            ck_assert_msg(now[at] - before[at] == (at == bucket_of(times[i])),
                          "%g s: bucket %zu has %d more", times[i], at,
                          (int)(now[at] - before[at]));
    }
}
END_TEST

START_TEST(labels_are_bounded)
{
    char label[200];
    open_target(_i, "pool_histograms=on&pool_max_size=1");
    for (int i = 0; i < 200; i++) {
        snprintf(label, sizeof label, "label %d", i);
        run("add 1", label);
    }
    run("add 1", "label 3");
    run("add 1", "label 150");
    run("add 1", "other");
    counts all = counted(NULL);
    ck_assert_uint_eq(all.labels, 64 + 2);
    ck_assert_uint_eq(all.phases[DBAL_PHASE_EXECUTE], 203);
    ck_assert_uint_eq(counted("label 3").phases[DBAL_PHASE_EXECUTE], 2);
    ck_assert_uint_eq(counted("label 63").phases[DBAL_PHASE_EXECUTE], 1);
    ck_assert_uint_eq(counted("label 64").phases[DBAL_PHASE_EXECUTE], 0);
    ck_assert_uint_eq(counted("other").phases[DBAL_PHASE_EXECUTE], 200 - 64 + 2);
}
END_TEST

START_TEST(long_and_broken_labels)
{
    char label[200], first[100];
    open_target(_i, "pool_histograms=on&pool_max_size=1");
    memset(label, 'x', sizeof label);
    label[199] = '\0';
    run("add 1", label);
    label[100] = '\0';
    run("add 1", label);
    snprintf(first, sizeof first, "%.63s", label);
    ck_assert_uint_eq(counted(first).phases[DBAL_PHASE_EXECUTE], 2);
    run("add 1", "a\xff");
    run("add 1", "a\xfe");
    ck_assert_uint_eq(counted("a?").phases[DBAL_PHASE_EXECUTE], 2);
}
END_TEST

static void
close_it(const dbal_histogram *told, void *arg)
{
    (void)told;
    if (((seen *)arg)->order == 0)
        watch(dbal_pool_close(pool), arg);
    ((seen *)arg)->order = -1;
}

START_TEST(who_is_told_may_close_the_pool)
{
    seen closed = {.settled = 0};
    open_target(_i, "pool_histograms=on&pool_max_size=1");
    run("get", "cart");
    ck_assert_uint_eq(dbal_pool_histograms(pool, close_it, &closed), 4);
    until_settled(&closed);
    ck_assert_uint_eq(dbal_pool_histograms(pool, NULL, NULL), 4);
}
END_TEST

static void
free_it(const dbal_histogram *told, void *arg)
{
    (void)told, (void)arg;
    dbal_loop_free(fixture.loop);
}

/* it is within a callback of the loop, also where the program is not */
START_TEST(who_is_told_may_not_free_the_loop)
{
    open_target(_i, "pool_histograms=on&pool_max_size=1");
    run("get", "cart");
    ck_assert_uint_eq(dbal_pool_histograms(pool, free_it, NULL), 4);
    ck_assert_uint_eq(log_lines_count(&fixture.log, "dbal_loop_free refused"), 4);
    run("get", "cart");
}
END_TEST

/* ---- Prometheus ---- */

static exposition text;

static void
read_metrics(size_t pools, dbal_pool *const *all)
{
    char *metrics = dbal_pool_metrics(pools, all);
    ck_assert_ptr_nonnull(metrics);
    const char *error = exposition_read(&text, metrics);
    ck_assert_msg(error == NULL, "%s", error);
    dbal_free(metrics);
}

START_TEST(all_counters_and_gauges)
{
    holder one;
    open_target(_i, "pool_max_size=3&pool_name=main");
    run("get", NULL);
    bad(ask("fail '23505'"), DBAL_ERROR_INTEGRITY, "23505", DBAL_EXECUTION_FAILED, NULL);
    hold(&one);
    until_held(&one);
    dbal_pool_counts now = counts_now();
    read_metrics(1, &pool);
    ck_assert_double_eq(exposition_value(&text, "dbal_pool_queries_total", "pool=\"main\""), 2);
    ck_assert_double_eq(exposition_value(&text, "dbal_pool_errors_total", "pool=\"main\""), 1);
    ck_assert_double_eq(exposition_value(&text, "dbal_pool_held_connections", ""), 1);
    ck_assert_double_eq(exposition_value(&text, "dbal_pool_max_connections", ""), 3);
    ck_assert_double_eq(exposition_value(&text, "dbal_pool_connections_opened_total", ""),
                        (double)now.opened);
    ck_assert_double_eq(exposition_value(&text, "dbal_pool_info", ""), 1);
    ck_assert_str_eq(exposition_label_of(&text.samples[0], "driver"), now.driver);
    ck_assert_str_eq(exposition_label_of(&text.samples[0], "gate"), now.gate);
    for (size_t i = 0; i < text.count; i++)
        ck_assert_str_eq(exposition_label_of(&text.samples[i], "pool"), "main");
    /* a number for each of the counters, the driver's, the gate's and the level apart */
    size_t numbers = 9 + 22;
    ck_assert_uint_eq(text.count, numbers + 1);
    dbal_pool_pause(pool);
    read_metrics(1, &pool);
    ck_assert_double_eq(exposition_value(&text, "dbal_pool_paused", ""), 1);
    let_go(&one);
    until_settled(&one.end);
}
END_TEST

static const char awkward[] = "a\"b\\c\nd é";

START_TEST(values_are_escaped)
{
    dbal_pool_options options = DBAL_POOL_OPTIONS_INIT;
    options.name = "q\"\\";
    options.histograms = true;
    pool = dbal_pool_open(fixture.loop, "native:pool", &options, NULL);
    good(dbal_pool_ready(pool));
    run("get", awkward);
    read_metrics(1, &pool);
    bool found = false;
    for (size_t i = 0; i < text.count; i++) {
        const char *label = exposition_label_of(&text.samples[i], "label");
        ck_assert_str_eq(exposition_label_of(&text.samples[i], "pool"), "q\"\\");
        found = found || (label != NULL && strcmp(label, awkward) == 0);
    }
    ck_assert(found);
}
END_TEST

START_TEST(histograms_in_the_text)
{
    static const char labels[] = "label=\"cart\",phase=\"execute\"";
    char bucket[100];
    open_target(_i, "pool_histograms=on&pool_max_size=1");
    for (int i = 0; i < 5; i++)
        run("get", "cart");
    counts cart = counted("cart");
    read_metrics(1, &pool);
    ck_assert_double_eq(exposition_value(&text, "dbal_pool_phase_seconds_count", labels), 5);
    ck_assert_double_eq_tol(exposition_value(&text, "dbal_pool_phase_seconds_sum", labels),
                            cart.sums[DBAL_PHASE_EXECUTE], 1e-9);
    snprintf(bucket, sizeof bucket, "%s,le=\"+Inf\"", labels);
    ck_assert_double_eq(exposition_value(&text, "dbal_pool_phase_seconds_bucket", bucket), 5);
    snprintf(bucket, sizeof bucket, "%s,le=\"0.000001000\"", labels);
    ck_assert_double_le(exposition_value(&text, "dbal_pool_phase_seconds_bucket", bucket), 5);
}
END_TEST

/* The format wants all samples of a metric in one place, and none twice. */
START_TEST(several_pools)
{
    dbal_pool *all[3];
    open_target(_i, "pool_histograms=on&pool_name=a");
    all[0] = pool;
    run("get", "cart");
    open_target(_i, "pool_name=b");
    all[1] = pool;
    open_target(_i, "pool_histograms=on&pool_name=a");
    all[2] = pool;
    run("get", "cart");
    run("get", "cart");
    read_metrics(3, all);
    ck_assert_double_eq(exposition_value(&text, "dbal_pool_queries_total", "pool=\"a\""), 1);
    ck_assert_double_eq(exposition_value(&text, "dbal_pool_queries_total", "pool=\"b\""), 0);
    ck_assert_double_eq(exposition_value(&text, "dbal_pool_queries_total", "pool=\"a (2)\""), 2);
    read_metrics(0, NULL);
    ck_assert_uint_eq(text.count, 0);
}
END_TEST

START_TEST(without_a_name_the_url_without_passwords)
{
    open_pool("fake", "pool_max_size=1");
    read_metrics(1, &pool);
    ck_assert_str_eq(exposition_label_of(&text.samples[0], "pool"), "fake:pool?pool_max_size=1");
    pool = dbal_pool_open(fixture.loop, "postgresql://me:secret@127.0.0.1:1/x", NULL, NULL);
    ck_assert_ptr_nonnull(pool);
    read_metrics(1, &pool);
    const char *name = exposition_label_of(&text.samples[0], "pool");
    ck_assert_msg(strstr(name, "secret") == NULL && strstr(name, "127.0.0.1") != NULL, "%s", name);
}
END_TEST

/* the reader itself finds what is wrong */
START_TEST(the_reader_is_strict)
{
    static const char *const texts[] = {
        "a 1\n",
        "# HELP a b\n# TYPE a gauge\na 1",
        "# HELP a b\n# TYPE a gauge\na 1\n# HELP a b\n# TYPE a gauge\n",
        "# HELP a b\n# TYPE a counter\na 1\n",
        "# HELP a b\n# TYPE a gauge\nb 1\n",
        "# HELP a b\n# TYPE a gauge\na{x=\"1\"} 1\na{x=\"1\"} 2\n",
        "# HELP a b\n# TYPE a gauge\na{x=\"\\t\"} 1\n",
        "# HELP a b\n# TYPE a gauge\na{x=\"1\",x=\"2\"} 1\n",
        "# HELP a b\n# TYPE a gauge\na 1,5\n",
        "# TYPE a gauge\na 1\n",
        ("# HELP a b\n# TYPE a histogram\na_bucket{le=\"1\"} 2\na_bucket{le=\"+Inf\"} 1\na_sum 1\n"
         "a_count 1\n"),
        "# HELP a b\n# TYPE a histogram\na_bucket{le=\"1\"} 2\na_sum 1\na_count 2\n",
        "# HELP a b\n# TYPE a histogram\na_bucket{le=\"+Inf\"} 2\na_sum 1\na_count 1\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        ck_assert_msg(exposition_read(&text, texts[i]) != NULL, "%s", texts[i]);
    ck_assert_ptr_null(exposition_read(&text, "# HELP a b\n# TYPE a gauge\na 1.5\n"));
}
END_TEST

static void
add(Suite *suite, const TTest *test, int count)
{
    TCase *one = tcase_create(test->name);
    tcase_add_checked_fixture(one, pool_fixture_init, pool_fixture_fini);
    tcase_add_loop_test(one, test, 0, count);
    tcase_set_timeout(one, 60);
    suite_add_tcase(suite, one);
}

int
main(void)
{
    Suite *suite = suite_create("pool-metrics");
    add(suite, by_label_and_phase, TARGETS);
    add(suite, off_by_default, TARGETS);
    add(suite, a_time_is_in_its_bucket, 1);
    add(suite, labels_are_bounded, TARGETS);
    add(suite, long_and_broken_labels, TARGETS);
    add(suite, who_is_told_may_close_the_pool, TARGETS);
    add(suite, who_is_told_may_not_free_the_loop, TARGETS);
    add(suite, all_counters_and_gauges, TARGETS);
    add(suite, values_are_escaped, 1);
    add(suite, histograms_in_the_text, TARGETS);
    add(suite, several_pools, TARGETS);
    add(suite, without_a_name_the_url_without_passwords, 1);
    add(suite, the_reader_is_strict, 1);
    return suite_run(suite);
}
