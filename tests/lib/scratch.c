#include "tests/lib/scratch.h"

#include <check.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

void
scratch_make(char folder[SCRATCH_PATH], const char *what)
{
    const char *place = getenv("TMPDIR");
    int size =
        snprintf(folder, SCRATCH_PATH, "%s/dbal-%s-XXXXXX", place != NULL ? place : "/tmp", what);
    ck_assert_msg(size < SCRATCH_PATH, "TMPDIR is too long: %s", place);
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
