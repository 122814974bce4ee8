#include "statement.h"

#include <stdalign.h>
#include <stdio.h>
#include <string.h>

/* Longer texts are not worth their memory. */
enum { BUCKETS_MIN = 16, BUCKETS_MAX = 1 << 16, TEXT_MOST = 64 * 1024 };

struct dbal__postgres_doomed {
    dbal__postgres_doomed *next;
    char name[16];
};

bool
dbal__postgres_statements_init(dbal__postgres_statements *statements, int most, int after,
                               bool prepares)
{
    size_t buckets = BUCKETS_MIN;
    while (buckets < BUCKETS_MAX && buckets < (size_t)(most > 0 ? most : 0))
        buckets *= 2;
    statements->buckets = dbal_driver_alloc(buckets * sizeof(dbal__postgres_statement *));
    statements->mask = buckets - 1;
    statements->most = most;
    statements->after = after > 0 ? (unsigned)after : 1;
    statements->prepares = prepares;
    return statements->buckets != NULL;
}

static void
statement_free(dbal__postgres_statement *statement)
{
    dbal__postgres_columns_fini(&statement->columns);
    dbal_driver_free(statement);
}

void
dbal__postgres_statements_fini(dbal__postgres_statements *statements)
{
    for (dbal__postgres_statement *s = statements->newest, *older; s != NULL; s = older) {
        older = s->older;
        statement_free(s);
    }
    for (dbal__postgres_doomed *one = statements->doomed, *next; one != NULL; one = next) {
        next = one->next;
        dbal_driver_free(one);
    }
    dbal_driver_free(statements->buckets);
    memset(statements, 0, sizeof *statements);
}

static dbal__postgres_statement **
bucket_of(const dbal__postgres_statements *statements, uint64_t hash)
{
    return &statements->buckets[(hash ^ hash >> 32) & statements->mask];
}

static void
unlink_age(dbal__postgres_statements *statements, dbal__postgres_statement *s)
{
    *(s->newer != NULL ? &s->newer->older : &statements->newest) = s->older;
    *(s->older != NULL ? &s->older->newer : &statements->oldest) = s->newer;
}

static void
make_newest(dbal__postgres_statements *statements, dbal__postgres_statement *s)
{
    s->newer = NULL;
    s->older = statements->newest;
    *(s->older != NULL ? &s->older->newer : &statements->oldest) = s;
    statements->newest = s;
}

static bool
is_same(const dbal__postgres_statement *s, const char *sql, size_t size, uint64_t hash,
        const dbal__postgres_bound *bound)
{
    return s->hash == hash && s->size == size && s->count == bound->count &&
           memcmp(s->text, sql, size) == 0 &&
           (s->count == 0 ||
            memcmp(s->types, bound->types, (size_t)s->count * sizeof *s->types) == 0);
}

static bool
alters(unsigned kinds)
{
    return (kinds & DBAL_SQL_WRITES) != 0 && (kinds & DBAL_SQL_UNSHARED) != 0;
}

static dbal__postgres_statement *
make(const char *sql, size_t size, uint64_t hash, const dbal__postgres_bound *bound)
{
    size_t types_size = (size_t)bound->count * sizeof *bound->types;
    dbal__postgres_statement *s = dbal_driver_alloc(sizeof *s + size + alignof(Oid) + types_size);
    if (s == NULL)
        return NULL;
    memcpy(s->text, sql, size);
    s->size = size;
    s->hash = hash;
    s->count = bound->count;
    uintptr_t behind = (uintptr_t)(s->text + size);
    behind = (behind + alignof(Oid) - 1) & ~(uintptr_t)(alignof(Oid) - 1);
    s->types = (Oid *)behind;
    if (s->count > 0)
        memcpy(s->types, bound->types, types_size);
    dbal__postgres_meaning meaning = dbal__postgres_meaning_of(sql);
    s->control = meaning.control;
    s->chains = meaning.chains;
    s->sets = dbal__postgres_sets_of(sql);
    unsigned kinds = dbal__postgres_classify(NULL, sql).kinds;
    s->writes = (kinds & DBAL_SQL_WRITES) != 0;
    s->alters = alters(kinds);
    return s;
}

dbal__postgres_statement *
dbal__postgres_statements_get(dbal__postgres_statements *statements, const dbal_request *request,
                              const dbal__postgres_bound *bound)
{
    size_t size;
    const char *sql = dbal_request_sql(request, &size);
    uint64_t hash = dbal_request_hash(request);
    dbal__postgres_statement **bucket = bucket_of(statements, hash), *s = *bucket;
    while (s != NULL && !is_same(s, sql, size, hash, bound))
        s = s->next;
    if (s == NULL) {
        s = size <= TEXT_MOST && statements->most > 0 ? make(sql, size, hash, bound) : NULL;
        if (s == NULL)
            return NULL;
        s->next = *bucket;
        *bucket = s;
        make_newest(statements, s);
        statements->count++;
    } else if (s != statements->newest) {
        unlink_age(statements, s);
        make_newest(statements, s);
    }
    s->uses++;
    return s;
}

