#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dbal/url.h"
#include "drivers/sqlite/config.h"
#include "fixture.h"

static const dbal_driver *const driver = &dbal_sqlite_driver;

static dbal__sqlite_config *
configured(const char *text, dbal_error **ret_error)
{
    dbal_fault fault = DBAL__FAULT_INIT;
    dbal_url *url = dbal__url_new(text, &fault);
    ck_assert_msg(url != NULL, "%s", text);
    void *config = driver->configure(url, &fault);
    dbal__url_free(url);
    *ret_error = dbal_fault_is_set(&fault) ? dbal__fault_take(&fault) : NULL;
    ck_assert(config == NULL ? *ret_error != NULL : *ret_error == NULL);
    return config;
}

START_TEST(defaults)
{
    dbal_error *error;
    dbal__sqlite_config *config = configured("sqlite::memory:", &error);
    ck_assert_ptr_nonnull(config);
    ck_assert(config->memory && config->foreign_keys && !config->full_mutex);
    ck_assert_int_eq(config->mode, DBAL__SQLITE_RWC);
    ck_assert_str_eq(config->journal_mode, "wal");
    ck_assert_str_eq(config->synchronous, "full");
    ck_assert_int_eq(config->busy_timeout, INT64_C(5000000000));
    ck_assert_int_eq(config->cache_kib, 0);
    ck_assert_ptr_null(config->vfs);
    driver->configure_free(config);
}
END_TEST

START_TEST(every_parameter)
{
    dbal_error *error;
    dbal__sqlite_config *config =
        configured("sqlite:///tmp/x.db?mode=rw&mutex=full&journal_mode=persist&synchronous=extra"
                   "&busy_timeout=0.25&cache_size=64M&foreign_keys=off&vfs=unix-dotfile",
                   &error);
    ck_assert_ptr_nonnull(config);
    ck_assert(!config->memory && !config->foreign_keys && config->full_mutex);
    ck_assert_int_eq(config->mode, DBAL__SQLITE_RW);
    ck_assert_str_eq(config->journal_mode, "persist");
    ck_assert_str_eq(config->synchronous, "extra");
    ck_assert_int_eq(config->busy_timeout, 250000000);
    ck_assert_int_eq(config->cache_kib, 65536);
    ck_assert_str_eq(config->vfs, "unix-dotfile");
    ck_assert_str_eq(config->path, "/tmp/x.db");
    driver->configure_free(config);
}
END_TEST

/* each a fault that names the parameter, and what it could have been */
static const struct {
    const char *url, *says, *lists;
} bad[] = {
    {"sqlite:x?journal=wal", "journal", "journal_mode, synchronous"},
    {"sqlite:x?mode=memory", "mode", "rwc, rw, ro"},
    {"sqlite:x?mode=", "mode", "rwc, rw, ro"},
    {"sqlite:x?mutex=yes", "mutex", "none, full"},
    {"sqlite:x?journal_mode=WAL2", "journal_mode", "wal, delete"},
    {"sqlite:x?synchronous=2", "synchronous", "full, normal"},
    {"sqlite:x?busy_timeout=-1", "busy_timeout", "seconds"},
    {"sqlite:x?busy_timeout=", "busy_timeout", "seconds"},
    {"sqlite:x?busy_timeout=1e3", "busy_timeout", "seconds"},
    {"sqlite:x?busy_timeout=86401", "busy_timeout", "86400"},
    {"sqlite:x?busy_timeout=86400.1", "busy_timeout", "86400"},
    {"sqlite:x?busy_timeout=99999999999999999999", "busy_timeout", "86400"},
    {"sqlite:x?cache_size=1k", "cache_size", "16k"},
    {"sqlite:x?cache_size=65G", "cache_size", "64G"},
    {"sqlite:x?cache_size=99999999999999999999", "cache_size", "64G"},
    {"sqlite:x?cache_size=12T", "cache_size", "bytes"},
    {"sqlite:x?cache_size=M", "cache_size", "bytes"},
    {"sqlite:x?page_size=1000", "page_size", "power of two"},
    {"sqlite:x?page_size=256", "page_size", "512 to 64k"},
    {"sqlite:x?page_size=off", "page_size", "512 to 64k"},
    {"sqlite:x?mmap_size=-1", "mmap_size", "or off"},
    {"sqlite:x?mmap_size=1025G", "mmap_size", "1024G"},
    {"sqlite:x?auto_vacuum=1", "auto_vacuum", "none, full, incremental"},
    {"sqlite:x?temp_store=ram", "temp_store", "default, file, memory"},
    {"sqlite:x?secure_delete=yes", "secure_delete", "off, on, fast"},
    {"sqlite:x?attach=no", "attach", "off, on"},
    {"sqlite:x?check=on", "check", "off, quick, full"},
    {"sqlite:x?limit_length=10", "limit_length", "from 1000 to 2147483647"},
    {"sqlite:x?limit_length=1M", "limit_length", "from 1000 to 2147483647"},
    {"sqlite:x?limit_column=99999999999999999999", "limit_column", "from 10"},
    {"sqlite:x?limit_attached=-1", "limit_attached", "from 0"},
    {"sqlite:x?types=all", "types", "stored, declared"},
    {"sqlite:x?limit_rows=1", "limit_rows", "limit_worker_threads"},
    {"sqlite:x?vfs=nowhere", "vfs", "registered"},
    {"sqlite:x?foreign_keys=1", "foreign_keys", "off, on"},
    {"sqlite::memory:?mode=ro", "memory", "rwc"},
    {"sqlite:", "path", "sqlite:bank.db"},
    {"sqlite://server/x.db", "host", "sqlite:///"},
};

