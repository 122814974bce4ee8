/* A program that is killed in the midst of its work: what it was told is there, and nothing half. */
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/faults/faults.h"
#include "tests/faults/work.h"
#include "tests/lib/suite.h"

extern char **environ;

enum { KEYS_MOST = 100000, TOLD_BEFORE_MOST = 400 };

static const char *writer; /* the program, see writer.c */
static bool told[KEYS_MOST], there[KEYS_MOST];

typedef struct child {
    pid_t pid;
    FILE *says;
} child;

static child
start(const char *parameters, int64_t first, chance *luck)
{
    char url[192], key[32], seed[32];
    int ends[2];
    child one;
    posix_spawn_file_actions_t actions;
    snprintf(url, sizeof url, "sqlite:%s?%s", path, parameters);
    snprintf(key, sizeof key, "%lld", (long long)first);
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)chance_next(luck));
    char *words[] = {(char *)(uintptr_t)writer, url, key, seed, NULL};
    ck_assert_int_eq(pipe(ends), 0);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    posix_spawn_file_actions_addclose(&actions, ends[1]);
    ck_assert_int_eq(posix_spawn(&one.pid, writer, &actions, NULL, words, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    one.says = fdopen(ends[0], "r");
    ck_assert_ptr_nonnull(one.says);
    return one;
}

/* Takes one key; false at the end of what the program has said. */
static bool
hear(const child *one)
{
    char line[32];
    if (fgets(line, sizeof line, one->says) == NULL)
        return false;
    if (strchr(line, '\n') == NULL)
        return false; /* killed in the midst of it */
    int64_t key = strtoll(line, NULL, 10);
    ck_assert(key > 0 && key < KEYS_MOST && !told[key]);
    told[key] = true;
    return true;
}

static void
kill_after(const child *one, unsigned keys)
{
    int status;
    for (unsigned i = 0; i < keys; i++)
        ck_assert_msg(hear(one), "the writer has ended by itself");
    ck_assert_int_eq(kill(one->pid, SIGKILL), 0);
    while (hear(one)) {
    }
    fclose(one->says);
    ck_assert_int_eq(waitpid(one->pid, &status, 0), one->pid);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* Looks at what is there; the first key that is not. */
static int64_t
look(const char *about)
{
    int64_t next = 1;
    sqlite3 *outsider = outsider_open(path);
    work_check(outsider, about);
    work_find(outsider, there, KEYS_MOST);
    for (int64_t key = 1; key < KEYS_MOST; key++) {
        ck_assert_msg(!told[key] || there[key], "%s: %d was lost", about, (int)key);
        if (there[key])
            next = key + 1;
    }
    ck_assert_int_eq(sqlite3_close(outsider), SQLITE_OK);
    return next;
}

static void
kill_often(const char *parameters, bool wal)
{
    chance luck;
    int64_t next = 1;
    unsigned rounds = chance_rounds(4);
    chance_init(&luck);
    memset(told, 0, sizeof told);
    work_make_tables(path, wal);
    for (unsigned i = 0; i < rounds && next < KEYS_MOST / 2; i++) {
        char about[64];
        snprintf(about, sizeof about, "seed %llu, round %u", (unsigned long long)luck.seed, i);
        child one = start(parameters, next, &luck);
        kill_after(&one, 1 + chance_below(&luck, TOLD_BEFORE_MOST));
        next = look(about);
    }
}

START_TEST(nothing_told_is_lost)
{
    kill_often("", true);
}
END_TEST

START_TEST(nor_without_a_sync_for_each)
{
    kill_often("synchronous=normal&pool_max_size=8", true);
}
END_TEST

START_TEST(nor_with_a_rollback_journal)
{
    kill_often("journal_mode=delete&synchronous=normal", false);
}
END_TEST

int
main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "which program writes?\n");
        return EXIT_FAILURE;
    }
    writer = argv[1];
    Suite *suite = suite_create("kill");
    faults_add(suite, nothing_told_is_lost);
    faults_add(suite, nor_without_a_sync_for_each);
    faults_add(suite, nor_with_a_rollback_journal);
    return suite_run(suite);
}
