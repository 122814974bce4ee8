#include "check/table.h"

#include <stdio.h>
#include <string.h>

#include <dbal/driver.h>

#include "check/words.h"

static const struct {
    unsigned bit;
    const char *name;
} capabilities[] = {
    {DBAL_CAN_CANCEL, "CANCEL"},
    {DBAL_CAN_INTERRUPT, "INTERRUPT"},
    {DBAL_CAN_STREAM, "STREAM"},
    {DBAL_CAN_PIPELINE, "PIPELINE"},
    {DBAL_CAN_SAVEPOINT, "SAVEPOINT"},
    {DBAL_CAN_RETURNING, "RETURNING"},
    {DBAL_CAN_ARRAY, "ARRAY"},
    {DBAL_CAN_LAST_INSERT_ID, "LAST_INSERT_ID"},
    {DBAL_CAN_PARALLEL_STATEMENTS, "PARALLEL_STATEMENTS"},
    {DBAL_CAN_DETACHED_RESULTS, "DETACHED_RESULTS"},
    {DBAL_CAN_SHARE_SNAPSHOT, "SHARE_SNAPSHOT"},
    {DBAL_CAN_SHARE_COMMIT, "SHARE_COMMIT"},
    {DBAL_CAN_BACKUP, "BACKUP"},
    {DBAL_CAN_COPY, "COPY"},
    {DBAL_CAN_NOTIFY, "NOTIFY"},
    {DBAL_CAN_POOLER, "POOLER"},
    {DBAL_LIVES_HERE, "LIVES_HERE"},
};

static const char *const marks[] = {"holds", "quirk", "not asked", "BROKEN"};

/* ---- as text ---- */

static void
print_known(const report *known, const char *url)
{
    printf("driver %s, client library %s, %s\n", known->driver, known->version,
           known->file[0] != '\0' ? known->file : "built in");
    printf("%.*s: threadlevel %d, gate %s%s\n", (int)strcspn(url, ":"), url, known->threadlevel,
           known->gate, known->max_size == 1 ? ", one connection only" : "");
    printf("declares");
    for (size_t i = 0; i < sizeof capabilities / sizeof capabilities[0]; i++)
        if ((known->capabilities & capabilities[i].bit) != 0)
            printf(" %s", capabilities[i].name);
    printf("\n");
    for (const quirk *one = words_quirks; one->name != NULL; one++)
        if ((target->quirks & one->bit) != 0)
            printf("quirk %s: %s\n", one->name, one->meaning);
}

static unsigned
count_of(const item *items, unsigned count, const char *area, verdict came)
{
    unsigned found = 0;
    for (unsigned i = 0; i < count; i++)
        found += strcmp(items[i].area, area) == 0 && items[i].came.verdict == came;
    return found;
}

static void
print_areas(const item *items, unsigned count)
{
    printf("\n%-16s%8s%8s%12s%8s\n", "", "holds", "quirk", "not asked", "broken");
    for (unsigned i = 0; i < count; i++) {
        const char *area = items[i].area;
        if (i > 0 && strcmp(items[i - 1].area, area) == 0)
            continue;
        printf("%-16s%8u%8u%12u%8u\n", area, count_of(items, count, area, VERDICT_HOLDS),
               count_of(items, count, area, VERDICT_QUIRK),
               count_of(items, count, area, VERDICT_UNASKED),
               count_of(items, count, area, VERDICT_BROKEN));
    }
}

static bool
is_alike(const item *left, const item *right)
{
    return left->came.verdict == right->came.verdict && strcmp(left->area, right->area) == 0 &&
           strcmp(left->came.why, right->came.why) == 0;
}

/* Those of one verdict with their reasons; those of an area that have the same are one line. */
static void
print_those(const item *items, unsigned count, verdict wanted)
{
    bool any = false;
    for (unsigned i = 0; i < count; i++) {
        const item *one = &items[i];
        unsigned before = 0, same = 0;
        for (unsigned at = 0; at < count; at++) {
            before += at < i && is_alike(&items[at], one);
            same += is_alike(&items[at], one);
        }
        if (one->came.verdict != wanted || before > 0)
            continue;
        printf("%s%s: %s: ", any ? "" : "\n", marks[wanted], one->area);
        any = true;
        if (same == 1)
            printf("%s: %s\n", list_words(one->test->name), one->came.why);
        else
            printf("%u tests: %s\n", same, one->came.why);
    }
}