START_TEST(bad_urls)
{
    dbal_error *error;
    dbal__sqlite_config *config = configured(bad[_i].url, &error);
    ck_assert_msg(config == NULL, "%s", bad[_i].url);
    expect_error(error, DBAL_ERROR_INTERFACE, "");
    ck_assert_ptr_nonnull(strstr(dbal_error_message(error), bad[_i].says));
    ck_assert_ptr_nonnull(strstr(dbal_error_message(error), bad[_i].lists));
    dbal_error_unref(error);
}
END_TEST

static char *
path_of(const char *text)
{
    dbal_error *error;
    dbal__sqlite_config *config = configured(text, &error);
    ck_assert_ptr_nonnull(config);
    char *path = strdup(config->path);
    driver->configure_free(config);
    return path;
}

/* a later chdir() or a symlink of the folder changes nothing */
START_TEST(paths_are_resolved_once)
{
    database db;
    char link[128], expected[256], url[256], *before = getcwd(NULL, 0);
    database_init(&db);
    char *folder = realpath(db.folder, NULL);
    snprintf(link, sizeof link, "%s/link", db.folder);
    ck_assert_int_eq(symlink(".", link), 0);
    snprintf(expected, sizeof expected, "%s/a.db", folder);
    ck_assert_int_eq(chdir(db.folder), 0);
    const char *spellings[] = {"sqlite:a.db", "sqlite:./a.db", "sqlite:link/a.db"};
    for (size_t i = 0; i < 3; i++) {
        char *path = path_of(spellings[i]);
        ck_assert_str_eq(path, expected);
        free(path);
    }
    ck_assert_int_eq(chdir(before), 0);
    snprintf(url, sizeof url, "sqlite://%s/a.db", folder);
    char *path = path_of(url);
    ck_assert_str_eq(path, expected);
    free(path);
    free(before);
    free(folder);
    database_fini(&db);
}
END_TEST

START_TEST(a_missing_folder_stays_absolute)
{
    char *path = path_of("sqlite:no/such/folder/a.db");
    ck_assert_int_eq(path[0], '/');
    ck_assert_ptr_nonnull(strstr(path, "/no/such/folder/a.db"));
    free(path);
}
END_TEST

START_TEST(thread_levels)
{
    dbal_error *error;
    void *plain = configured("sqlite::memory:", &error);
    void *full = configured("sqlite::memory:?mutex=full", &error);
    int compiled = sqlite3_threadsafe();
    ck_assert_int_eq(driver->threadlevel(plain), compiled == 0 ? 0 : 1);
    ck_assert_int_eq(driver->threadlevel(full), compiled == 0 ? 0 : compiled == 1 ? 3 : 1);
    ck_assert_uint_eq(driver->capabilities(full) & DBAL_CAN_PARALLEL_STATEMENTS, 0);
    ck_assert_uint_ne(driver->capabilities(full) & DBAL_CAN_CANCEL, 0);
    driver->configure_free(plain);
    driver->configure_free(full);
}
END_TEST

START_TEST(the_table_is_complete)
{
    for (int i = 0; dbal__sqlite_option_name(i) != NULL; i++) {
        int known = 0;
        while (driver->settings[known] != NULL &&
               strcmp(driver->settings[known], dbal__sqlite_option_name(i)) != 0)
            known++;
        ck_assert_msg(driver->settings[known] != NULL, "%s", dbal__sqlite_option_name(i));
    }
    ck_assert_uint_eq(driver->size, sizeof(dbal_driver));
    ck_assert_uint_eq(driver->abi, DBAL_DRIVER_ABI);
    ck_assert_str_eq(driver->version(), sqlite3_libversion());
    ck_assert_str_eq(driver->begin(NULL, DBAL_SERIALIZABLE, false, false, NULL), "begin immediate");
    ck_assert_str_eq(driver->begin(NULL, DBAL_READ_COMMITTED, true, true, NULL), "begin");
}
END_TEST

Suite *
config_suite(void)
{
    Suite *suite = suite_create("sqlite config");
    TCase *tests = tcase_create("config");
    tcase_add_test(tests, defaults);
    tcase_add_test(tests, every_parameter);
    tcase_add_loop_test(tests, bad_urls, 0, sizeof bad / sizeof bad[0]);
    tcase_add_test(tests, paths_are_resolved_once);
    tcase_add_test(tests, a_missing_folder_stays_absolute);
    tcase_add_test(tests, thread_levels);
    tcase_add_test(tests, the_table_is_complete);
    suite_add_tcase(suite, tests);
    return suite;
}