/* Without memory for it the server keeps the statement: its name is never given again. */
static void
doom(dbal__postgres_statements *statements, const dbal__postgres_statement *s)
{
    if (s->prepared == DBAL__POSTGRES_NOT_PREPARED)
        return;
    dbal__postgres_doomed *one = dbal_driver_alloc(sizeof *one);
    if (one == NULL)
        return;
    memcpy(one->name, s->name, sizeof one->name);
    one->next = statements->doomed;
    statements->doomed = one;
}

static dbal__postgres_statement *
oldest_at_rest(const dbal__postgres_statements *statements)
{
    dbal__postgres_statement *s = statements->oldest;
    while (s != NULL && s->flying > 0)
        s = s->newer;
    return s;
}

void
dbal__postgres_statements_evict(dbal__postgres_statements *statements)
{
    dbal__postgres_statement *s;
    while (statements->count > statements->most && (s = oldest_at_rest(statements)) != NULL) {
        dbal__postgres_statement **at = bucket_of(statements, s->hash);
        while (*at != s)
            at = &(*at)->next;
        *at = s->next;
        unlink_age(statements, s);
        statements->count--;
        doom(statements, s);
        statement_free(s);
    }
}

bool
dbal__postgres_statements_close(dbal__postgres_statements *statements, char ret_name[16])
{
    dbal__postgres_doomed *one = statements->doomed;
    if (one == NULL)
        return false;
    statements->doomed = one->next;
    memcpy(ret_name, one->name, sizeof one->name);
    dbal_driver_free(one);
    return true;
}

bool
dbal__postgres_statement_is_due(const dbal__postgres_statements *statements,
                                const dbal__postgres_statement *statement)
{
    return statement != NULL && statements->prepares && statement->uses >= statements->after &&
           statement->prepared == DBAL__POSTGRES_NOT_PREPARED && !statement->alters &&
           statement->control == DBAL__POSTGRES_PLAIN;
}

void
dbal__postgres_statement_name(unsigned number, char ret_name[16])
{
    snprintf(ret_name, 16, "dbal_%u", number);
}

void
dbal__postgres_statement_prepare(dbal__postgres_statements *statements,
                                 dbal__postgres_statement *statement)
{
    /* never the same twice, so that one that could not be closed does no harm */
    statement->number = ++statements->named;
    dbal__postgres_statement_name(statement->number, statement->name);
    statement->prepared = DBAL__POSTGRES_PREPARING;
}

void
dbal__postgres_statement_forget(dbal__postgres_statement *statement)
{
    statement->prepared = DBAL__POSTGRES_NOT_PREPARED;
    statement->small = false;
    statement->uses = 0;
    dbal__postgres_columns_fini(&statement->columns);
}

void
dbal__postgres_statements_forget(dbal__postgres_statements *statements)
{
    for (dbal__postgres_statement *s = statements->newest; s != NULL; s = s->older)
        dbal__postgres_statement_forget(s);
}

void
dbal__postgres_statements_doubt(dbal__postgres_statements *statements)
{
    for (dbal__postgres_statement *s = statements->newest; s != NULL; s = s->older) {
        doom(statements, s);
        dbal__postgres_statement_forget(s);
    }
}

dbal__postgres_control
dbal__postgres_statement_control(const dbal__postgres_statement *statement,
                                 const dbal_request *request)
{
    return statement != NULL ? statement->control
                             : dbal__postgres_control_of(dbal_request_sql(request, NULL));
}

bool
dbal__postgres_statement_chains(const dbal__postgres_statement *statement,
                                const dbal_request *request)
{
    return statement != NULL ? statement->chains
                             : dbal__postgres_meaning_of(dbal_request_sql(request, NULL)).chains;
}

dbal__postgres_sets
dbal__postgres_statement_sets(const dbal__postgres_statement *statement,
                              const dbal_request *request)
{
    return statement != NULL ? statement->sets
                             : dbal__postgres_sets_of(dbal_request_sql(request, NULL));
}

bool
dbal__postgres_statement_alters(const dbal__postgres_statement *statement,
                                const dbal_request *request)
{
    if (statement != NULL)
        return statement->alters;
    return alters(dbal__postgres_classify(NULL, dbal_request_sql(request, NULL)).kinds);
}

bool
dbal__postgres_statement_writes(const dbal__postgres_statement *statement,
                                const dbal_request *request)
{
    if (statement != NULL)
        return statement->writes;
    return (dbal__postgres_classify(NULL, dbal_request_sql(request, NULL)).kinds &
            DBAL_SQL_WRITES) != 0;
}

bool
dbal__postgres_statement_may_run(const dbal__postgres_statement *statement,
                                 const dbal_request *request, dbal_fault *fault)
{
    if (!dbal_request_read_only(request))
        return true;
    bool writes = dbal__postgres_statement_writes(statement, request);
    if (writes)
        dbal_fault_set(fault, DBAL_ERROR_OPERATIONAL, "25006",
                       "it was promised to change nothing, and would");
    return !writes;
}
