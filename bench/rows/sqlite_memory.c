/* What a connection and a waiting statement take, each figure in a process of its own. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../place.h"
#include "../row.h"

enum { PAIRS = 15 };

/* bench-memory, which stands beside this program */
static void
program_path(char path[BENCH_PATH])
{
    static const char name[] = "bench-memory";
    ssize_t size = readlink("/proc/self/exe", path, BENCH_PATH - sizeof name);
    if (size < 0)
        bench_fail("where is this program?");
    path[size] = '\0';
    memcpy(strrchr(path, '/') + 1, name, sizeof name);
}

static pid_t
start(const char *what, const char *whose, int to)
{
    char program[BENCH_PATH], folder[BENCH_PATH];
    program_path(program);
    bench_place_path("", folder);
    pid_t child = fork();
    if (child != 0)
        return child;
    dup2(to, STDOUT_FILENO);
    execl(program, program, what, whose, folder, (char *)NULL);
    _exit(127);
}

static double
bytes(const char *what, const char *whose)
{
    int ends[2], status;
    double figure = 0;
    if (pipe(ends) != 0)
        bench_fail("no pipe");
    pid_t child = start(what, whose, ends[1]);
    close(ends[1]);
    FILE *from = fdopen(ends[0], "r");
    bool told = from != NULL && fscanf(from, "%lf", &figure) == 1;
    if (from != NULL)
        fclose(from);
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0 || !told || figure <= 0)
        bench_fail("bench-memory %s %s failed", what, whose);
    return figure;
}

static double
connection_by_hand(void)
{
    return bytes("connection", "hand");
}

static double
connection_by_dbal(void)
{
    return bytes("connection", "dbal");
}

static double
statement_by_hand(void)
{
    return bytes("statement", "hand");
}

static double
statement_by_dbal(void)
{
    return bytes("statement", "dbal");
}

static void
nothing(void)
{
}

extern const bench_row bench_sqlite_connection_memory, bench_sqlite_statement_memory;
const bench_row bench_sqlite_connection_memory = {
    "sqlite_connection_memory", "bytes", true, PAIRS, nothing, connection_by_hand,
    connection_by_dbal,         nothing};
const bench_row bench_sqlite_statement_memory = {
    "sqlite_statement_memory", "bytes",           true,   PAIRS, nothing,
    statement_by_hand,         statement_by_dbal, nothing};
