#include "dbal/sql_names.h"

#include <string.h>

#include "dbal/alloc.h"
#include "dbal/sql_hash.h"

/* Where this name is in the table, or the free slot where it would be. */
static uint32_t *
find_slot(const dbal__sql_names *names, const char *name, size_t size)
{
    for (size_t at = dbal__sql_hash(name, size) & names->mask;; at = (at + 1) & names->mask) {
        uint32_t *slot = &names->slots[at];
        if (*slot == UINT32_MAX)
            return slot;
        const char *item = names->items[*slot];
        if (strncmp(item, name, size) == 0 && item[size] == '\0')
            return slot;
    }
}

uint32_t
dbal__sql_names_find(const dbal__sql_names *names, const char *name, size_t size)
{
    return *find_slot(names, name, size);
}

/* Room for all uses, as if each had a name of its own. */
static bool
make_room(dbal__sql_names *names, const dbal__sql_uses *uses)
{
    size_t room = uses->count * sizeof *names->items, slots = 4;
    for (size_t i = 0; i < uses->count; i++)
        room += uses->items[i].size; /* the colon's byte is for the NUL */
    while (slots < uses->count * 2)
        slots *= 2;
    names->items = dbal__alloc(room);
    names->slots = dbal__alloc(slots * sizeof *names->slots);
    names->mask = slots - 1;
    if (names->items == NULL || names->slots == NULL)
        return false;
    memset(names->slots, 0xff, slots * sizeof *names->slots);
    return true;
}

bool
dbal__sql_names_init(dbal__sql_names *names, const char *text, dbal__sql_uses *uses)
{
    *names = (dbal__sql_names){0};
    if (!make_room(names, uses)) {
        dbal__sql_names_fini(names);
        return false;
    }
    char *to = (char *)(names->items + uses->count);
    for (size_t i = 0; i < uses->count; i++) {
        dbal__sql_use *use = &uses->items[i];
        const char *name = text + use->start + 1;
        size_t size = use->size - 1;
        uint32_t *slot = find_slot(names, name, size);
        if (*slot == UINT32_MAX) {
            *slot = (uint32_t)names->count;
            names->items[names->count++] = to;
            memcpy(to, name, size);
            to[size] = '\0';
            to += size + 1;
        }
        use->number = *slot;
    }
    return true;
}

void
dbal__sql_names_fini(dbal__sql_names *names)
{
    dbal__free(names->items);
    dbal__free(names->slots);
    *names = (dbal__sql_names){0};
}
