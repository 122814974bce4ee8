/* The databases that the contract is proven on. */
#include "tests/contract/contract.h"

static const contract_sql fake_sql = {
    .rows = "rows $1",
    .echo = "echo $1",
    .echo_both = "echo $2, $1",
    .by_name = "echo :b, :a",
    .add = "add $1",
    .gain = "gain $1",
    .gain_name = "gain :much",
    .insert = "add $1",
    .add_two = "add 2",
    .get = "get",
    .duplicate = "fail '23505'",
    .syntax = "rows 1 nonsense",
    .syntax_position = 8,
    .backup = "progress 0 10 progress 5 10 progress 10 10",
    .endless = "wait never",
    .begin = "begin",
    .rollback = "rollback",
    .setting = "setting",
    .changed = "changed",
    .copy_in = "load",
    .copied = "get",
    .copy_bad = "load 3",
    .copy_out = "unload 3",
    .copy_much = "unload 200000",
    .notify = "notify \"contract\" 'told'",
};

static const contract_sql sqlite_sql = {
    .create = "create table number(n integer not null); insert into number values (0);"
              "create table thing(id integer primary key); insert into thing values (1)",
    .drop = "drop table if exists number; drop table if exists thing",
    .returning = "insert into thing values ($1) returning id",
    .rows = "with recursive rows(n) as (select 1 where $1 > 0 union all "
            "select n + 1 from rows where n < $1) select n from rows",
    .echo = "select $1",
    .echo_both = "select $2, $1",
    .by_name = "select :b, :a",
    .add = "update number set n = n + $1",
    .gain = "update number set n = n + case when $1 >= 0 then $1 end",
    .gain_name = "update number set n = n + case when :much >= 0 then :much end",
    .insert = "insert into thing values ($1)",
    .add_two = "update number set n = n + 2",
    .get = "select n from number",
    .duplicate = "insert into thing values (1)",
    .syntax = "select n fron number",
    .syntax_position = 15,
    .reads = "with recursive rows(i) as (select 1 union all select i + 1 from rows where i < $1) "
             "select i from rows, number",
    .checkpoint = "pragma wal_checkpoint(truncate)",
    .endless =
        "with recursive e(i) as (select 1 union all select i + 1 from e) select max(i) from e",
    .begin = "begin immediate",
    .rollback = "rollback",
    .setting = "create temp table changed(n)",
    .changed = "select count(*) from temp.sqlite_schema",
};

#ifdef TESTS_MARIADB
static const contract_sql mariadb_sql = {
    .drop = "drop table if exists number; drop table if exists thing",
    .create = "create table number(n bigint not null); insert into number values (0);"
              "create table thing(id bigint primary key auto_increment);"
              "insert into thing values (1)",
    .rows = "select seq as n from seq_1_to_1000000000 limit $1",
    .echo = "select $1",
    .echo_both = "select $2, $1",
    .by_name = "select :b, :a",
    .add = "update number set n = n + $1",
    .gain = "update number set n = n + case when $1 >= 0 then $1 end",
    .gain_name = "update number set n = n + case when :much >= 0 then :much end",
    .insert = "insert into thing values ($1)",
    .add_two = "update number set n = n + 2",
    .get = "select n from number",
    .duplicate = "insert into thing values (1)",
    .syntax = "select n fron number",
    .syntax_position = 15,
    .endless = "select sleep(100000)",
    .begin = "begin",
    .rollback = "rollback",
    .setting = "set lc_time_names = 'de_DE'",
    .changed = "select @@lc_time_names = 'de_DE'",
};
#endif

static const contract_sql postgres_sql = {
    .create = "create table number(n bigint not null); insert into number values (0);"
              "create table thing(id bigint primary key); insert into thing values (1)",
    .drop = "drop table if exists number; drop table if exists thing",
    .returning = "insert into thing values ($1) returning id",
    .array = "select cardinality($1::bigint[])",
    /* in the list, where they are made as they are fetched */
    .rows = "select generate_series(1, $1) as n",
    .echo = "select $1",
    .echo_both = "select $2, $1",
    .by_name = "select :b, :a",
    .add = "update number set n = n + $1",
    .gain = "update number set n = n + case when $1 >= 0 then $1 end",
    .gain_name = "update number set n = n + case when :much >= 0 then :much end",
    .insert = "insert into thing values ($1)",
    .add_two = "update number set n = n + 2",
    .get = "select n from number",
    .duplicate = "insert into thing values (1)",
    .syntax = "select n fron number",
    .syntax_position = 15,
    .endless = "select pg_sleep(100000)",
    .begin = "begin",
    .rollback = "rollback",
    .setting = "set application_name = 'changed'",
    .changed = "select (current_setting('application_name') = 'changed')::int",
    .copy_in = "copy thing from stdin",
    .copied = "select count(*) - 1 from thing",
    .copy_bad = "copy thing from stdin",
    .copy_out = "copy (select generate_series(1, 3)) to stdout",
    .copy_much = "copy (select generate_series(1, 100000000)) to stdout",
    .notify = "notify contract, 'told'",
};

