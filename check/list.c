#include "check/list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <dbal/driver.h>

#include "check/promises.h"
#include "check/rounds.h"
#include "tests/lib/suite.h"

static item *items;
static unsigned count, room;
static const char *area, *part;
static manner how;

void
suite_add(Suite *suite, const TTest *test, void (*before)(void), void (*after)(void))
{
    (void)suite;
    if (count == room) {
        room = room != 0 ? 2 * room : 64;
        items = realloc(items, room * sizeof *items);
        if (items == NULL)
            abort();
    }
    items[count] = (item){area, part, test, before, after, how, {.verdict = VERDICT_HOLDS}};
    count++;
}

unsigned
list_make(item **ret_items)
{
    static const struct {
        const char *name, *part;
        void (*add)(Suite *suite);
        manner how;
    } areas[] = {
        {"statements", "statements", add_statements, MANNER_PLAIN},
        {"values", "values", add_values, MANNER_PLAIN},
        {"transactions", "transactions", add_transactions, MANNER_PLAIN},
        {"batches", "batches", add_batches, MANNER_PLAIN},
        {"promises", "promises", add_promises, MANNER_PLAIN},
        {"stops", "stops", add_stops, MANNER_PLAIN},
        {"streams", "streams", add_streams, MANNER_PLAIN},
        {"pools", "pools", add_pools, MANNER_PLAIN},
        {"backups", "backups", add_backups, MANNER_PLAIN},
        {"copies", "copies", add_copies, MANNER_PLAIN},
        {"notifications", "notifications", add_notifications, MANNER_PLAIN},
        {"memory", "memory", add_memory, MANNER_PLAIN},
        {"leaks", "rounds", add_rounds, MANNER_PLAIN},
        {"schedules", "schedules", add_schedules, MANNER_PLAIN},
        {"moved", "statements", add_statements, MANNER_MOVED},
        {"moved", "transactions", add_transactions, MANNER_MOVED},
        {"moved", "streams", add_streams, MANNER_MOVED},
        {"moved", "schedules", add_schedules, MANNER_MOVED},
        {"at once", "statements", add_statements, MANNER_MET},
        {"at once", "schedules", add_schedules, MANNER_MET},
    };
    for (size_t i = 0; i < sizeof areas / sizeof areas[0]; i++) {
        area = areas[i].name;
        part = areas[i].part;
        how = areas[i].how;
        areas[i].add(NULL);
    }
    *ret_items = items;
    return count;
}

/* ---- what need not hold ---- */

/* A test, or a whole part with NULL, that wants this to be declared, or none of these quirks. */
static const struct need {
    const char *part, *test;
    unsigned capability;
    unsigned quirks;
    const char *why;
} needs[] = {
    {"transactions", "a_savepoint_is_undone_alone", DBAL_CAN_SAVEPOINT, 0, "SAVEPOINT"},
    {"batches", "on_a_connection_it_is_a_part_of_the_transaction", DBAL_CAN_SAVEPOINT, 0,
     "SAVEPOINT"},
    {"batches", "every_set_tells_the_id_that_it_made", DBAL_CAN_LAST_INSERT_ID, 0,
     "LAST_INSERT_ID"},
    {"promises", "rows_of_a_write_come_back", DBAL_CAN_RETURNING, 0, "RETURNING"},
    {"promises", "an_array_goes_as_one_parameter", DBAL_CAN_ARRAY, 0, "ARRAY"},
    {"stops", NULL, DBAL_CAN_CANCEL, 0, "CANCEL"},
    {"streams", NULL, DBAL_CAN_STREAM, 0, "STREAM"},
    {"backups", NULL, DBAL_CAN_BACKUP, CONTRACT_NO_BACKUP | CONTRACT_PRIVATE, "BACKUP"},
    {"copies", NULL, DBAL_CAN_COPY, CONTRACT_NO_COPY, "COPY"},
    {"notifications", NULL, DBAL_CAN_NOTIFY, CONTRACT_NO_NOTIFY, "NOTIFY"},
    {"pools", "closing_cancels_what_does_not_end", DBAL_CAN_CANCEL, 0, "CANCEL"},
    {"pools", "freeing_the_loop_settles_everything", DBAL_CAN_CANCEL, 0, "CANCEL"},
    {"pools", "the_event_loop_may_go_first", DBAL_CAN_CANCEL, 0, "CANCEL"},
    {"batches", "its_time_is_the_query_timeout", DBAL_CAN_CANCEL, 0, "CANCEL"},
    {"pools", "two_pools_share_a_database", 0, CONTRACT_PRIVATE, "a private database"},
    {"pools", "what_was_accepted_runs_before_the_pool_is_closed", 0, CONTRACT_FORGETS,
     "a database that is gone with its last connection"},
};

static bool
excuse(item *one, verdict came, const char *format, const char *what)
{
    one->came.verdict = came;
    snprintf(one->came.why, sizeof one->came.why, format, what);
    return true;
}

static bool
excuses_manner(item *one, const report *known)
{
    if (one->manner == MANNER_PLAIN)
        return false;
    if (!known->witnessed)
        return excuse(one, VERDICT_UNASKED, "%s", "the driver is built in, nobody can watch it");
    if (!known->has_run)
        return excuse(one, VERDICT_QUIRK, "%s", "all happens in the loop's thread");
    if (one->manner == MANNER_MOVED && known->threadlevel < 2)
        return excuse(one, VERDICT_QUIRK, "%s", "connections do not move below threadlevel 2");
    if (one->manner == MANNER_MET && (known->threadlevel < 1 || known->max_size == 1))
        return excuse(one, VERDICT_QUIRK, "%s", "there is one statement at a time");
    return false;
}

bool
list_excuses(item *one, const report *known)
{
    for (size_t i = 0; i < sizeof needs / sizeof needs[0]; i++) {
        const struct need *need = &needs[i];
        if (strcmp(need->part, one->part) != 0 ||
            (need->test != NULL && strcmp(need->test, one->test->name) != 0))
            continue;
        if (need->capability != 0 && (known->capabilities & need->capability) == 0)
            return excuse(one, VERDICT_QUIRK, "%s is not declared", need->why);
        if ((target->quirks & need->quirks) != 0)
            return excuse(one, VERDICT_QUIRK, "a quirk: %s", need->why);
    }
    if (target->sql->begin == NULL && strcmp(one->part, "batches") == 0)
        return excuse(one, VERDICT_UNASKED, "%s", "there are no words for it (begin)");
    return excuses_manner(one, known);
}

unsigned
list_count(const item *all, unsigned size, verdict came)
{
    unsigned found = 0;
    for (unsigned i = 0; i < size; i++)
        found += all[i].came.verdict == came;
    return found;
}

const char *
list_words(const char *name)
{
    static char words[128];
    snprintf(words, sizeof words, "%s", name);
    for (char *at = words; *at != '\0'; at++)
        if (*at == '_')
            *at = ' ';
    return words;
}
