/* How a result lies in memory: for those who build one and those who read one. */
#ifndef DBAL__RESULT_LAYOUT_H
#define DBAL__RESULT_LAYOUT_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "dbal/columns.h"
#include "dbal/result.h"

/*
 * Rows lie in chunks, each twice the one before, so that a cell is found by arithmetic and nothing
 * is ever moved: chunk k holds DBAL__FIRST_ROWS << k rows. Bytes lie in an arena. The first of both is
 * inside the result, so that a small one is a single allocation.
 */
enum { DBAL__FIRST_ROWS = 4, DBAL__CHUNKS = 40, DBAL__INSIDE = 448 };

typedef struct dbal__cell {
    uint32_t type;
    uint32_t size;
    union {
        int64_t integer;
        double real;
        const char *bytes;
    } as;
} dbal__cell;

typedef struct dbal__arena {
    struct dbal__arena *next;
    max_align_t data[];
} dbal__arena;

/*
 * It is built by one thread and read by another, and small ones go to and fro between them all the time:
 * what readers need is together.
 */
struct dbal_result {
    atomic_uint refs;
    bool has_affected;
    size_t column_count, row_count;
    size_t bytes;
    dbal__cell **chunks; /* DBAL__CHUNKS of them once there is a second, else only the first */
    dbal__cell *first_chunk;
    dbal__reaper *reaper;
    dbal_result *next; /* among the dead */
    dbal_error *error; /* the first that an accessor left */
    dbal__heading *columns;
    dbal_columns *shared_columns; /* that they are part of, or those of a result before were: a
                                     reference; or NULL */
    size_t column_room, max_bytes;
    dbal__cell *next_cell, *row_end, *chunk_end; /* the row being built */
    char *at, *end;                              /* free room in the dbal__arena */
    dbal__arena *arenas;
    int64_t affected, last_insert_id;
    max_align_t inside[DBAL__INSIDE / sizeof(max_align_t)];
};

/* Of these so many bytes are used by one of a single small row. */
enum { DBAL__RESULT_BEGIN = 384 };

/* A new arena with room for so many bytes more; small requests share one that doubles each time. */
void *dbal__result_grow(dbal_result *result, size_t size);

/* `size` bytes, aligned when asked */
static inline void *
dbal__result_take(dbal_result *result, size_t size, bool aligned)
{
    if (aligned)
        result->at = (char *)(((uintptr_t)result->at + 7) & ~(uintptr_t)7);
    if (result->at < result->end && (size_t)(result->end - result->at) >= size) {
        char *place = result->at;
        result->at += size;
        return place;
    }
    return dbal__result_grow(result, aligned ? (size + 7) & ~(size_t)7 : size);
}

/* which chunk a row is in, and its place there */
static inline unsigned
dbal__result_chunk(size_t row, size_t *ret_index)
{
    size_t group = row / DBAL__FIRST_ROWS + 1;
    unsigned chunk = 63u - (unsigned)__builtin_clzll(group);
    *ret_index = row - (((size_t)1 << chunk) - 1) * DBAL__FIRST_ROWS;
    return chunk;
}

#endif