/* For another reason than what its table lacks. */
static bool
ends_badly(const report *known)
{
    return known->verdict == VERDICT_BROKEN &&
           (known->breaches == 0 || strcmp(known->why, known->breach[0]) != 0);
}

/* Each of them, with all that was seen of it. */
static void
print_broken(const item *items, unsigned count, const report *known)
{
    const char *mark = marks[VERDICT_BROKEN];
    if (ends_badly(known))
        printf("\n%s: a pool of it: %s\n", mark, known->why);
    for (unsigned at = 0; at < known->breaches; at++)
        printf("%s%s: its table: %s\n", at == 0 ? "\n" : "", mark, known->breach[at]);
    for (unsigned i = 0; i < count; i++) {
        const report *came = &items[i].came;
        if (came->verdict != VERDICT_BROKEN)
            continue;
        printf("\n%s: %s: %s: %s\n", mark, items[i].area, list_words(items[i].test->name),
               came->why);
        for (unsigned at = 0; at < came->breaches; at++)
            if (strcmp(came->breach[at], came->why) != 0)
                printf("        and: %s\n", came->breach[at]);
    }
}

void
table_print(const item *items, unsigned count, const report *known, const char *url)
{
    unsigned long entries = 0;
    for (unsigned i = 0; i < count; i++)
        entries += items[i].came.entries;
    unsigned broken = known->breaches + ends_badly(known);
    broken += list_count(items, count, VERDICT_BROKEN);
    print_known(known, url);
    print_areas(items, count);
    print_those(items, count, VERDICT_QUIRK);
    print_those(items, count, VERDICT_UNASKED);
    print_broken(items, count, known);
    if (known->witnessed)
        printf("\n%lu entries into the driver were watched\n", entries);
    else
        printf("\nthe driver is built in: entries into it were not watched\n");
    if (broken > 0)
        printf("%u broken\n", broken);
    else if (list_count(items, count, VERDICT_HOLDS) > 0)
        puts("nothing is broken");
    else
        puts("nothing was tried");
}

/* ---- as a row ---- */

/* What a column is about: an area, or one test of it, and what it needs. */
static const struct column {
    const char *head, *area, *test;
    unsigned capability;
} columns[] = {
    {"statements", "statements", NULL, 0},
    {"values", "values", NULL, 0},
    {"transactions", "transactions", NULL, 0},
    {"savepoints", "transactions", "a_savepoint_is_undone_alone", DBAL_CAN_SAVEPOINT},
    {"RETURNING", "promises", "rows_of_a_write_come_back", DBAL_CAN_RETURNING},
    {"row ids", "batches", "every_set_tells_the_id_that_it_made", DBAL_CAN_LAST_INSERT_ID},
    {"arrays", "promises", "an_array_goes_as_one_parameter", DBAL_CAN_ARRAY},
    {"batches", "batches", NULL, 0},
    {"cancel", "stops", NULL, DBAL_CAN_CANCEL},
    {"streams", "streams", NULL, DBAL_CAN_STREAM},
    {"backup", "backups", NULL, DBAL_CAN_BACKUP},
    {"copy", "copies", NULL, DBAL_CAN_COPY},
    {"notify", "notifications", NULL, DBAL_CAN_NOTIFY},
};

void
table_print_markdown_head(void)
{
    printf("| driver | threadlevel | gate |");
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++)
        printf(" %s |", columns[i].head);
    printf("\n|---|---|---|");
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++)
        printf("---|");
    printf("\n");
}

static const char *
cell_of(const struct column *column, const item *items, unsigned count, const report *known)
{
    unsigned found[4] = {0};
    if (column->capability != 0 && (known->capabilities & column->capability) == 0)
        return "–";
    for (unsigned i = 0; i < count; i++)
        if (strcmp(items[i].area, column->area) == 0 &&
            (column->test == NULL || strcmp(items[i].test->name, column->test) == 0))
            found[items[i].came.verdict]++;
    if (found[VERDICT_BROKEN] > 0)
        return "**broken**";
    if (found[VERDICT_HOLDS] == 0)
        return found[VERDICT_QUIRK] > 0 ? "–" : "not asked";
    return found[VERDICT_UNASKED] > found[VERDICT_HOLDS] ? "in part" : "yes";
}

void
table_print_markdown(const item *items, unsigned count, const report *known)
{
    printf("| `%s` | %d | `%s` |", known->driver, known->threadlevel, known->gate);
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++)
        printf(" %s |", cell_of(&columns[i], items, count, known));
    printf("\n");
}
