#include "pool/sets.h"

#include "dbal/alloc.h"
#include "dbal/value.h"

/*
 * Chunks rather than one block: large enough to be few, small enough that none takes the loop long
 * to be freed, and what has been used need not wait for the end of the batch.
 */
enum { CHUNK = 60 * 1024 };

typedef struct dbal__sets_chunk {
    struct dbal__sets_chunk *next;
    size_t begin, end, room; /* bytes of data[] */
    uint64_t data[];
} dbal__sets_chunk;

/* What stands before each set; its size is a multiple of what values are aligned to. */
typedef struct set_head {
    uint64_t size;
} set_head;

static char *
bytes_of(dbal__sets_chunk *chunk)
{
    return (char *)chunk->data;
}

static bool
grow(dbal__sets *sets, size_t size)
{
    size_t room = size > CHUNK ? size : CHUNK;
    dbal__sets_chunk *chunk = dbal__alloc(sizeof *chunk + room);
    if (chunk == NULL)
        return false;
    *chunk = (dbal__sets_chunk){.room = room};
    if (sets->last != NULL)
        sets->last->next = chunk;
    else
        sets->first = chunk;
    sets->last = chunk;
    return true;
}

bool
dbal__sets_add(dbal__sets *sets, const dbal_value *values, const uint32_t *order, size_t count)
{
    size_t size = dbal__pack_size(values, order, count);
    size_t whole = sizeof(set_head) + size;
    if ((sets->last == NULL || sets->last->room - sets->last->end < whole) && !grow(sets, whole))
        return false;
    dbal__sets_chunk *chunk = sets->last;
    set_head *head = (set_head *)(void *)(bytes_of(chunk) + chunk->end);
    head->size = size;
    dbal__pack(head + 1, values, order, count);
    chunk->end += whole;
    return true;
}

const void *
dbal__sets_first(const dbal__sets *sets, size_t *ret_size)
{
    dbal__sets_chunk *chunk = sets->first;
    const set_head *head = (const set_head *)(const void *)(bytes_of(chunk) + chunk->begin);
    *ret_size = head->size;
    return head + 1;
}

static void
drop_chunk(dbal__sets *sets)
{
    dbal__sets_chunk *chunk = sets->first;
    sets->first = chunk->next;
    if (sets->first == NULL)
        sets->last = NULL;
    dbal__free(chunk);
}

void
dbal__sets_drop_first(dbal__sets *sets)
{
    size_t size;
    dbal__sets_first(sets, &size);
    sets->first->begin += sizeof(set_head) + size;
    if (sets->first->begin == sets->first->end)
        drop_chunk(sets);
}

void
dbal__sets_fini(dbal__sets *sets)
{
    while (sets->first != NULL)
        drop_chunk(sets);
}
