/* dbal-check-driver: proves a driver by the contract that all are proven by. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <dbal/driver.h>
#include <dbal/drivers.h>

#include "check/list.h"
#include "check/options.h"
#include "check/place.h"
#include "check/sink.h"
#include "check/table.h"
#include "check/witness.h"

static options said;
static report known;
static contract_sql sql;
static contract_target mine = {.scheme = "", .parameters = "", .sql = &sql, .gate = known.gate};

/* ---- finding the driver ---- */

static bool
has_scheme(const dbal_driver_info *driver, const char *scheme)
{
    const char *const *one = driver->schemes;
    while (*one != NULL && strcasecmp(*one, scheme) != 0)
        one++;
    return *one != NULL;
}

static void
note(const dbal_driver_info *driver)
{
    snprintf(trial_report->driver, sizeof trial_report->driver, "%s", driver->name);
    snprintf(trial_report->version, sizeof trial_report->version, "%s", driver->version);
    snprintf(trial_report->file, sizeof trial_report->file, "%s",
             driver->file != NULL ? driver->file : "");
    trial_report->capabilities = driver->capabilities;
    trial_report->has_run = (driver->gates & (1u << DBAL_GATE_THREAD)) != 0;
    if (driver->problem != NULL)
        trial_fail("%s", driver->problem);
}

/* In a process of its own: in those of the trials, what is loaded is the witness. */
static void
find(void *arg)
{
    char scheme[64];
    dbal_error *error = NULL;
    (void)arg;
    snprintf(scheme, sizeof scheme, "%.*s", (int)strcspn(said.url, ":"), said.url);
    if (!dbal_driver_load(scheme, &error))
        trial_fail("%s", dbal_error_message(error));
    const dbal_driver_info *const *list = dbal_drivers(DBAL_DRIVERS_HERE, &error);
    if (list == NULL)
        trial_fail("%s", dbal_error_message(error));
    for (; *list != NULL; list++)
        if (has_scheme(*list, scheme))
            note(*list);
}

static void
load(void)
{
    if (known.file[0] == '\0')
        return;
    if (!witness_register(known.file))
        trial_fail("its file could not be loaded a second time");
    sink_watch();
    trial_report->witnessed = true;
}

/* How a pool of this URL is. */
static void
look(void *arg)
{
    (void)arg;
    trial_report->capabilities = known.capabilities;
    trial_report->has_run = known.has_run;
    load();
    contract_place_make();
    loop_fixture_init(&fixture);
    pool = contract_open(fixture.loop, "");
    good(dbal_pool_ready(pool));
    dbal_pool_counts counts = {.size = sizeof counts};
    dbal_pool_stats(pool, &counts);
    snprintf(trial_report->gate, sizeof trial_report->gate, "%s", counts.gate);
    trial_report->threadlevel = counts.threadlevel;
    trial_report->max_size = counts.max_size;
    if (trial_report->witnessed)
        witness_look_at_table(trial_report->capabilities, counts.threadlevel);
}

static bool
find_out(void)
{
    report opened;
    trial_run(&known, find, NULL, true);
    if (known.verdict != VERDICT_HOLDS) {
        fprintf(stderr, "dbal-check-driver: %s\n", known.why);
        return false;
    }
    trial_run(&opened, look, NULL, true);
    place_remove(opened.folder);
    memcpy(opened.driver, known.driver, sizeof opened.driver);
    memcpy(opened.version, known.version, sizeof opened.version);
    memcpy(opened.file, known.file, sizeof opened.file);
    known = opened;
    if (known.gate[0] != '\0')
        return true; /* what its table lacks is told with the rest */
    fprintf(stderr, "dbal-check-driver: no pool: %s\n", known.why);
    return false;
}

/* ---- how it is asked ---- */

static bool
learn_words(void)
{
    if (said.like != NULL && !words_like(&mine, &sql, said.like))
        return false;
    if (said.spelling != NULL && !words_read(&mine, &sql, said.spelling))
        return false;
    if (said.like == NULL && said.spelling == NULL) {
        if (words_target(known.driver) == NULL) {
            fprintf(stderr, "how a driver called %s is asked must be told: --spelling or --like\n",
                    known.driver);
            return false;
        }
        words_like(&mine, &sql, known.driver);
    }
    for (unsigned i = 0; i < said.quirk_count; i++)
        if (!words_quirk(&mine, said.quirks[i]))
            return false;
    if (said.read_only)
        words_only_read(&sql);
    return true;
}

