/* Parameter sets of a batch, packed, in groups that a thread runs one set after the other. */
#ifndef DBAL__SETS_H
#define DBAL__SETS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <dbal/result.h>
#include <dbal/value.h>

enum { DBAL__GROUP = 64 };

/*
 * Some sets, and what became of them. The loop makes it and may doom it; while a thread runs it, the
 * rest is the thread's, but that the loop may see how many are done.
 */
typedef struct dbal__group {
    unsigned refs; /* the loop's */
    struct dbal__group *next;
    size_t count;
    atomic_size_t done; /* sets that were run with success */
    bool gave_rows;     /* the one behind those gave rows, and nothing more was run */
    atomic_bool doomed; /* all is undone in any case: what has not begun need not */
    size_t at;          /* of the set behind those that were walked through, in data[] */
    size_t end, room;   /* bytes of data[] */
    struct {
        int64_t affected, id;
    } each[DBAL__GROUP]; /* of those that are done */
    uint64_t data[];
} dbal__group;

typedef struct dbal__sets {
    dbal__group *first, *last;
} dbal__sets;

/* Adds a set, its values in that order; see dbal__pack(). False without memory. */
bool dbal__sets_add(dbal__sets *sets, const dbal_value *values, const uint32_t *order,
                    size_t count);
/* Takes the first group out, with its reference; NULL when none is left. */
dbal__group *dbal__sets_take(dbal__sets *sets);
void dbal__sets_fini(dbal__sets *sets);

/* For a set that is somewhere else: to keep what became of it. NULL without memory. */
dbal__group *dbal__group_of_one(void);
/* The next set's block and the bytes of it; there is one. */
const void *dbal__group_walk(dbal__group *group, size_t *ret_size);
/* The set that was walked to last has been run: what it did. */
void dbal__group_keep(dbal__group *group, const dbal_result *result);
/* Back to its first set, of which none is done. */
void dbal__group_rewind(dbal__group *group);
dbal__group *dbal__group_ref(dbal__group *group);
void dbal__group_unref(dbal__group *group);

#endif
