#include "dbal/sets.h"

#include "dbal/alloc.h"
#include "dbal/value.h"

/* Enough sets for one hop to a thread and back, and few enough bytes to be freed in no time. */
enum { GROUP_BYTES = 60 * 1024, FIRST_BYTES = 4096 };

/* What stands before each set; its size is a multiple of what values are aligned to. */
typedef struct set_head {
    uint64_t size;
} set_head;

static set_head *
head_at(dbal__group *group, size_t at)
{
    return (set_head *)(void *)((char *)group->data + at);
}

static dbal__group *
group_new(size_t room)
{
    dbal__group *group = dbal__alloc(sizeof *group + room);
    if (group == NULL)
        return NULL;
    group->refs = 1;
    group->next = NULL;
    group->count = group->at = group->end = 0;
    group->gave_rows = false;
    group->room = room;
    atomic_init(&group->done, 0);
    atomic_init(&group->doomed, false);
    return group;
}

dbal__group *
dbal__group_of_one(void)
{
    dbal__group *group = group_new(0);
    if (group != NULL)
        group->count = 1;
    return group;
}

static bool
begin_group(dbal__sets *sets, size_t size)
{
    /* a small batch needs little, a large one is filled up */
    size_t most = sets->first == NULL ? FIRST_BYTES : GROUP_BYTES;
    dbal__group *group = group_new(size > most ? size : most);
    if (group == NULL)
        return false;
    if (sets->last != NULL)
        sets->last->next = group;
    else
        sets->first = group;
    sets->last = group;
    return true;
}

static bool
has_room(const dbal__group *group, size_t size)
{
    return group != NULL && group->count < DBAL__GROUP && group->room - group->end >= size;
}

bool
dbal__sets_add(dbal__sets *sets, const dbal_value *values, const uint32_t *order, size_t count)
{
    size_t size = dbal__pack_size(values, order, count);
    size_t whole = sizeof(set_head) + size;
    if (!has_room(sets->last, whole) && !begin_group(sets, whole))
        return false;
    dbal__group *group = sets->last;
    set_head *head = head_at(group, group->end);
    head->size = size;
    dbal__pack(head + 1, values, order, count);
    group->end += whole;
    group->count++;
    return true;
}

dbal__group *
dbal__sets_take(dbal__sets *sets)
{
    dbal__group *group = sets->first;
    if (group == NULL)
        return NULL;
    sets->first = group->next;
    if (sets->first == NULL)
        sets->last = NULL;
    group->next = NULL;
    return group;
}

void
dbal__sets_fini(dbal__sets *sets)
{
    for (dbal__group *group; (group = dbal__sets_take(sets)) != NULL;)
        dbal__group_unref(group);
}

const void *
dbal__group_walk(dbal__group *group, size_t *ret_size)
{
    const set_head *head = head_at(group, group->at);
    *ret_size = head->size;
    group->at += sizeof *head + head->size;
    return head + 1;
}

void
dbal__group_rewind(dbal__group *group)
{
    group->at = 0;
    group->gave_rows = false;
    atomic_store(&group->done, 0);
}

void
dbal__group_keep(dbal__group *group, const dbal_result *result)
{
    size_t done = atomic_load_explicit(&group->done, memory_order_relaxed);
    group->gave_rows = dbal_result_column_count(result) > 0;
    if (group->gave_rows)
        return;
    group->each[done].affected = dbal_result_affected(result);
    group->each[done].id = dbal_result_last_insert_id(result);
    atomic_store_explicit(&group->done, done + 1, memory_order_release);
}

dbal__group *
dbal__group_ref(dbal__group *group)
{
    group->refs++;
    return group;
}

void
dbal__group_unref(dbal__group *group)
{
    if (group != NULL && --group->refs == 0)
        dbal__free(group);
}
