/* Drivers in shared objects: how they are found, what is refused, and how it is said. */
#include <dbal.h>
#include <ev.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/drivers/load/place.h"
#include "tests/lib/alloc_fault.h"
#include "tests/lib/suite.h"
#include <dbal/driver.h>

static void
holds(const char *text, const char *part)
{
    ck_assert_msg(strstr(text, part) != NULL, "\"%s\" says nothing of \"%s\"", text, part);
}

static void
loads(const char *scheme)
{
    dbal_error *error = NULL;
    ck_assert_msg(dbal_driver_load(scheme, &error), "%s", dbal_error_message(error));
}

/* ---- what works ---- */

static dbal_outcome
take(dbal_outcome in, void *arg)
{
    if (in.kind == DBAL_OUTCOME_VALUE)
        *(int64_t *)arg = dbal_result_int64(dbal_outcome_result(in), 0, 0);
    return dbal_done();
}

START_TEST(test_opened)
{
    char url[64];
    int64_t answer = 0;
    place_copy(place, "opened", "good");
    ck_assert(!place_is_mapped("dbal-opened.so"));
    struct ev_loop *ev = ev_loop_new(0);
    dbal_loop *loop = dbal_loop_new(ev);
    dbal_error *error = NULL;
    snprintf(url, sizeof url, "%s:", "OPENED");
    dbal_pool *pool = dbal_pool_open(loop, url, NULL, &error);
    ck_assert_msg(pool != NULL, "%s", dbal_error_message(error));
    dbal_deferred_add_both(dbal_pool_query(pool, "anything", DBAL_NO_PARAMS), take, &answer);
    ev_run(ev, 0);
    ck_assert_int_eq(answer, 42);
    dbal_loop_free(loop);
    ev_loop_destroy(ev);
    /* the error and the driver's texts may still be needed */
    ck_assert(place_is_mapped("dbal-opened.so"));
}
END_TEST

/* Loaded once: the file may go. */
START_TEST(test_again)
{
    place_copy(place, "again", "good");
    loads("again");
    unlink(place_file(place, "again"));
    loads("AGAIN");
    ck_assert_int_eq(setenv("DBAL_DRIVER_PATH", "not/absolute", 1), 0);
    loads("again");
}
END_TEST

/* One driver with two schemes, by two names of its file. */
START_TEST(test_two_schemes)
{
    char link[128];
    place_copy(place, "pair", "pair");
    strcpy(link, place_file(place, "couple"));
    ck_assert_int_eq(symlink("dbal-pair.so", link), 0);
    loads("couple");
    loads("pair");
    unlink(place_file(place, "pair"));
    loads("pair");
}
END_TEST

START_TEST(test_first_folder)
{
    char path[256];
    place_copy(place, "first", "good");
    place_write(other_place, "first", "this would be refused");
    place_copy(other_place, "second", "good");
    snprintf(path, sizeof path, ":%s::%s:", place, other_place);
    ck_assert_int_eq(setenv("DBAL_DRIVER_PATH", path, 1), 0);
    loads("first");
    loads("second");
}
END_TEST

enum { THREADS = 8 };
static pthread_barrier_t barrier;

static void *
load_in_thread(void *scheme)
{
    dbal_error *error = NULL;
    pthread_barrier_wait(&barrier);
    bool loaded = dbal_driver_load(scheme, &error);
    dbal_error_unref(error);
    return loaded ? scheme : NULL;
}

static unsigned
count_listed(const char *name)
{
    unsigned count = 0;
    const dbal_driver_info *const *drivers = dbal_drivers(DBAL_DRIVERS_HERE, NULL);
    ck_assert_ptr_nonnull(drivers);
    for (const dbal_driver_info *const *one = drivers; *one != NULL; one++)
        count += strcmp((*one)->name, name) == 0;
    dbal_drivers_free(drivers);
    return count;
}

START_TEST(test_threads)
{
    for (int round = 0; round < 8; round++) {
        char scheme[32];
        pthread_t threads[THREADS];
        void *result;
        snprintf(scheme, sizeof scheme, "thread%d", round);
        place_copy(place, scheme, "good");
        pthread_barrier_init(&barrier, NULL, THREADS);
        for (int i = 0; i < THREADS; i++)
            ck_assert_int_eq(pthread_create(&threads[i], NULL, load_in_thread, scheme), 0);
        for (int i = 0; i < THREADS; i++) {
            ck_assert_int_eq(pthread_join(threads[i], &result), 0);
            ck_assert_ptr_nonnull(result);
        }
        pthread_barrier_destroy(&barrier);
        ck_assert_uint_eq(count_listed(scheme), 1);
    }
}
END_TEST

/* ---- files that are of no use ---- */

static const struct {
    const char *scheme, *module, *text;
} broken[] = {
    {"abi", "abi", "its ABI is 78, not 1"},
    {"size", "size", "its table has "},
    {"entry", "entry", "it has no function dbal_driver_entry"},
    {"gift", "gift", "its function dbal_driver_entry gave no driver"},
    {"symbol", "symbol", "undefined symbol: nobody_has_this_function"},
    {"table", "table", "it cannot open and close"},
    {"face", "face", "neither a whole blocking face nor a native one"},
    {"wrong", "pair", "its driver pair is for URLs that begin with pair:, not wrong:"},
};

