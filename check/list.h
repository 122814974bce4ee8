/* All that is tried, in the order in which it is told. */
#ifndef CHECK_LIST_H
#define CHECK_LIST_H

#include "check/trial.h"
#include "tests/contract/contract.h"

/* How the library and this program stand to the driver meanwhile. */
typedef enum manner {
    MANNER_PLAIN,
    MANNER_MOVED, /* every entry in a new thread, from threadlevel 2 */
    MANNER_MET,   /* two statements at once, each in the middle of the other, from level 1 */
} manner;

typedef struct item {
    const char *area, *part; /* what it is told under, and the part of the contract it is of */
    const TTest *test;
    void (*before)(void), (*after)(void);
    manner manner;
    report came;
} item;

/* Makes the list; the count. */
unsigned list_make(item **ret_items);
/* Whether it need not be tried, for what is declared: then the report says so. */
bool list_excuses(item *one, const report *known);
/* How many came to this. */
unsigned list_count(const item *all, unsigned size, verdict came);
/* "a name of words", from a test's name; good until the next call. */
const char *list_words(const char *name);

#endif
