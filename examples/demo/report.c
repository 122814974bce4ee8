/* What the demonstration shows: some rows, what it measured, and whether that is good enough. */
#include <stdio.h>
#include <string.h>

#include "demo.h"

static const double most_inside = 0.002; /* seconds of processor time in one callback */

dbal_outcome
demo_failed(dbal_outcome in, void *arg)
{
    demo *self = arg;
    dbal_error *error = dbal_outcome_error(in);
    if (self->signal != 0)
        return dbal_done(); /* it was asked to stop */
    if (self->errors++ < 10)
        fprintf(stderr, "%s error: %s\n", dbal_error_class_name(dbal_error_kind(error)),
                dbal_error_message(error));
    return dbal_done();
}

/* ---- rows a person would like to see ---- */

static void
print_character(int64_t code)
{
    unsigned c = (unsigned)code;
    if (c < 0x80)
        printf("%c", (int)c);
    else if (c < 0x800)
        printf("%c%c", (int)(0xc0 | c >> 6), (int)(0x80 | (c & 63)));
    else if (c < 0x10000)
        printf("%c%c%c", (int)(0xe0 | c >> 12), (int)(0x80 | (c >> 6 & 63)),
               (int)(0x80 | (c & 63)));
    else
        printf("%c%c%c%c", (int)(0xf0 | c >> 18), (int)(0x80 | (c >> 12 & 63)),
               (int)(0x80 | (c >> 6 & 63)), (int)(0x80 | (c & 63)));
}

static void
print_names(dbal_result *rows)
{
    printf("Some characters:\n");
    for (size_t i = 0; i < dbal_result_row_count(rows); i++) {
        int64_t code = dbal_result_int64(rows, i, 0);
        printf("  ");
        print_character(code);
        printf("  U+%04llX  %s\n", (unsigned long long)code, dbal_result_text(rows, i, 1));
    }
}

static void
print_pairs(dbal_result *rows)
{
    printf("Lower and upper case furthest apart:\n");
    for (size_t i = 0; i < dbal_result_row_count(rows); i++) {
        int64_t lower = dbal_result_int64(rows, i, 0), upper = dbal_result_int64(rows, i, 1);
        printf("  ");
        print_character(lower);
        printf(" ");
        print_character(upper);
        printf("  U+%04llX U+%04llX  %s\n", (unsigned long long)lower, (unsigned long long)upper,
               dbal_result_text(rows, i, 2));
    }
}

static void
print_categories(dbal_result *rows)
{
    printf("The largest categories:");
    for (size_t i = 0; i < dbal_result_row_count(rows); i++)
        printf("%s %s %lld", i > 0 ? "," : "", dbal_result_text(rows, i, 0),
               (long long)dbal_result_int64(rows, i, 1));
    printf("\n");
}

static dbal_outcome
print_rows(dbal_outcome in, void *arg)
{
    (void)arg;
    print_names(dbal_outcome_result(dbal_outcome_at(in, 0)));
    print_pairs(dbal_outcome_result(dbal_outcome_at(in, 1)));
    print_categories(dbal_outcome_result(dbal_outcome_at(in, 2)));
    return dbal_done();
}

dbal_outcome
demo_look(dbal_outcome in, void *arg)
{
    static const char *const texts[] = {
        "select code, name from %s where name like '%%SNOWMAN%%' or name like 'UMBRELLA%%' or "
        "name like 'BLACK CHESS%%' or name in ('GREEK SMALL LETTER ALPHA', 'EURO SIGN', "
        "'INFINITY') order by code limit 12",
        "select a.code, b.code, b.name from %s a join %s b on b.code = a.upper "
        "order by abs(a.upper - a.code) desc, a.code limit 4",
        "select category, count(*) as characters from %s group by category "
        "order by characters desc, category limit 6"};
    demo *self = arg;
    dbal_deferred *all[3];
    (void)in;
    for (int i = 0; i < 3; i++) {
        char sql[400];
        snprintf(sql, sizeof sql, texts[i], self->table, self->table);
        all[i] = dbal_pool_query(self->pool, sql, DBAL_NO_PARAMS);
    }
    return dbal_wait(dbal_deferred_add_callback(
        dbal_gather(self->loop, DBAL_GATHER_OR_FAIL, 3, all), print_rows, self));
}

/* ---- what was measured ---- */