START_TEST(test_broken)
{
    char named[160];
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        place_copy(place, broken[i].scheme, broken[i].module);
        snprintf(named, sizeof named, "driver file %s: ", place_file(place, broken[i].scheme));
        /* the second time it is there already */
        for (int time = 0; time < 2; time++) {
            const char *text = place_refusal(broken[i].scheme);
            ck_assert_msg(strncmp(text, named, strlen(named)) == 0, "%s", text);
            holds(text, broken[i].text);
        }
    }
    ck_assert_uint_eq(count_listed("wrong") + count_listed("pair"), count_listed("pair"));
}
END_TEST

START_TEST(test_no_module)
{
    place_write(place, "text", "#!/bin/sh\necho this is no shared object\n");
    holds(place_refusal("text"), "dbal-text.so: ");
    place_write(place, "empty", "");
    holds(place_refusal("empty"), "dbal-empty.so: ");
    ck_assert_int_eq(mkdir(place_file(place, "folder"), 0755), 0);
    holds(place_refusal("folder"), "dbal-folder.so: it is no regular file");
    ck_assert_int_eq(mkfifo(place_file(place, "fifo"), 0644), 0);
    holds(place_refusal("fifo"), "dbal-fifo.so: it is no regular file");
    place_copy(place, "public", "good");
    ck_assert_int_eq(chmod(place_file(place, "public"), 0646), 0);
    holds(place_refusal("public"), "dbal-public.so: everybody may write to it");
    ck_assert(!place_is_mapped("dbal-public.so"));
    char loop[128];
    strcpy(loop, place_file(place, "loop"));
    ck_assert_int_eq(symlink(loop, loop), 0);
    holds(place_refusal("loop"), "dbal-loop.so: Too many levels of symbolic links");
}
END_TEST

/* A copy that is not done yet: the program must not get SIGBUS. */
START_TEST(test_cut_short)
{
    struct stat about;
    place_copy(place, "cut", "good");
    ck_assert_int_eq(stat(place_file(place, "cut"), &about), 0);
    for (long bytes = 1; bytes < about.st_size; bytes = bytes < 128 ? bytes + 1 : bytes * 5 / 4) {
        char scheme[32];
        snprintf(scheme, sizeof scheme, "cut%ld", bytes);
        place_copy_part(place, scheme, "good", bytes);
        dbal_error *error = NULL;
        /* what is behind the last segment is not needed to run */
        if (!dbal_driver_load(scheme, &error))
            holds(dbal_error_message(error), place_file(place, scheme));
        dbal_error_unref(error);
        unlink(place_file(place, scheme));
    }
    place_copy_part(place, "half", "good", 4096);
    holds(place_refusal("half"), "dbal-half.so: it is cut short");
}
END_TEST

static const char *const taken_schemes[] = {"couple", NULL};

START_TEST(test_taken)
{
    /* the other scheme of this one is had by pair, or by a driver of ours */
    static dbal_driver ours;
    char named[160];
    place_copy(place, "twice", "twice");
    place_copy(place, "pair", "pair");
    loads("pair");
    snprintf(named, sizeof named, "driver file %s: the URL scheme couple belongs to another driver",
             place_file(place, "twice"));
    ck_assert_str_eq(place_refusal("twice"), named);
    /* whose table is of another make has no name that one may read */
    ours = (dbal_driver){.abi = DBAL_DRIVER_ABI + 1, .size = 16, .name = (const char *)1};
    dbal_error *error = NULL;
    ours.schemes = taken_schemes;
    ck_assert(!dbal_driver_register(&ours, &error));
    holds(dbal_error_message(error), "driver ?: it was built for another version");
    dbal_error_unref(error);
}
END_TEST

/* ---- folders ---- */

static void
refuses_path(const char *path, const char *folder, const char *why)
{
    char expected[256];
    ck_assert_int_eq(setenv("DBAL_DRIVER_PATH", path, 1), 0);
    snprintf(expected, sizeof expected, "DBAL_DRIVER_PATH: driver folder %s: %s", folder, why);
    ck_assert_str_eq(place_refusal("nobody"), expected);
    /* no driver is loaded from a good folder of a bad list */
    ck_assert_str_eq(place_refusal("unloaded"), expected);
    dbal_error *error = NULL;
    ck_assert_ptr_null(dbal_drivers(DBAL_DRIVERS_ALL, &error));
    ck_assert_str_eq(dbal_error_message(error), expected);
    dbal_error_unref(error);
}