/* its ODBC driver does not tell the place, and lets the server guess what parameters are */
static const contract_sql odbc_postgres_sql = {
    .create = "create table number(n bigint not null); insert into number values (0);"
              "create table thing(id bigint primary key); insert into thing values (1)",
    .rows = "select generate_series(1, $1::bigint) as n",
    .echo = "select $1",
    .echo_blob = "select $1::bytea",
    .echo_both = "select $2, $1",
    .by_name = "select :b, :a",
    .add = "update number set n = n + $1",
    .gain = "update number set n = n + case when $1::bigint >= 0 then $1::bigint end",
    .gain_name = "update number set n = n + case when :much::bigint >= 0 then :much::bigint end",
    .insert = "insert into thing values ($1)",
    .add_two = "update number set n = n + 2",
    .get = "select n from number",
    .duplicate = "insert into thing values (1)",
    .syntax = "select n fron number",
    .endless = "select pg_sleep(100000)",
    .begin = "begin",
    .rollback = "rollback",
    .setting = "set application_name = 'changed'",
    .changed = "select (current_setting('application_name') = 'changed')::int",
};

/* through SQLite's ODBC driver */
static const contract_sql odbc_sqlite_sql = {
    .create = "create table number(n integer not null); insert into number values (0);"
              "create table thing(id integer primary key); insert into thing values (1)",
    .rows = "with recursive rows(n) as (select 1 where $1 > 0 union all "
            "select n + 1 from rows where n < $1) select n from rows",
    .echo = "select $1",
    .echo_both = "select $2, $1",
    .by_name = "select :b, :a",
    .add = "update number set n = n + $1",
    .gain = "update number set n = n + case when $1 >= 0 then $1 end",
    .gain_name = "update number set n = n + case when :much >= 0 then :much end",
    .insert = "insert into thing values ($1)",
    .add_two = "update number set n = n + 2",
    .get = "select n from number",
    .duplicate = "insert into thing values (1)",
    .syntax = "select n fron number",
    .endless =
        "with recursive e(i) as (select 1 union all select i + 1 from e) select max(i) from e",
    .begin = "begin",
    .rollback = "rollback",
    .setting = "create temp table changed(n)",
    .changed = "select count(*) from sqlite_temp_master",
};

#define FAKE(name, parameters, quirks, gate, level)                                                \
    {                                                                                              \
        name, "fake:", CONTRACT_NAMED, parameters, &fake_sql,                                      \
            (quirks) | CONTRACT_NO_COPY | CONTRACT_NO_NOTIFY, gate, level                          \
    }
#define NATIVE(name, parameters, quirks, gate)                                                     \
    {                                                                                              \
        name, "native:", CONTRACT_NAMED, parameters, &fake_sql, (quirks) | CONTRACT_NO_BACKUP,     \
            gate, 2                                                                                \
    }
#define SQLITE(name, parameters, quirks, gate, level)                                              \
    {                                                                                              \
        name, "sqlite:", CONTRACT_FILE, parameters, &sqlite_sql,                                   \
            (quirks) | CONTRACT_UNTYPED | CONTRACT_NO_COPY | CONTRACT_NO_NOTIFY, gate, level       \
    }
#define MARIADB(name, parameters, quirks, gate)                                                    \
    {                                                                                              \
        name, "", CONTRACT_MARIADB, parameters, &mariadb_sql,                                      \
            (quirks) | CONTRACT_NO_BACKUP | CONTRACT_UNTYPED | CONTRACT_NO_COPY |                  \
                CONTRACT_NO_NOTIFY | CONTRACT_FINITE,                                              \
            gate, 1                                                                                \
    }
#define POSTGRES(name, parameters, quirks, gate)                                                   \
    {                                                                                              \
        name, "", CONTRACT_SERVER, parameters, &postgres_sql,                                      \
            (quirks) | CONTRACT_NO_BACKUP | CONTRACT_NO_NUL | CONTRACT_ZONED | CONTRACT_SPOILS |   \
                CONTRACT_NO_IDS | CONTRACT_ANY_JSON,                                               \
            gate, 2                                                                                \
    }

#define ODBC_SQLITE(name, parameters, gate)                                                        \
    {                                                                                              \
        name, "odbc:?driver=SQLite&BigInt=1&JournalMode=WAL&database=", CONTRACT_FILE, parameters, \
            &odbc_sqlite_sql,                                                                      \
            CONTRACT_UNTYPED | CONTRACT_NO_COPY | CONTRACT_NO_NOTIFY | CONTRACT_NO_BACKUP |        \
                CONTRACT_NO_NUL | CONTRACT_SPOILS | CONTRACT_NO_IDS | CONTRACT_ROUNDS |            \
                CONTRACT_GATHERS,                                                                  \
            gate, 1                                                                                \
    }
