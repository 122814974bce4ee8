#include "tests/sharing/mix.h"

#include <stdio.h>
#include <string.h>

const char mix_schema[] =
    "create table parent(id integer primary key, name text unique);"
    "create table child(id integer primary key autoincrement, parent integer references parent(id),"
    " note text not null default 'x' check (length(note) < 8));"
    "create table late(id integer primary key, parent integer references parent(id)"
    " deferrable initially deferred);"
    "create table tree(id integer primary key, up integer references tree(id) on delete cascade"
    " deferrable initially deferred);"
    "create table pair(a integer, b text, v integer, primary key (a, b)) without rowid;"
    "create table typed(id integer primary key, n int, r real, b blob) strict;"
    "create table picky(id integer primary key, u integer unique on conflict rollback,"
    " v integer unique on conflict replace, w integer not null on conflict ignore,"
    " x integer unique on conflict fail);"
    "create table guarded(id integer primary key, act text);"
    "create table log(id integer primary key autoincrement, what text);"
    "create table bank(id integer primary key, v integer check (v >= 0));"
    "create table apart(n integer); insert into apart values (0);"
    "create trigger guards before insert on guarded begin"
    " select raise(rollback, 'rolled back') where new.act = 'rollback';"
    " select raise(abort, 'aborted') where new.act = 'abort';"
    " select raise(fail, 'failed') where new.act = 'fail';"
    " select raise(ignore) where new.act = 'ignore';"
    " insert into log(what) values (new.act); end;"
    "create trigger logs after delete on child begin"
    " insert into log(what) values ('gone ' || old.id); end;"
    "create trigger bounds after insert on pair when new.a > 8 begin"
    " update or rollback parent set name = 'n1' where id = new.a; end;"
    "with recursive i(n) as (select 1 union all select n + 1 from i where n < 10)"
    " insert into bank select n, 10 from i;"
    "insert into parent values (1, 'n1'), (2, 'n2'), (3, 'n3');"
    "insert into tree values (1, null)";

