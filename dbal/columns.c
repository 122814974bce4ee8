#include "dbal/columns.h"

#include <string.h>

#include "dbal/alloc.h"

dbal_columns *
dbal_columns_new(size_t count, const char *const *names, const dbal_type *types)
{
    size_t room = count * sizeof(dbal__heading);
    for (size_t i = 0; i < count; i++)
        room += strlen(names[i]) + 1;
    dbal_columns *columns = dbal__alloc(sizeof *columns + room);
    if (columns == NULL)
        return NULL;
    atomic_init(&columns->refs, 1);
    columns->count = count;
    columns->speller = NULL;
    char *at = (char *)(columns->headings + count);
    for (size_t i = 0; i < count; i++) {
        size_t size = strlen(names[i]) + 1;
        memcpy(at, names[i], size);
        columns->headings[i] = (dbal__heading){at, types[i], 0};
        at += size;
    }
    return columns;
}

void
dbal_columns_spell(dbal_columns *columns, dbal_speller *speller, const uint32_t *kinds)
{
    columns->speller = speller;
    for (size_t i = 0; i < columns->count; i++)
        columns->headings[i].kind = kinds[i];
}

dbal_columns *
dbal__columns_ref(dbal_columns *columns)
{
    atomic_fetch_add_explicit(&columns->refs, 1, memory_order_relaxed);
    return columns;
}

void
dbal_columns_unref(dbal_columns *columns)
{
    if (columns != NULL && atomic_fetch_sub_explicit(&columns->refs, 1, memory_order_acq_rel) == 1)
        dbal__free(columns);
}
