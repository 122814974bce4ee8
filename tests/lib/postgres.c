#include "tests/lib/postgres.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST_SETTINGS = 16, MOST_SERVERS = 8 };

extern char **environ;

static const char *const server_script = DBAL_SOURCE_FOLDER "/script/postgres";
static const char *const bouncer_script = DBAL_SOURCE_FOLDER "/script/pgbouncer";

__attribute__((format(printf, 1, 2), noreturn)) static void
give_up(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    fprintf(stderr, "tests/lib/postgres: ");
    vfprintf(stderr, format, list);
    fprintf(stderr, "\n");
    va_end(list);
    exit(EXIT_FAILURE);
}

/* ---- the scripts ---- */

/* In a session of its own: what kills a test program's group leaves it to clean up. */
static pid_t
spawn(const char *const *words, int input, int output)
{
    pid_t child;
    sigset_t all, none;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_t actions;
    sigfillset(&all);
    sigemptyset(&none);
    setenv("DBAL_POSTGRES_TEMPLATE", DBAL_BUILD_FOLDER "/postgres-template", 0);
    setenv("DBAL_MARIADB_TEMPLATE", DBAL_BUILD_FOLDER "/mariadb-template", 0);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawn_file_actions_init(&actions);
    if (input >= 0)
        posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
    else
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (output >= 0)
        posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    else
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    int code = posix_spawn(&child, words[0], &actions, &attributes, (char *const *)(uintptr_t)words,
                           environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    if (code != 0)
        give_up("%s: %s", words[0], strerror(code));
    return child;
}

static int
wait_for(pid_t child)
{
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    return status;
}

static void
command(const postgres *self, const char *verb, const char *how)
{
    const char *const words[] = {self->script, verb, self->folder, how, NULL};
    if (wait_for(spawn(words, -1, -1)) != 0)
        give_up("%s %s %s failed", self->script, verb, self->folder);
}

/* ---- from start to end ---- */

/* Those that this process, or one that it is a fork of, has made. */
static postgres *servers[MOST_SERVERS];

static void
remove_all(void)
{
    for (int i = MOST_SERVERS - 1; i >= 0; i--)
        if (servers[i] != NULL && servers[i]->owner == getpid())
            postgres_remove(servers[i]);
}

static void
remember(postgres *self)
{
    static bool registered;
    int i = 0;
    while (i < MOST_SERVERS && servers[i] != NULL)
        i++;
    if (i == MOST_SERVERS)
        give_up("more than %d servers at once", MOST_SERVERS);
    servers[i] = self;
    if (!registered)
        atexit(remove_all);
    registered = true;
}

/* Its first line; false when it ended without one. */
static bool
read_url(postgres *self, int output)
{
    size_t used = 0;
    while (used + 1 < sizeof self->url) {
        ssize_t count = read(output, self->url + used, 1);
        if (count < 0 && errno == EINTR)
            continue;
        if (count != 1)
            return false;
        if (self->url[used] == '\n')
            break;
        used++;
    }
    self->url[used] = '\0';
    return true;
}

void
postgres_serve(postgres *self, const char *script, const char *kind, const char *first,
               const char *const *settings)
{
    const char *words[MOST_SETTINGS + 5] = {script, "serve", self->folder};
    const char *parent = getenv("TMPDIR");
    int input[2], output[2], count = 3;
    memset(self, 0, sizeof *self);
    self->script = script;
    self->owner = getpid();
    /* where the server's user gets to; and short: the kernel takes 107 bytes of a socket's path */
    if (geteuid() == 0 || parent == NULL || parent[0] != '/' || strlen(parent) > 30)
        parent = "/tmp";
    snprintf(self->folder, sizeof self->folder, "%s/dbal-%s-XXXXXX", parent, kind);
    if (mkdtemp(self->folder) == NULL || pipe2(input, O_CLOEXEC) != 0 ||
        pipe2(output, O_CLOEXEC) != 0)
        give_up("%s: %s", self->folder, strerror(errno));
    if (first != NULL)
        words[count++] = first;
    for (int i = 0; settings != NULL && settings[i] != NULL && i < MOST_SETTINGS; i++)
        words[count++] = settings[i];
    self->supervisor = spawn(words, input[0], output[1]);
    self->hold = input[1];
    close(input[0]);
    close(output[1]);
    if (!read_url(self, output[0])) {
        wait_for(self->supervisor);
        rmdir(self->folder);
        give_up("%s did not start a server", script);
    }
    close(output[0]);
    remember(self);
}

void
postgres_start(postgres *self, const char *const *settings)
{
    postgres_serve(self, server_script, "postgres", NULL, settings);
}

void
postgres_bouncer_start(postgres *self, const postgres *server, const char *const *settings)
{
    char where[80];
    snprintf(where, sizeof where, "postgres=%s", server->folder);
    postgres_serve(self, bouncer_script, "pgbouncer", where, settings);
}

void
postgres_remove(postgres *self)
{
    for (int i = 0; i < MOST_SERVERS; i++)
        if (servers[i] == self)
            servers[i] = NULL;
    if (self->folder[0] == '\0')
        return;
    if (self->owner != getpid())
        give_up("%s belongs to another process", self->folder);
    /* forks that are left would keep it open: tell it in so many words */
    kill(self->supervisor, SIGTERM);
    close(self->hold);
    wait_for(self->supervisor);
    self->folder[0] = '\0';
}

/* ---- trouble ---- */

void
postgres_stop(const postgres *self, const char *how)
{
    command(self, "stop", how);
}

void
postgres_restart(const postgres *self, const char *how)
{
    command(self, "restart", how);
}

/* Its first process, or 0. */
static pid_t
postmaster(const postgres *self)
{
    char path[128];
    long id = 0;
    snprintf(path, sizeof path, "%s/data/postmaster.pid", self->folder);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return 0;
    if (fscanf(file, "%ld", &id) != 1)
        id = 0;
    fclose(file);
    return (pid_t)id;
}

int
postgres_signal(const postgres *self, int number)
{
    char work[96], link[300], place[300];
    int found = 0;
    DIR *all = opendir("/proc");
    if (all == NULL)
        give_up("/proc: %s", strerror(errno));
    snprintf(work, sizeof work, "%s/%s", self->folder,
             self->script == bouncer_script ? "work" : "data");
    for (struct dirent *entry; (entry = readdir(all)) != NULL;) {
        long id = strtol(entry->d_name, NULL, 10);
        snprintf(link, sizeof link, "/proc/%s/cwd", entry->d_name);
        ssize_t size = id > 0 ? readlink(link, place, sizeof place - 1) : -1;
        if (size < 0)
            continue;
        place[size] = '\0';
        if (strcmp(place, work) == 0 && kill((pid_t)id, number) == 0)
            found++;
    }
    closedir(all);
    return found;
}

void
postgres_kill(const postgres *self)
{
    pid_t id = postmaster(self);
    if (id == 0 || kill(id, SIGKILL) != 0)
        give_up("%s has no first process to kill", self->folder);
}

void
postgres_freeze(const postgres *self)
{
    pid_t id = postmaster(self);
    /* first the one that makes others */
    if (id != 0)
        kill(id, SIGSTOP);
    if (postgres_signal(self, SIGSTOP) == 0)
        give_up("%s does not run", self->folder);
}

void
postgres_thaw(const postgres *self)
{
    postgres_signal(self, SIGCONT);
}

void
postgres_heal(const postgres *self)
{
    postgres_thaw(self);
    if (PQping(self->url) != PQPING_OK)
        postgres_restart(self, "immediate");
}

/* ---- a place for each test ---- */

/* The URL of a door as another role's. */
static void
log_in_as(const char *role, const postgres *door, char *url, size_t size)
{
    const char *at = strstr(door->url, "postgres@");
    if (at != NULL)
        snprintf(url, size, "postgresql://%s%s", role, at + strlen("postgres"));
    else
        snprintf(url, size, "%.*s%s", (int)(strlen(door->url) - strlen("postgres")), door->url,
                 role);
}

void
postgres_place_init(postgres_place *self, const postgres *server)
{
    static unsigned count;
    char sql[200];
    snprintf(self->role, sizeof self->role, "t%ld_%u", (long)getpid(), ++count);
    log_in_as(self->role, server, self->url, sizeof self->url);
    /* "$user" leads the search path */
    snprintf(sql, sizeof sql, "create role %s superuser login; create schema authorization %s",
             self->role, self->role);
    postgres_run(server->url, sql);
}

void
postgres_place_fini(postgres_place *self, const postgres *server)
{
    char sql[300];
    snprintf(sql, sizeof sql,
             "select pg_terminate_backend(pid, 10000) from pg_stat_activity where usename = '%s'",
             self->role);
    postgres_run(server->url, sql);
    snprintf(sql, sizeof sql,
             "set client_min_messages = error; drop owned by %s cascade; drop role %s", self->role,
             self->role);
    postgres_run(server->url, sql);
    self->role[0] = '\0';
}

void
postgres_place_url(const postgres_place *self, const postgres *door, char *url, size_t size)
{
    log_in_as(self->role, door, url, size);
}

/* ---- blocking helpers ---- */

PGconn *
postgres_connect(const char *url)
{
    PGconn *connection = PQconnectdb(url);
    if (PQstatus(connection) != CONNECTION_OK)
        give_up("%s: %s", url, PQerrorMessage(connection));
    return connection;
}

static PGresult *
ask(PGconn *connection, const char *sql)
{
    PGresult *result = PQexec(connection, sql);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        give_up("%s: %s", sql, PQerrorMessage(connection));
    return result;
}

void
postgres_run(const char *url, const char *sql)
{
    PGconn *connection = postgres_connect(url);
    PQclear(ask(connection, sql));
    PQfinish(connection);
}

int64_t
postgres_number(const char *url, const char *sql)
{
    PGconn *connection = postgres_connect(url);
    PGresult *result = ask(connection, sql);
    if (PQntuples(result) < 1 || PQnfields(result) < 1)
        give_up("%s gave no row", sql);
    int64_t value = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
    PQclear(result);
    PQfinish(connection);
    return value;
}
