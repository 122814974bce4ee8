#include "tests/drivers/load/place.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

char place[SCRATCH_PATH], other_place[SCRATCH_PATH + 8];

void
place_make(void)
{
    scratch_make(place, "load");
    snprintf(other_place, sizeof other_place, "%s/other", place);
    ck_assert_int_eq(mkdir(other_place, 0755), 0);
    ck_assert_int_eq(setenv("DBAL_DRIVER_PATH", place, 1), 0);
}

void
place_remove(void)
{
    scratch_remove(place);
    unsetenv("DBAL_DRIVER_PATH");
}

const char *
place_file(const char *folder, const char *scheme)
{
    static char file[256];
    snprintf(file, sizeof file, "%s/dbal-%s.so", folder, scheme);
    return file;
}

void
place_copy_part(const char *folder, const char *scheme, const char *module, long bytes)
{
    char source[512], block[4096];
    snprintf(source, sizeof source, "%s/load-%s.so", DBAL_MODULES_FOLDER, module);
    FILE *from = fopen(source, "r"), *to = fopen(place_file(folder, scheme), "w");
    ck_assert_msg(from != NULL && to != NULL, "%s cannot be copied", source);
    for (size_t size; bytes != 0 && (size = fread(block, 1, sizeof block, from)) > 0;) {
        if (bytes > 0 && (long)size > bytes)
            size = (size_t)bytes;
        ck_assert_uint_eq(fwrite(block, 1, size, to), size);
        bytes -= bytes > 0 ? (long)size : 0;
    }
    fclose(from);
    ck_assert_int_eq(fclose(to), 0);
}

void
place_copy(const char *folder, const char *scheme, const char *module)
{
    place_copy_part(folder, scheme, module, -1);
}

void
place_write(const char *folder, const char *scheme, const char *text)
{
    FILE *to = fopen(place_file(folder, scheme), "w");
    ck_assert_ptr_nonnull(to);
    fputs(text, to);
    ck_assert_int_eq(fclose(to), 0);
}

const char *
place_refusal(const char *scheme)
{
    static char text[2048];
    dbal_error *error = NULL;
    ck_assert_msg(!dbal_driver_load(scheme, &error), "%s was loaded", scheme);
    ck_assert_ptr_nonnull(error);
    ck_assert(dbal_error_is(error, DBAL_ERROR_INTERFACE));
    ck_assert_int_eq(dbal_error_execution(error), DBAL_EXECUTION_NOT_SENT);
    snprintf(text, sizeof text, "%s", dbal_error_message(error));
    dbal_error_unref(error);
    return text;
}

bool
place_is_mapped(const char *text)
{
    char line[1024];
    bool found = false;
    FILE *maps = fopen("/proc/self/maps", "r");
    ck_assert_ptr_nonnull(maps);
    while (!found && fgets(line, sizeof line, maps) != NULL)
        found = strstr(line, text) != NULL;
    fclose(maps);
    return found;
}
