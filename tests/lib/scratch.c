#include "tests/lib/scratch.h"

#include <check.h>
#include <dirent.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* whose they are: the first process of a test program, which stands in their names */
static pid_t owner;

static const char *
place(void)
{
    const char *said = getenv("TMPDIR");
    return said != NULL ? said : "/tmp";
}

void
scratch_make(char folder[SCRATCH_PATH], const char *what)
{
    int size = snprintf(folder, SCRATCH_PATH, "%s/dbal-%s-%ld-XXXXXX", place(), what,
                        (long)(owner != 0 ? owner : getpid()));
    ck_assert_msg(size < SCRATCH_PATH, "TMPDIR is too long: %s", place());
    ck_assert_msg(mkdtemp(folder) != NULL, "no folder can be made in %s", folder);
}

static int
remove_one(const char *path, const struct stat *about, int kind, struct FTW *where)
{
    (void)about;
    (void)kind;
    (void)where;
    return remove(path);
}

void
scratch_remove(const char *folder)
{
    ck_assert_msg(nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0,
                  "something is left in %s", folder);
}

void
scratch_begin(void)
{
    owner = getpid();
}

static bool
is_ours(const char *name)
{
    char mine[32];
    snprintf(mine, sizeof mine, "-%ld-", (long)owner);
    return strncmp(name, "dbal-", 5) == 0 && strstr(name, mine) != NULL;
}

void
scratch_end(void)
{
    char path[4096];
    const struct dirent *entry;
    DIR *all = opendir(place());
    while (all != NULL && (entry = readdir(all)) != NULL) {
        if (!is_ours(entry->d_name))
            continue;
        snprintf(path, sizeof path, "%s/%s", place(), entry->d_name);
        nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    }
    if (all != NULL)
        closedir(all);
}
