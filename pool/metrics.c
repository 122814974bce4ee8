/* A pool's counters, gauges and histograms in Prometheus' text format. */
#include <stdio.h>
#include <string.h>

#include "dbal/alloc.h"
#include "dbal/sql_utf8.h"
#include "pool/pool.h"

/* The text as far as it is written; it only becomes longer. */
typedef struct text {
    char *data;
    size_t size, room;
    bool failed; /* there was no memory */
} text;

enum { ROOM_FIRST = 4096, LINE = 256 };

static void
add_bytes(text *self, const char *bytes, size_t size)
{
    if (self->failed)
        return;
    if (self->room - self->size <= size) {
        size_t room = self->room > 0 ? self->room : ROOM_FIRST;
        while (room - self->size <= size)
            room *= 2;
        char *data = dbal__realloc(self->data, room);
        self->failed = data == NULL;
        if (self->failed)
            return;
        self->data = data;
        self->room = room;
    }
    memcpy(self->data + self->size, bytes, size);
    self->size += size;
    self->data[self->size] = '\0';
}

static void
add(text *self, const char *string)
{
    add_bytes(self, string, strlen(string));
}

/* The value of a label; what is no UTF-8 the format cannot hold. */
static void
add_value(text *self, const char *value)
{
    bool valid = dbal__utf8_valid(value, strlen(value));
    add(self, "\"");
    for (; *value != '\0'; value++) {
        if (*value == '\n')
            add(self, "\\n");
        else if (*value == '"' || *value == '\\')
            add_bytes(self, (const char[]){'\\', *value}, 2);
        else
            add_bytes(self, !valid && (unsigned char)*value >= 0x80 ? "?" : value, 1);
    }
    add(self, "\"");
}

/* Seconds, whatever the process's locale is. */
static void
add_seconds(text *self, uint64_t nanoseconds)
{
    char line[LINE];
    snprintf(line, sizeof line, "%llu.%09llu", (unsigned long long)(nanoseconds / 1000000000),
             (unsigned long long)(nanoseconds % 1000000000));
    add(self, line);
}

static void
add_count(text *self, uint64_t count)
{
    char line[LINE];
    snprintf(line, sizeof line, " %llu\n", (unsigned long long)count);
    add(self, line);
}

static void
add_head(text *self, const char *name, const char *help, const char *type)
{
    char line[2 * LINE];
    snprintf(line, sizeof line, "# HELP dbal_pool_%s %s\n# TYPE dbal_pool_%s %s\n", name, help,
             name, type);
    add(self, line);
}

/* A pool, what it is called, and what it counts. */
typedef struct source {
    dbal_pool *pool;
    char *name;
    dbal_pool_counts counts;
} source;

/* `dbal_pool_NAME{pool="…"`: the braces are still open. */
static void
begin_sample(text *self, const char *name, const char *suffix, const source *of)
{
    add(self, "dbal_pool_");
    add(self, name);
    add(self, suffix);
    add(self, "{pool=");
    add_value(self, of->name);
}

static void
add_label(text *self, const char *name, const char *value)
{
    add(self, ",");
    add(self, name);
    add(self, "=");
    add_value(self, value);
}

/* ---- what is counted ---- */

typedef enum kind { INT, SIZE, LONG, FLAG } kind;

typedef struct metric {
    const char *name, *help;
    kind kind;
    size_t place;
    bool counts; /* it only grows; else it goes up and down */
} metric;

#define AT(field) offsetof(dbal_pool_counts, field)