static void
print_tallies(const demo *self)
{
    static const char *const names[COSTS] = {"by key", "search in all names", "count by category",
                                             "the large one", "the long one"};
    for (int i = 0; i < COSTS; i++) {
        const tally *one = &self->tallies[i];
        printf("  %4d %-20s first answered after %6.3f s, last after %6.3f s\n", one->answers,
               names[i], one->first, one->last);
    }
}

static bool
complain(bool wrong, const char *what)
{
    if (wrong)
        printf("NOT GOOD: %s\n", what);
    return wrong;
}

/* In the quick form, for builds that are slow on purpose, only the answers count. */
static bool
is_good(const demo *self)
{
    const dbal_loop_counts *counts = &self->loop_counts;
    bool bad = complain(self->errors > 0, "there were errors");
    if (self->answered == 0)
        return !complain(!bad, "nothing was measured") && !bad;
    bad |= complain(self->answered != DEMO_QUERIES, "not every query was answered");
    bad |= complain(!self->quick && counts->max_inside >= most_inside,
                    "a dbal callback took 2 ms of processor time or more");
    bad |= complain(!self->quick && counts->blocked > 0, "the loop's thread was made to wait");
    return !bad;
}

static void
print_measures(const demo *self)
{
    const dbal_loop_counts *counts = &self->loop_counts;
    printf("\n%zu rows loaded, %d queries at once answered in %.2f s:\n", self->sent,
           self->answered, self->took);
    print_tallies(self);
    printf("  driver %s at threadlevel %d, gate %s, %d connections\n", self->pool_counts.driver,
           self->pool_counts.threadlevel, self->pool_counts.gate, self->pool_counts.connections);
    printf("Meanwhile, on the same loop:\n");
    printf("  a timer of 1 ms was at most %.2f ms late, the scheduler's doing included\n",
           self->lateness * 1e3);
    printf("  the longest of %llu dbal callbacks took %.3f ms of processor time\n",
           (unsigned long long)counts->entries, counts->max_inside * 1e3);
    printf("  %llu of them gave the processor up\n", (unsigned long long)counts->blocked);
}

/* ---- for programs ---- */

/* Prints bytes as the inside of a JSON string. */
static void
print_escaped(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c < 0x20 || c >= 0x7f)
            printf("\\u%04x", c);
        else
            printf(c == '"' || c == '\\' ? "\\%c" : "%c", c);
    }
}

/* The URL as a JSON string, without what stands between the user's `:` and the last `@`. */
static void
print_url(const char *url)
{
    const char *slashes = strstr(url, "://"), *at = strrchr(url, '@'), *end = url + strlen(url);
    const char *colon = slashes != NULL ? strchr(slashes + 3, ':') : NULL;
    const char *secret = strstr(url, "password=");
    printf("\"");
    if (secret != NULL) /* nothing behind it can be told from a password */
        end = secret + strlen("password=");
    if (colon != NULL && at != NULL && colon < at) {
        print_escaped(url, (size_t)(colon + 1 - url));
        printf("***");
        url = at < end ? at : end;
    }
    print_escaped(url, (size_t)(end - url));
    printf("%s\"", secret != NULL ? "***" : "");
}

static void
print_json(const demo *self)
{
    const dbal_pool_counts *pool = &self->pool_counts;
    printf("{\"url\": ");
    print_url(self->url);
    if (pool->driver != NULL)
        printf(", \"driver\": \"%s\", \"threadlevel\": %d, \"gate\": \"%s\"", pool->driver,
               pool->threadlevel, pool->gate);
    else
        printf(", \"driver\": null, \"threadlevel\": null, \"gate\": null");
    printf(", \"rows\": %zu, \"queries\": %d, \"queries_per_second\": %.1f, "
           "\"max_lateness_ms\": %.3f, \"max_inside_ms\": %.3f, \"blocked\": %llu, "
           "\"errors\": %d}\n",
           self->sent, self->answered, self->took > 0 ? self->answered / self->took : 0.0,
           self->lateness * 1e3, self->loop_counts.max_inside * 1e3,
           (unsigned long long)self->loop_counts.blocked, self->errors);
}

bool
demo_report(const demo *self)
{
    if (self->answered > 0)
        print_measures(self);
    if (self->signal != 0)
        printf("Stopped by signal %d, and cleaned up.\n", self->signal);
    bool good = self->signal == 0 && is_good(self);
    if (self->json)
        print_json(self);
    return fflush(stdout) == 0 && good;
}
