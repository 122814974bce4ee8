#include "program.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

void
bench_program_path(const char *name, char path[BENCH_PATH])
{
    ssize_t size = readlink("/proc/self/exe", path, BENCH_PATH - 64);
    if (size < 0 || strlen(name) >= 64)
        bench_fail("where is this program?");
    path[size] = '\0';
    strcpy(strrchr(path, '/') + 1, name);
}

static pid_t
start(const char *const *command, int to)
{
    pid_t child = fork();
    if (child != 0)
        return child;
    dup2(to, STDOUT_FILENO);
    execvp(command[0], (char *const *)(uintptr_t)command); /* does not change them */
    _exit(127);
}

void
bench_program_run(const char *name, const char *const *command, double *ret_number)
{
    int ends[2], status = 0;
    double number = 0;
    if (pipe2(ends, O_CLOEXEC) != 0)
        bench_fail("no pipe");
    pid_t child = start(command, ends[1]);
    close(ends[1]);
    FILE *from = fdopen(ends[0], "r");
    bool told = from != NULL && fscanf(from, "%lf", &number) == 1;
    if (from != NULL)
        fclose(from);
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
        bench_fail("%s failed%s", name, status == 127 << 8 ? ": it is not there" : "");
    if (ret_number == NULL)
        return;
    if (!told || number <= 0)
        bench_fail("%s has not told its figure", name);
    *ret_number = number;
}
