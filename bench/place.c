#include "place.h"

#include <dirent.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FOLDER = BENCH_PATH - 256 };
static char folder[FOLDER];

/* Only calls that are safe in a signal handler would do; the program ends here anyway. */
static void
on_signal(int number)
{
    bench_place_end();
    signal(number, SIG_DFL);
    raise(number);
}

void
bench_place_begin(const char *parent)
{
    const char *temporary = getenv("TMPDIR");
    if (parent == NULL)
        parent = temporary != NULL ? temporary : "/tmp";
    snprintf(folder, sizeof folder, "%s/dbal-bench-XXXXXX", parent);
    if (mkdtemp(folder) == NULL) {
        folder[0] = '\0';
        bench_fail("no folder can be made in %s", parent);
    }
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
}

void
bench_place_path(const char *name, char path[BENCH_PATH])
{
    snprintf(path, BENCH_PATH, "%s/%s", folder, name);
}

void
bench_place_end(void)
{
    char path[BENCH_PATH];
    DIR *directory = folder[0] != '\0' ? opendir(folder) : NULL;
    if (directory == NULL)
        return;
    const struct dirent *entry;
    while ((entry = readdir(directory)) != NULL) {
        bench_place_path(entry->d_name, path);
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            unlink(path);
    }
    closedir(directory);
    rmdir(folder);
    folder[0] = '\0';
}

void
bench_fail(const char *format, ...)
{
    va_list arguments;
    fputs("bench: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    bench_place_end();
    exit(1);
}
