#include "dbal/sql.h"

#include <string.h>

#include "dbal/alloc.h"
#include "dbal/list.h"
#include "dbal/sql_hash.h"

typedef struct table_entry {
    dbal__list order; /* on `used`, or on `spare` */
    uint64_t hash;
    dbal__sql *sql;
    struct table_entry *next; /* in its bucket */
} table_entry;

struct dbal__sql_table {
    const dbal_driver *driver;
    const void *config;
    table_entry *entries;
    table_entry **buckets;
    size_t mask;
    dbal__list used; /* latest first */
    dbal__list spare;
};

/* All room at once, so that keeping a statement cannot fail. */
static bool
make_room(dbal__sql_table *table, size_t most)
{
    size_t buckets = 8;
    while (buckets < most && buckets <= SIZE_MAX / 4)
        buckets *= 2;
    table->mask = buckets - 1;
    table->entries = dbal__array(most, sizeof *table->entries);
    table->buckets = dbal__array(buckets, sizeof(table_entry *));
    if (table->entries == NULL || table->buckets == NULL)
        return false;
    for (size_t i = 0; i < most; i++)
        dbal__list_push(&table->spare, &table->entries[i].order);
    return true;
}

dbal__sql_table *
dbal__sql_table_new(const dbal_driver *driver, const void *config, size_t most)
{
    dbal__sql_table *table = dbal__zalloc(sizeof *table);
    if (table == NULL)
        return NULL;
    table->driver = driver;
    table->config = config;
    dbal__list_init(&table->used);
    dbal__list_init(&table->spare);
    if (!make_room(table, most)) {
        dbal__sql_table_free(table);
        return NULL;
    }
    return table;
}

void
dbal__sql_table_free(dbal__sql_table *table)
{
    if (table == NULL)
        return;
    for (dbal__list *at = table->used.next; at != &table->used; at = at->next)
        dbal__sql_unref(DBAL__OF(at, table_entry, order)->sql);
    dbal__free(table->entries);
    dbal__free(table->buckets);
    dbal__free(table);
}

static void
leave_bucket(dbal__sql_table *table, const table_entry *leaving)
{
    table_entry **place = &table->buckets[leaving->hash & table->mask];
    while (*place != leaving)
        place = &(*place)->next;
    *place = leaving->next;
}

/* A free entry, if need be that of the statement not used for longest; NULL when there is none. */
static table_entry *
free_entry(dbal__sql_table *table)
{
    dbal__list *spare = dbal__list_pop(&table->spare);
    if (spare != NULL)
        return DBAL__OF(spare, table_entry, order);
    if (dbal__list_empty(&table->used))
        return NULL;
    table_entry *oldest = DBAL__OF(table->used.prev, table_entry, order);
    dbal__list_remove(&oldest->order);
    leave_bucket(table, oldest);
    dbal__sql_unref(oldest->sql);
    return oldest;
}

static void
keep(dbal__sql_table *table, dbal__sql *sql)
{
    table_entry *entry = free_entry(table);
    if (entry == NULL)
        return;
    entry->hash = sql->hash;
    entry->sql = dbal__sql_ref(sql);
    table_entry **bucket = &table->buckets[sql->hash & table->mask];
    entry->next = *bucket;
    *bucket = entry;
    dbal__list_push_front(&table->used, &entry->order);
}

/* The same pointer may hold another text by now: only bytes count. */
static bool
is_of(const table_entry *entry, const char *text, size_t size)
{
    return entry->sql->source_size == size && memcmp(entry->sql->source, text, size) == 0;
}

/* What was asked for last is often asked for again: then nothing has to be hashed. */
static table_entry *
latest(const dbal__sql_table *table, const char *text, size_t size)
{
    if (dbal__list_empty(&table->used))
        return NULL;
    table_entry *entry = DBAL__OF(table->used.next, table_entry, order);
    return is_of(entry, text, size) ? entry : NULL;
}

static table_entry *
find(const dbal__sql_table *table, uint64_t hash, const char *text, size_t size)
{
    table_entry *entry = table->buckets[hash & table->mask];
    while (entry != NULL && (entry->hash != hash || !is_of(entry, text, size)))
        entry = entry->next;
    return entry;
}

dbal__sql *
dbal__sql_table_get(dbal__sql_table *table, const char *text, dbal_fault *fault)
{
    if (text == NULL)
        text = "";
    size_t size = strlen(text);
    table_entry *entry = latest(table, text, size);
    if (entry == NULL)
        entry = find(table, dbal__sql_hash(text, size), text, size);
    if (entry != NULL) {
        if (table->used.next != &entry->order) {
            dbal__list_remove(&entry->order);
            dbal__list_push_front(&table->used, &entry->order);
        }
        return dbal__sql_ref(entry->sql);
    }
    dbal__sql *sql = dbal__sql_new(table->driver, table->config, text, fault);
    if (sql != NULL)
        keep(table, sql);
    return sql;
}
