#include "server.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "place.h"

enum { URL = 4096 };

static char url[URL];
static pid_t script;
static int hold = -1; /* its end is what the script waits for, however this program ends */

/* Not where the database files go: the server runs as another user when this program is root's. */
static void
make_folder(char folder[BENCH_PATH])
{
    const char *parent = getenv("TMPDIR");
    snprintf(folder, BENCH_PATH, "%s/dbal-bench-XXXXXX", parent != NULL ? parent : "/tmp");
    if (mkdtemp(folder) == NULL)
        bench_fail("no folder can be made: %s", folder);
}

static pid_t
start(const char *folder, int from, int to)
{
    pid_t child = fork();
    if (child != 0)
        return child;
    dup2(from, STDIN_FILENO);
    dup2(to, STDOUT_FILENO);
    execl(BENCH_POSTGRES, BENCH_POSTGRES, "serve", folder, "shared_buffers=128MB", (char *)NULL);
    _exit(127);
}

void
bench_server_begin(void)
{
    char folder[BENCH_PATH];
    int down[2], up[2];
    if (script != 0)
        return;
    make_folder(folder);
    if (pipe2(down, O_CLOEXEC) != 0 || pipe2(up, O_CLOEXEC) != 0)
        bench_fail("no pipe");
    script = start(folder, down[0], up[1]);
    close(down[0]);
    close(up[1]);
    hold = down[1];
    FILE *from = fdopen(up[0], "r");
    bool told = from != NULL && fgets(url, URL, from) != NULL;
    if (from != NULL)
        fclose(from);
    if (script < 0 || !told) {
        rmdir(folder);
        bench_fail("no PostgreSQL server could be started");
    }
    url[strcspn(url, "\n")] = '\0';
}

const char *
bench_server_url(void)
{
    return url;
}

void
bench_server_end(void)
{
    if (script == 0)
        return;
    close(hold);
    waitpid(script, NULL, 0);
    script = 0;
}

PGconn *
bench_server_connect(const char *to)
{
    PGconn *pg = PQconnectdb(to);
    if (PQstatus(pg) != CONNECTION_OK)
        bench_fail("%s", PQerrorMessage(pg));
    return pg;
}

void
bench_server_execute(PGconn *pg, const char *sql)
{
    PGresult *result = PQexec(pg, sql);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        bench_fail("%s", PQerrorMessage(pg));
    PQclear(result);
}

long long
bench_server_number(PGconn *pg, const char *sql)
{
    PGresult *result = PQexec(pg, sql);
    if (PQntuples(result) != 1)
        bench_fail("%s", PQerrorMessage(pg));
    long long number = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
    PQclear(result);
    return number;
}