static const metric metrics[] = {
    {"connections", "Connections open now.", INT, AT(connections), false},
    {"idle_connections", "Of these, doing nothing.", INT, AT(idle), false},
    {"held_connections", "Of these, in a session or transaction.", INT, AT(held), false},
    {"connecting", "Connections being opened.", INT, AT(connecting), false},
    {"max_connections", "Connections at most.", INT, AT(max_size), false},
    {"waiting", "Work that has not begun.", SIZE, AT(waiting), false},
    {"running", "Statements that run.", SIZE, AT(running), false},
    {"connect_failures_in_a_row", "Connects that failed since the last success.", LONG,
     AT(failures_in_a_row), false},
    {"paused", "1 while the pool is paused.", FLAG, AT(paused), false},
    {"queries_total", "Statements settled, failed ones included.", LONG, AT(queries), true},
    {"errors_total", "Of these, failed.", LONG, AT(errors), true},
    {"connections_opened_total", "Connections opened.", LONG, AT(opened), true},
    {"connect_errors_total", "Connects that failed.", LONG, AT(connect_errors), true},
    {"connections_lost_total", "Connections lost or given up.", LONG, AT(lost), true},
    {"shared_snapshots_total", "Snapshots that several reads shared.", LONG, AT(shared_snapshots),
     true},
    {"shared_reads_total", "Statements that read in shared snapshots.", LONG, AT(shared_reads),
     true},
    {"shared_commits_total", "Commits that several writes shared.", LONG, AT(shared_commits), true},
    {"shared_writes_total", "Statements that shared commits kept.", LONG, AT(shared_writes), true},
    {"undone_writes_total", "Runs undone because a shared transaction could not be kept.", LONG,
     AT(undone_writes), true},
    {"upkeeps_total", "Times the database was kept in order.", LONG, AT(upkeeps), true},
    {"closed_idle_total", "Connections closed by idle_timeout.", LONG, AT(closed_idle), true},
    {"closed_lifetime_total", "Connections replaced by max_lifetime.", LONG, AT(closed_lifetime),
     true},
    {"drained_total", "Connections replaced by a drain.", LONG, AT(drained), true},
    {"closed_surplus_total", "Connections closed by a resize.", LONG, AT(closed_surplus), true},
    {"connections_spared_total", "Connections closed so that another pool has one.", LONG,
     AT(spared), true},
    {"slow_queries_total", "Statements that took slow_query or longer.", LONG, AT(slow_queries),
     true},
    {"slow_acquires_total", "Requests that waited for slow_acquire or longer.", LONG,
     AT(slow_acquires), true},
    {"dirty_sessions_total", "Sessions that ended with their connection changed.", LONG,
     AT(dirty_sessions), true},
    {"resets_total", "Times a connection was made as new.", LONG, AT(resets), true},
    {"retries_total", "Times the work of a transaction ran again.", LONG, AT(retries), true},
    {"moved_total", "Times a statement went to another connection by itself.", LONG, AT(moved),
     true},
};

static uint64_t
value_of(const metric *one, const dbal_pool_counts *counts)
{
    const void *place = (const char *)counts + one->place;
    switch (one->kind) {
    case INT:
        return (uint64_t) * (const int *)place;
    case SIZE:
        return *(const size_t *)place;
    case FLAG:
        return *(const bool *)place;
    default:
        return *(const uint64_t *)place;
    }
}

static void
add_metric(text *self, const metric *one, size_t count, const source *sources)
{
    add_head(self, one->name, one->help, one->counts ? "counter" : "gauge");
    for (size_t i = 0; i < count; i++) {
        begin_sample(self, one->name, "", &sources[i]);
        add(self, "}");
        add_count(self, value_of(one, &sources[i].counts));
    }
}

static void
add_info(text *self, size_t count, const source *sources)
{
    add_head(self, "info", "What the pool is.", "gauge");
    for (size_t i = 0; i < count; i++) {
        char level[LINE];
        snprintf(level, sizeof level, "%d", sources[i].counts.threadlevel);
        begin_sample(self, "info", "", &sources[i]);
        add_label(self, "driver", sources[i].counts.driver);
        add_label(self, "gate", sources[i].counts.gate);
        add_label(self, "threadlevel", level);
        add(self, "} 1\n");
    }
}

/* ---- histograms ---- */

static const char histogram_name[] = "phase_seconds";

