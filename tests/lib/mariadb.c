#include "tests/lib/mariadb.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const script = DBAL_SOURCE_FOLDER "/script/mariadb";

void
mariadb_start(mariadb *self, const char *const *settings)
{
    postgres_serve(&self->served, script, "mariadb", NULL, settings);
}

void
mariadb_remove(mariadb *self)
{
    postgres_remove(&self->served);
}

void
mariadb_kill(const mariadb *self)
{
    postgres_signal(&self->served, SIGKILL);
}

void
mariadb_restart(const mariadb *self)
{
    postgres_restart(&self->served, "immediate");
}

void
mariadb_freeze(const mariadb *self)
{
    postgres_signal(&self->served, SIGSTOP);
}

void
mariadb_thaw(const mariadb *self)
{
    postgres_signal(&self->served, SIGCONT);
}

/* ---- blocking helpers ---- */

__attribute__((noreturn)) static void
give_up(MYSQL *mysql, const char *what)
{
    fprintf(stderr, "tests/lib/mariadb: %s: %s\n", what, mysql_error(mysql));
    exit(EXIT_FAILURE);
}

MYSQL *
mariadb_log_in(const mariadb *self, const char *database)
{
    char socket[96];
    MYSQL *mysql = mysql_init(NULL);
    snprintf(socket, sizeof socket, "%s/socket", self->served.folder);
    if (mysql_real_connect(mysql, NULL, "root", NULL, database, 0, socket, 0) == NULL)
        give_up(mysql, self->served.url);
    return mysql;
}

void
mariadb_run(const mariadb *self, const char *database, const char *sql)
{
    MYSQL *mysql = mariadb_log_in(self, database);
    if (mysql_query(mysql, sql) != 0)
        give_up(mysql, sql);
    mysql_free_result(mysql_store_result(mysql));
    mysql_close(mysql);
}

int64_t
mariadb_number(const mariadb *self, const char *database, const char *sql)
{
    MYSQL *mysql = mariadb_log_in(self, database);
    MYSQL_RES *result = mysql_query(mysql, sql) == 0 ? mysql_store_result(mysql) : NULL;
    if (result == NULL)
        give_up(mysql, sql);
    MYSQL_ROW row = mysql_fetch_row(result);
    int64_t value = row != NULL && row[0] != NULL ? strtoll(row[0], NULL, 10) : 0;
    mysql_free_result(result);
    mysql_close(mysql);
    return value;
}

/* ---- a place for each test ---- */

void
mariadb_place_init(mariadb_place *self, const mariadb *server)
{
    static unsigned count;
    char sql[64];
    const char *url = server->served.url, *name = strstr(url, "/test");
    snprintf(self->name, sizeof self->name, "t%ld_%u", (long)getpid(), ++count);
    snprintf(self->url, sizeof self->url, "%.*s/%s%s", (int)(name - url), url, self->name,
             name + strlen("/test"));
    snprintf(sql, sizeof sql, "create database %s", self->name);
    mariadb_run(server, NULL, sql);
}

/* One of them may hold a lock that the database's end would wait for. */
static void
end_connections(const mariadb_place *self, const mariadb *server)
{
    char sql[128];
    MYSQL *mysql = mariadb_log_in(server, NULL);
    snprintf(sql, sizeof sql, "select id from information_schema.processlist where db = '%s'",
             self->name);
    MYSQL_RES *result = mysql_query(mysql, sql) == 0 ? mysql_store_result(mysql) : NULL;
    if (result == NULL)
        give_up(mysql, sql);
    for (MYSQL_ROW row; (row = mysql_fetch_row(result)) != NULL;) {
        snprintf(sql, sizeof sql, "kill %s", row[0]);
        mysql_query(mysql, sql); /* it may have ended by itself */
    }
    mysql_free_result(result);
    mysql_close(mysql);
}

void
mariadb_place_fini(mariadb_place *self, const mariadb *server)
{
    char sql[64];
    end_connections(self, server);
    snprintf(sql, sizeof sql, "drop database %s", self->name);
    mariadb_run(server, NULL, sql);
    self->name[0] = '\0';
}