/* # is a small number or a parameter with one, @ what a conflict does */
static const struct {
    unsigned weight;
    mix_kind kind;
    const char *sql;
} patterns[] = {
    {6, MIX_WRITE, "insert @ into parent values (#, 'n' || #)"},
    {3, MIX_WRITE, "insert @ into parent(name) values ('n' || #) returning id, name"},
    {4, MIX_WRITE, "update @ parent set id = id + # where id = #"},
    {3, MIX_WRITE, "update @ parent set name = 'n' || # where id > # returning *"},
    {3, MIX_WRITE, "delete from parent where id = #"},
    {3, MIX_WRITE,
     "insert into parent values (#, 'n' || #) on conflict(id) do update set name ="
     " excluded.name || id returning id, name"},
    {2, MIX_WRITE, "insert into parent values (#, 'n' || #) on conflict do nothing"},
    {8, MIX_WRITE, "insert into child(parent) values (#)"},
    {4, MIX_WRITE,
     "insert @ into child(parent, note) values (#, replace(hex(zeroblob(#)), '00',"
     " 'y')) returning *"},
    {2, MIX_WRITE, "insert @ into child(parent, note) values (#, null)"},
    {3, MIX_WRITE, "update @ child set parent = # where id % 5 = #"},
    {3, MIX_WRITE, "delete from child where id % 7 = # returning id"},
    {5, MIX_WRITE, "insert @ into late values (#, #)"},
    {4, MIX_WRITE, "insert @ into late values (#, # + 5)"},
    {3, MIX_WRITE, "update @ late set parent = parent + # where id < #"},
    {2, MIX_WRITE, "delete from late where id = #"},
    {4, MIX_WRITE, "insert @ into tree values (#, #)"},
    {2, MIX_WRITE, "insert into tree values (#, # + 1), (# + 1, #)"},
    {2, MIX_WRITE, "delete from tree where id = # and id <> 1"},
    {4, MIX_WRITE, "insert @ into pair values (#, 'b' || #, #)"},
    {3, MIX_WRITE,
     "insert into pair values (#, 'b' || #, 1) on conflict do update set v = v + 1"
     " returning v"},
    {2, MIX_WRITE, "update @ pair set b = 'b' || # where a = #"},
    {2, MIX_WRITE, "delete from pair where a <= #"},
    {3, MIX_WRITE, "insert @ into typed values (#, #, #, x'00')"},
    {3, MIX_WRITE, "insert @ into typed values (#, 'text', 1.5, null)"},
    {2, MIX_WRITE, "insert @ into typed values (#, 1, 1, #)"},
    {4, MIX_WRITE, "insert @ into picky values (null, #, #, #, #)"},
    {2, MIX_WRITE, "insert into picky(u, v, x) values (#, #, #)"},
    {3, MIX_WRITE, "insert @ into guarded values (null, 'rollback')"},
    {3, MIX_WRITE, "insert into guarded(act) values ('one'), ('two'), ('fail'), ('three')"},
    {3, MIX_WRITE, "insert into guarded(act) values ('one'), ('abort'), ('two')"},
    {3, MIX_WRITE, "insert into guarded(act) values ('one'), ('ignore'), ('two') returning id"},
    {2, MIX_WRITE, "insert into guarded(act) values ('one'), ('rollback'), ('two') returning id"},
    {2, MIX_WRITE, "insert into guarded values (#, 'plain')"},
    {3, MIX_WRITE,
     "with recursive i(n) as (select # union all select n + 1 from i where n < 60)"
     " insert @ into guarded select n, 'row' from i"},
    {2, MIX_WRITE,
     "with doomed as (select id from guarded where id % 4 = #) delete from guarded"
     " where id in (select id from doomed)"},
    {1, MIX_WRITE, "update @ guarded set id = id + 1"},
    {1, MIX_WRITE, "delete from guarded"},
    {8, MIX_WRITE,
     "update bank set v = v + iif(id = 10, 1, -1) * (# - 5)"
     " where id in (1 + # % 9, 10)"},
    {3, MIX_WRITE,
     "update or rollback bank set v = v + iif(id = 10, 1, -1) * (# - 5)"
     " where id in (1 + # % 9, 10) returning id, v"},
    {1, MIX_WRITE,
     "insert into child(parent) select 1 from log limit 3 returning"
     " hex(zeroblob(4000))"},
    {2, MIX_WRITE, "insert into nowhere values (#)"},
    {1, MIX_WRITE, "update parent set nothing = #"},
    {1, MIX_WRITE, "insert into parent values (#)"},
    {1, MIX_WRITE, "insert into parent values (#, zeroblob(3000000000))"},
    {1, MIX_WRITE, "update parent set id = id + 9223372036854775807 where id = 1 + #"},
    {1, MIX_WRITE, "insert into parent(id) values ('text' || #)"},
    {1, MIX_WRITE, "insert into log(what) values (json('{' || #))"},
    {2, MIX_WRITE, "insert into later values (#)"},
    {1, MIX_WRITE, "create table later(n)"},
    {1, MIX_WRITE, "drop table later"},
    {1, MIX_WRITE, "create unique index late_parents on late(parent)"},
    {1, MIX_WRITE, "drop index if exists late_parents"},
    {1, MIX_WRITE, "alter table log add column more"},
    {1, MIX_WRITE, "alter table log drop column more"},
    {1, MIX_WRITE, "analyze"},
    {1, MIX_WRITE, "reindex"},
    {1, MIX_WRITE, "vacuum"},
    {1, MIX_ACT, "pragma wal_checkpoint"},
    {1, MIX_ACT, "pragma incremental_vacuum"},
    {4, MIX_READ, "select count(*) from child"},
    {3, MIX_READ, "select max(id), min(name) from parent"},
    {2, MIX_READ, "select * from bank where id = 1 + #"},
    {2, MIX_READ, "pragma user_version"},
    {1, MIX_READ, "pragma data_version"},
    {8, MIX_HOLDS, "select sum(v) = 100 from bank"},
    {3, MIX_HOLDS, "select count(*) = 0 from late where parent not in (select id from parent)"},
    {2, MIX_HOLDS, "select count(*) = 0 from tree where up not in (select id from tree)"},
    {2, MIX_HOLDS, "select count(*) = 0 from pragma_foreign_key_check"},
    {1, MIX_HOLDS, "select integrity_check = 'ok' from pragma_integrity_check"},
    {1, MIX_MISTAKEN, "selec 1"},
    {1, MIX_MISTAKEN, "insert into parent values ($1, $2, $3, $4, $5)"},
    {1, MIX_MISTAKEN, "begin immediate"},
    {1, MIX_MISTAKEN, "select * from nowhere"},
    {1, MIX_MISTAKEN, "insert into log(what) values (last_insert_rowid())"},
    {1, MIX_MISTAKEN, "pragma user_version = 3"},
};
enum { PATTERNS = sizeof patterns / sizeof patterns[0] };

static const char *const conflicts[] = {
    "", "", "", "or rollback", "or rollback", "or fail", "or ignore", "or replace", "or abort"};

static const char *
choose(mix *one, chance *luck)
{
    unsigned total = 0, at = 0;
    for (size_t i = 0; i < PATTERNS; i++)
        total += patterns[i].weight;
    for (unsigned left = chance_below(luck, total); left >= patterns[at].weight; at++)
        left -= patterns[at].weight;
    one->kind = patterns[at].kind;
    return patterns[at].sql;
}

/* A parameter now and then: statements of the same text know of each other. */
static void
put_number(mix *one, char *to, size_t size, chance *luck)
{
    unsigned n = chance_below(luck, 10);
    if (one->count == MIX_VALUES || chance_below(luck, 2) == 0) {
        snprintf(to, size, "%u", n);
        return;
    }
    one->values[one->count++] = dbal_int64(n);
    snprintf(to, size, "$%zu", one->count);
}

void
mix_make(mix *one, chance *luck)
{
    memset(one, 0, sizeof *one);
    const char *from = choose(one, luck);
    size_t at = 0;
    for (; *from != '\0' && at + 32 < sizeof one->sql; from++) {
        if (*from == '#')
            put_number(one, one->sql + at, sizeof one->sql - at, luck);
        else if (*from == '@')
            snprintf(one->sql + at, sizeof one->sql - at, "%s",
                     conflicts[chance_below(luck, sizeof conflicts / sizeof conflicts[0])]);
        else
            snprintf(one->sql + at, 2, "%c", *from);
        at += strlen(one->sql + at);
    }
}

dbal_params
mix_params(const mix *one)
{
    return (dbal_params){one->count, one->values};
}