static void
begin_histogram(text *self, const char *suffix, const source *of, const dbal__series *series,
                int phase)
{
    begin_sample(self, histogram_name, suffix, of);
    add_label(self, "label", series->label);
    add_label(self, "phase", dbal_phase_name((dbal_phase)phase));
}

static void
add_histogram(text *self, const source *of, const dbal__series *series, int phase)
{
    const dbal__histogram *histogram = &series->phases[phase];
    uint64_t so_far = 0;
    for (size_t i = 0; i < DBAL_HISTOGRAM_BUCKETS; i++) {
        so_far += histogram->buckets[i];
        begin_histogram(self, "_bucket", of, series, phase);
        add(self, ",le=\"");
        if (i + 1 < DBAL_HISTOGRAM_BUCKETS)
            add_seconds(self, (uint64_t)dbal__histogram_bound(i));
        else
            add(self, "+Inf");
        add(self, "\"}");
        add_count(self, so_far);
    }
    begin_histogram(self, "_sum", of, series, phase);
    add(self, "} ");
    add_seconds(self, histogram->sum);
    add(self, "\n");
    begin_histogram(self, "_count", of, series, phase);
    add(self, "}");
    add_count(self, histogram->count);
}

static void
add_histograms(text *self, const source *of)
{
    const dbal__series *series;
    if (of->pool->histograms == NULL)
        return;
    for (size_t i = 0; (series = dbal__histograms_at(of->pool->histograms, i)) != NULL; i++) {
        for (int phase = 0; phase < DBAL_PHASES; phase++) {
            if (series->phases[phase].count > 0)
                add_histogram(self, of, series, phase);
        }
    }
}

/* ---- all ---- */

static bool
is_taken(const source *sources, size_t index, const char *name)
{
    for (size_t i = 0; i < index; i++)
        if (strcmp(sources[i].name, name) == 0)
            return true;
    return false;
}

/* Its name, or with a number when one before it is called so. */
static char *
name_for(const source *sources, size_t index)
{
    const char *name = sources[index].pool->name;
    char *copy = dbal__alloc(strlen(name) + 32);
    if (copy == NULL)
        return NULL;
    strcpy(copy, name);
    for (size_t number = 2; is_taken(sources, index, copy); number++)
        sprintf(copy, "%s (%zu)", name, number);
    return copy;
}

static bool
look_at(source *sources, size_t count, dbal_pool *const *pools)
{
    for (size_t i = 0; i < count; i++) {
        if (!dbal__loop_check(pools[i]->loop, "dbal_pool_metrics"))
            return false;
        sources[i].pool = pools[i];
        sources[i].name = name_for(sources, i);
        if (sources[i].name == NULL)
            return false;
        sources[i].counts.size = sizeof sources[i].counts;
        dbal_pool_stats(pools[i], &sources[i].counts);
    }
    return true;
}

static void
write_all(text *self, size_t count, const source *sources)
{
    bool histograms = false;
    add(self, "");
    add_info(self, count, sources);
    for (size_t i = 0; i < sizeof metrics / sizeof metrics[0]; i++)
        add_metric(self, &metrics[i], count, sources);
    for (size_t i = 0; i < count; i++)
        histograms = histograms || sources[i].pool->histograms != NULL;
    if (histograms)
        add_head(self, histogram_name, "What the phases of statements took, by label.",
                 "histogram");
    for (size_t i = 0; i < count; i++)
        add_histograms(self, &sources[i]);
}

char *
dbal_pool_metrics(size_t count, dbal_pool *const *pools)
{
    text self = {.data = NULL};
    source *sources = dbal__array(count > 0 ? count : 1, sizeof *sources);
    bool ok = sources != NULL && look_at(sources, count, pools);
    if (ok)
        write_all(&self, count, sources);
    for (size_t i = 0; sources != NULL && i < count; i++)
        dbal__free(sources[i].name);
    dbal__free(sources);
    if (ok && !self.failed)
        return self.data;
    dbal__free(self.data);
    return NULL;
}
