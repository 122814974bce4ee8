#include "check/options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

static const char USAGE[] =
    "dbal-check-driver [OPTION …] URL\n"
    "\n"
    "Tries the driver of the URL's scheme against the contract of dbal's drivers, and prints what\n"
    "holds, what is a quirk, what could not be asked and what is broken. Exits with 0 when "
    "something\n"
    "holds and nothing is broken, with 1 when something is broken, with 2 when nothing could be\n"
    "tried.\n"
    "\n"
    "The database is one for tests: tables called number and thing are made in it and dropped. In\n"
    "the URL, {} stands for a new empty folder: sqlite:{}/db\n"
    "\n"
    "  --spelling FILE   how the database is asked, one WORD = STATEMENT a line; see --list\n"
    "  --like NAME       as a driver that is known is asked, with its quirks; see --list\n"
    "  --quirk NAME      something is not as with others, and is meant so; see --list\n"
    "  --read-only       nothing that writes is asked\n"
    "  --only TEXT       only what has this in its name, or in that of its area\n"
    "  --patience S      seconds that something may take; 10\n"
    "  --seed N          of the random schedules\n"
    "  --list            the words, the quirks, and the drivers that are known\n"
    "  --verbose         a line for each test, and what the driver prints\n"
    "  --markdown        a row of a table instead; --markdown-head its head\n";

enum { SPELLING = 256, LIKE, QUIRK, READ_ONLY, ONLY, PATIENCE, SEED, LIST, VERBOSE, MARK, HEAD };

static const struct option LONG[] = {
    {"spelling", required_argument, NULL, SPELLING},
    {"like", required_argument, NULL, LIKE},
    {"quirk", required_argument, NULL, QUIRK},
    {"read-only", no_argument, NULL, READ_ONLY},
    {"only", required_argument, NULL, ONLY},
    {"patience", required_argument, NULL, PATIENCE},
    {"seed", required_argument, NULL, SEED},
    {"list", no_argument, NULL, LIST},
    {"verbose", no_argument, NULL, VERBOSE},
    {"markdown", no_argument, NULL, MARK},
    {"markdown-head", no_argument, NULL, HEAD},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static bool
add_quirk(options *to, const char *name)
{
    if (to->quirk_count == sizeof to->quirks / sizeof to->quirks[0])
        return false;
    to->quirks[to->quirk_count++] = name;
    return true;
}

static bool
read_patience(options *into, const char *text)
{
    const double day = 86400;
    char *end;
    into->patience = strtod(text, &end);
    return *text != '\0' && *end == '\0' && into->patience > 0 && into->patience <= day;
}

static bool
take(options *into, int one)
{
    switch (one) {
    case SPELLING:
        into->spelling = optarg;
        return true;
    case LIKE:
        into->like = optarg;
        return true;
    case QUIRK:
        return add_quirk(into, optarg);
    case ONLY:
        into->only = optarg;
        return true;
    case PATIENCE:
        return read_patience(into, optarg);
    case SEED:
        into->seed = optarg;
        return true;
    case READ_ONLY:
        return into->read_only = true;
    case LIST:
        return into->list = true;
    case VERBOSE:
        return into->verbose = true;
    case MARK:
        return into->markdown = true;
    case HEAD:
        return into->head = true;
    case 'h':
        fputs(USAGE, stdout);
        exit(0);
    default:
        return false;
    }
}

bool
options_read(options *into, int argc, char **argv)
{
    int one;
    *into = (options){.patience = 10};
    while ((one = getopt_long(argc, argv, "h", LONG, NULL)) >= 0)
        if (!take(into, one)) {
            fputs(USAGE, stderr);
            return false;
        }
    if (argc - optind > 1 || (argc == optind && !into->list && !into->head)) {
        fputs(USAGE, stderr);
        return false;
    }
    into->url = argv[optind];
    return true;
}