START_TEST(test_folders)
{
    char path[256], file[96];
    place_copy(place, "unloaded", "good");
    snprintf(path, sizeof path, "%s:relative/folder", place);
    refuses_path(path, "relative/folder", "it is not absolute");
    refuses_path(".", ".", "it is not absolute");
    snprintf(path, sizeof path, "%s:/nowhere/at/all:%s", place, other_place);
    refuses_path(path, "/nowhere/at/all", "No such file or directory");
    snprintf(file, sizeof file, "%s/file", place);
    fclose(fopen(file, "w"));
    refuses_path(file, file, "it is no folder");
    ck_assert_int_eq(chmod(other_place, 0757), 0);
    snprintf(path, sizeof path, "%s:%s", place, other_place);
    refuses_path(path, other_place, "everybody may write to it");
    ck_assert_int_eq(chmod(other_place, 01777), 0);
    refuses_path(other_place, other_place, "everybody may write to it");
    ck_assert(!place_is_mapped("dbal-unloaded.so"));
}
END_TEST

START_TEST(test_unknown)
{
    char path[256];
    place_copy(place, "shown", "good");
    place_write(other_place, "shown-too", "not opened");
    snprintf(path, sizeof path, "%s:%s", place, other_place);
    ck_assert_int_eq(setenv("DBAL_DRIVER_PATH", path, 1), 0);
    const char *text = place_refusal("nobody");
    holds(text, "no driver for URLs that begin with nobody:");
    holds(text, "shown");
    holds(text, "shown-too");
    holds(text, "looked for dbal-nobody.so in ");
    holds(text, place);
    holds(text, other_place);
    holds(text, DBAL_INSTALL_FOLDER);
    ck_assert(!place_is_mapped("dbal-shown.so"));
    /* in an empty list, and without one, there is still the install's */
    ck_assert_int_eq(setenv("DBAL_DRIVER_PATH", "", 1), 0);
    holds(place_refusal("nobody"), "dbal-nobody.so in " DBAL_INSTALL_FOLDER);
    unsetenv("DBAL_DRIVER_PATH");
    holds(place_refusal("nobody"), "dbal-nobody.so in " DBAL_INSTALL_FOLDER);
    holds(place_refusal("../other/dbal-x"), "is no URL scheme");
    holds(place_refusal(""), "is no URL scheme");
    char longest[NAME_MAX + 10];
    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    holds(place_refusal(longest), "no driver for URLs");
    ck_assert(!dbal_driver_load("nobody", NULL));
}
END_TEST

/* ---- without memory ---- */

static void
refused_scenario(void *arg)
{
    dbal_error *error = NULL;
    ck_assert(!dbal_driver_load(arg, &error));
    ck_assert_ptr_nonnull(error);
    dbal_error_unref(error);
}

static void
list_scenario(void *arg)
{
    dbal_error *error = NULL;
    const dbal_driver_info *const *drivers = dbal_drivers(*(dbal_drivers_which *)arg, &error);
    ck_assert((drivers != NULL) == (error == NULL));
    dbal_error_unref(error);
    dbal_drivers_free(drivers);
}

START_TEST(test_memory)
{
    static char unknown[] = "nobody", wrong[] = "abi", text[] = "text", taken[] = "twice";
    static dbal_drivers_which here = DBAL_DRIVERS_HERE, all = DBAL_DRIVERS_ALL;
    place_copy(place, "abi", "abi");
    place_copy(place, "pair", "pair");
    place_copy(place, "twice", "twice");
    place_write(place, "text", "no shared object");
    place_copy(other_place, "lasting", "good");
    loads("pair");
    alloc_fault_sweep(refused_scenario, unknown);
    alloc_fault_sweep(refused_scenario, wrong);
    alloc_fault_sweep(refused_scenario, text);
    alloc_fault_sweep(refused_scenario, taken);
    alloc_fault_sweep(list_scenario, &here);
    alloc_fault_sweep(list_scenario, &all);
    ck_assert_int_eq(setenv("DBAL_DRIVER_PATH", "nowhere", 1), 0);
    alloc_fault_sweep(refused_scenario, unknown);
}
END_TEST

/* What is loaded stays, and so does its one block; before that nothing does. */
START_TEST(test_memory_loaded)
{
    dbal_error *error = NULL;
    bool loaded = false;
    place_copy(place, "memory", "good");
    count_listed("memory"); /* what is built in is known from then on */
    alloc_fault_install();
    for (unsigned long nth = 1; !loaded; nth++) {
        alloc_fault_fail(nth);
        loaded = dbal_driver_load("memory", &error);
        unsigned long failed = alloc_fault_failed();
        alloc_fault_fail(0);
        ck_assert(loaded == (failed == 0));
        ck_assert(loaded || dbal_error_is(error, DBAL_ERROR_NO_MEMORY));
        dbal_error_unref(error);
        error = NULL;
        ck_assert_int_eq(alloc_fault_live(), loaded ? 1 : 0);
        ck_assert_uint_eq(count_listed("memory"), loaded ? 1 : 0);
        ck_assert_int_eq(alloc_fault_live(), loaded ? 1 : 0);
    }
    alloc_fault_remove();
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {
        test_opened,  test_again,     test_two_schemes,  test_first_folder, test_threads,
        test_broken,  test_no_module, test_cut_short,    test_taken,        test_folders,
        test_unknown, test_memory,    test_memory_loaded};
    Suite *suite = suite_create("load");
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        suite_add(suite, tests[i], place_make, place_remove);
    return suite_run(suite);
}