/* What need not be told, for it can be seen. */
static void
learn_quirks(void)
{
    const struct {
        unsigned capability, quirk;
    } lacks[] = {{DBAL_CAN_BACKUP, CONTRACT_NO_BACKUP},
                 {DBAL_CAN_COPY, CONTRACT_NO_COPY},
                 {DBAL_CAN_NOTIFY, CONTRACT_NO_NOTIFY},
                 {DBAL_CAN_LAST_INSERT_ID, CONTRACT_NO_IDS}};
    for (size_t i = 0; i < sizeof lacks / sizeof lacks[0]; i++)
        if ((known.capabilities & lacks[i].capability) == 0)
            mine.quirks |= lacks[i].quirk;
    if (known.max_size == 1)
        mine.quirks |= CONTRACT_ONE;
    if (strstr(said.url, "{}") == NULL)
        mine.quirks |= CONTRACT_STAYS;
    mine.name = known.driver;
    mine.threadlevel = known.threadlevel;
}

/* ---- trying ---- */

static void
try_one(void *arg)
{
    const item *one = arg;
    witness_moves = one->manner == MANNER_MOVED;
    sink_meets = one->manner == MANNER_MET;
    if (one->manner != MANNER_PLAIN && known.has_native) {
        place_settings = "pool_gate=thread";
        mine.gate = "thread";
        mine.quirks |= CONTRACT_NO_COPY | CONTRACT_NO_NOTIFY;
    }
    load();
    one->before();
    one->test->fn(0);
    one->after();
}

static bool
is_wanted(const item *one)
{
    return said.only == NULL || strcasestr(one->area, said.only) != NULL ||
           strcasestr(list_words(one->test->name), said.only) != NULL ||
           strcasestr(one->test->name, said.only) != NULL;
}

static void
try_all(item *items, unsigned count)
{
    static const char *const marks[] = {"holds", "quirk", "not asked", "BROKEN"};
    for (unsigned i = 0; i < count && trial_interrupted() == 0; i++) {
        item *one = &items[i];
        if (!list_excuses(one, &known)) {
            trial_run(&one->came, try_one, one, said.verbose);
            place_remove(one->came.folder);
        }
        if (said.verbose)
            printf("%-10s%s: %s%s%s\n", marks[one->came.verdict], one->area,
                   list_words(one->test->name), one->came.why[0] != '\0' ? ": " : "",
                   one->came.why);
    }
}

/* The tables that the last trial made; each of the others was followed by one that removed them. */
static void
tidy(void *arg)
{
    (void)arg;
    loop_fixture_init(&fixture);
    pool = contract_open(fixture.loop, "");
    contract_drop();
    good(dbal_pool_close(pool));
    loop_fixture_fini(&fixture);
}

static void
leave_nothing(void)
{
    report came;
    if ((mine.quirks & CONTRACT_STAYS) == 0 || sql.drop == NULL)
        return;
    trial_run(&came, tidy, NULL, true);
    if (came.verdict != VERDICT_HOLDS)
        fprintf(stderr, "dbal-check-driver: its tables are left: %s\n", came.why);
}

/* Puts those that are wanted in front; how many they are. */
static unsigned
pick(item *items, unsigned count)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < count; i++)
        if (is_wanted(&items[i]))
            items[kept++] = items[i];
    return kept;
}

static void
print(const item *items, unsigned count)
{
    if (said.markdown)
        table_print_markdown(items, count, &known);
    else
        table_print(items, count, &known, said.url);
}

static int
status_of(const item *items, unsigned count)
{
    if (known.verdict == VERDICT_BROKEN || list_count(items, count, VERDICT_BROKEN) > 0)
        return 1;
    return list_count(items, count, VERDICT_HOLDS) > 0 ? 0 : 2;
}

int
main(int argc, char **argv)
{
    item *items;
    if (!options_read(&said, argc, argv))
        return 2;
    if (said.list)
        words_list();
    if (said.head)
        table_print_markdown_head();
    if (said.url == NULL)
        return 0;
    trial_patience = said.patience;
    place_url = said.url;
    target = &mine;
    if (said.seed != NULL)
        setenv("DBAL_TEST_SEED", said.seed, 1);
    trial_begin();
    bool found = find_out();
    if (trial_interrupted() != 0)
        trial_die();
    if (!found || !learn_words())
        return 2;
    learn_quirks();
    unsigned count = list_make(&items);
    count = pick(items, count);
    if (count == 0) {
        fprintf(stderr, "dbal-check-driver: nothing has \"%s\" in its name\n", said.only);
        return 2;
    }
    try_all(items, count);
    leave_nothing();
    if (trial_interrupted() != 0)
        trial_die();
    print(items, count);
    return status_of(items, count);
}