#define ODBC_POSTGRES(name, parameters, gate)                                                      \
    {                                                                                              \
        name, "odbc:", CONTRACT_SERVER,                                                            \
            "UseDeclareFetch=1&UseServerSidePrepare=0&ByteaAsLongVarBinary=1" parameters,          \
            &odbc_postgres_sql,                                                                    \
            CONTRACT_UNTYPED | CONTRACT_GUESSES | CONTRACT_NO_COPY | CONTRACT_NO_NOTIFY |          \
                CONTRACT_NO_BACKUP | CONTRACT_NO_NUL | CONTRACT_SPOILS | CONTRACT_NO_IDS |         \
                CONTRACT_ANY_JSON,                                                                 \
            gate, 2                                                                                \
    }

const contract_target contract_targets[] = {
    FAKE("fake-0", "level=0", 0, "driver-thread", 0),
    FAKE("fake-1", "level=1", 0, "thread", 1),
    FAKE("fake-2", "level=2", 0, "thread", 2),
    FAKE("fake-2-moving", "level=2&pool_threads=2", 0, "thread", 2),
    FAKE("fake-3", "level=3", 0, "thread", 3),
    FAKE("fake-3-parallel", "level=3&parallel=on&interrupt=off&pool_threads=2", 0, "thread", 3),
    FAKE("fake-driver-thread", "level=1&pool_gate=driver-thread", 0, "driver-thread", 1),
    FAKE("fake-polling", "interrupt=off", 0, "thread", 1),
    FAKE("fake-blunt", "interrupt=blunt", 0, "thread", 1),
    FAKE("fake-token", "token=on", 0, "thread", 1),
    FAKE("fake-sharing", "token=on&sharing=on", 0, "thread", 1),
    FAKE("fake-sharing-driver-thread", "token=on&sharing=on&level=0", 0, "driver-thread", 0),
    FAKE("fake-single", "connections=1", CONTRACT_ONE, "thread", 1),
#ifdef TESTS_MARIADB
    MARIADB("mariadb", "", 0, "thread"),
    /* in one thread, one that waits for another's lock would keep that from giving it back */
    MARIADB("mariadb-driver-thread", "pool_gate=driver-thread&max_connections=1", CONTRACT_ONE,
            "driver-thread"),
    MARIADB("mariadb-process", "pool_gate=process", 0, "process"),
#endif
    NATIVE("native", "", 0, "loop"),
    NATIVE("native-single", "pipeline=off", 0, "loop"),
    NATIVE("native-token", "token=on", 0, "loop"),
    NATIVE("native-thread", "pool_gate=thread", CONTRACT_NO_COPY | CONTRACT_NO_NOTIFY, "thread"),
    NATIVE("native-driver-thread", "pool_gate=driver-thread", CONTRACT_NO_COPY | CONTRACT_NO_NOTIFY,
           "driver-thread"),
    SQLITE("sqlite", "", 0, "thread", 1),
    SQLITE("sqlite-alone", "mutex=none&sharing=off", 0, "thread", 1),
    SQLITE("sqlite-driver-thread", "pool_gate=driver-thread", 0, "driver-thread", 1),
    SQLITE("sqlite-full-mutex", "mutex=full", 0, "thread", 3),
    SQLITE("sqlite-full-mutex-moving", "mutex=full&pool_threads=2", 0, "thread", 3),
    SQLITE("sqlite-rollback-journal", "journal_mode=delete", CONTRACT_ONE, "thread", 1),
    SQLITE("sqlite-process", "pool_gate=process", 0, "process", 1),
    {"sqlite-memory", "sqlite::memory:", CONTRACT_NOWHERE, "", &sqlite_sql,
     CONTRACT_UNTYPED | CONTRACT_ONE | CONTRACT_FORGETS | CONTRACT_PRIVATE | CONTRACT_NO_COPY |
         CONTRACT_NO_NOTIFY,
     "thread", 1},
    ODBC_SQLITE("odbc-sqlite", "", "thread"),
    ODBC_SQLITE("odbc-sqlite-process", "pool_gate=process", "process"),
    ODBC_POSTGRES("odbc-postgres", "", "thread"),
    POSTGRES("postgres", "", 0, "loop"),
    POSTGRES("postgres-thread", "pool_gate=thread", CONTRACT_NO_COPY | CONTRACT_NO_NOTIFY,
             "thread"),
    POSTGRES("postgres-moving", "pool_gate=thread&pool_threads=2",
             CONTRACT_NO_COPY | CONTRACT_NO_NOTIFY, "thread"),
    POSTGRES("postgres-process", "pool_gate=process", CONTRACT_NO_COPY | CONTRACT_NO_NOTIFY,
             "process"),
    {.name = NULL},
};
