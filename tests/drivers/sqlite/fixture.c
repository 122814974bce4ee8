#include "fixture.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "dbal/alloc.h"
#include "dbal/result.h"
#include "dbal/url.h"
#include "dbal/value.h"

static const dbal_driver *const driver = &dbal_sqlite_driver;

void (*database_on_nap)(void);

/* The driver naps between two looks at a lock: a test can act just there, without a guess. */
int
nanosleep(const struct timespec *wanted, struct timespec *left)
{
    if (database_on_nap != NULL)
        database_on_nap();
    int code = clock_nanosleep(CLOCK_REALTIME, 0, wanted, left);
    if (code == 0)
        return 0;
    errno = code;
    return -1;
}

int64_t
now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

void
database_init(database *db)
{
    memset(db, 0, sizeof *db);
    scratch_make(db->folder, "sqlite");
    snprintf(db->path, sizeof db->path, "%s/test.db", db->folder);
    db->has_token = true;
    db->deadline = INT64_MAX;
    db->statement_cache = 10;
    db->max_result_bytes = SIZE_MAX;
}

static void
forget_answer(database *db)
{
    db->result = dbal_result_unref(db->result);
    db->error = dbal_error_unref(db->error);
    db->needs_token = false;
}

void
database_fini(database *db)
{
    database_close(db);
    driver->configure_free(db->config);
    forget_answer(db);
    dbal__notes_fini(&db->notes);
    database_on_nap = NULL;
    scratch_remove(db->folder);
}

void
database_configure(database *db, const char *path, const char *parameters)
{
    dbal_fault fault = DBAL__FAULT_INIT;
    char text[512];
    snprintf(text, sizeof text, "sqlite:%s%s%s", path, parameters != NULL ? "?" : "",
             parameters != NULL ? parameters : "");
    dbal_url *url = dbal__url_new(text, &fault);
    ck_assert_ptr_nonnull(url);
    driver->configure_free(db->config);
    db->config = driver->configure(url, &fault);
    ck_assert_msg(db->config != NULL, "%s",
                  db->config == NULL ? dbal_error_message(fault.error) : "");
    dbal__url_free(url);
}

bool
database_try_open(database *db)
{
    dbal_fault fault = DBAL__FAULT_INIT;
    forget_answer(db);
    dbal__notes_fini(&db->notes);
    db->opening = (dbal_opening){.size = sizeof(dbal_opening),
                                 .config = db->config,
                                 .deadline = db->deadline,
                                 .statement_cache = db->statement_cache,
                                 .notes = &db->notes};
    db->connection = dbal__zalloc(driver->connection_size);
    ck_assert_ptr_nonnull(db->connection);
    if (driver->blocking->open(db->connection, &db->opening, &fault)) {
        ck_assert(!dbal_fault_is_set(&fault));
        return true;
    }
    dbal__free(db->connection);
    db->connection = NULL;
    ck_assert(dbal_fault_is_set(&fault));
    db->error = dbal__fault_take(&fault);
    return false;
}

void
database_open(database *db, const char *parameters)
{
    database_configure(db, db->path, parameters);
    ck_assert_msg(database_try_open(db), "%s", dbal_error_message(db->error));
}

void
database_close(database *db)
{
    if (db->connection == NULL)
        return;
    driver->blocking->close(db->connection);
    dbal__free(db->connection);
    db->connection = NULL;
}

static uint64_t
hash_of(const char *text)
{
    uint64_t hash = 14695981039346656037u;
    for (; *text != '\0'; text++)
        hash = (hash ^ (uint8_t)*text) * 1099511628211u;
    return hash;
}

/* what the core would hand down */
static bool
request(database *db, dbal__sql *sql, dbal_params params,
        bool (*run)(void *connection, dbal_request *request, dbal_fault *fault))
{
    dbal_fault fault = DBAL__FAULT_INIT;
    void *block = dbal__alloc(dbal__pack_size(params.values, NULL, params.count));
    ck_assert_ptr_nonnull(block);
    dbal__pack(block, params.values, NULL, params.count);
    forget_answer(db);
    db->request = (dbal_request){.sql = sql,
                                 .block = block,
                                 .value_count = params.count,
                                 .read_only = db->read_only,
                                 .has_token = db->has_token,
                                 .statement_cache = db->statement_cache,
                                 .deadline = db->deadline,
                                 .max_result_bytes = db->max_result_bytes,
                                 .batch_rows = db->batch_rows,
                                 .batch_bytes = SIZE_MAX,
                                 .deliver = db->deliver};
    ck_assert(dbal__request_begin(&db->request));
    bool ok = run(db->connection, &db->request, &fault);
    db->needs_token = fault.needs_token;
    ck_assert(!ok || (!dbal_fault_is_set(&fault) && !fault.needs_token));
    if (ok && dbal__request_end(&db->request))
        db->result = dbal_result_ref(db->request.result);
    else if (!db->needs_token)
        db->error = dbal__request_error(&db->request, &fault);
    dbal__request_fini(&db->request);
    dbal__free(block);
    return ok;
}

/* without the core's scanner: the text is in the driver's spelling already */
bool
ask(database *db, const char *sql, dbal_params params)
{
    dbal__sql text = {.text = sql, .size = strlen(sql), .hash = hash_of(sql)};
    return request(db, &text, params, driver->blocking->run);
}

bool
back_up(database *db, const char *target)
{
    return request(db, NULL, DBAL_PARAMS(dbal_text(target)), driver->blocking->backup);
}

void
ask_ok(database *db, const char *sql, dbal_params params)
{
    bool ok = ask(db, sql, params);
    ck_assert_msg(ok, "%s: %s", sql, db->error != NULL ? dbal_error_message(db->error) : "");
}

void
expect_error(const dbal_error *error, dbal_error_class error_class, const char *sqlstate)
{
    ck_assert_ptr_nonnull(error);
    ck_assert_msg(dbal_error_is(error, error_class), "%s instead of %s: %s",
                  dbal_error_class_name(dbal_error_kind(error)), dbal_error_class_name(error_class),
                  dbal_error_message(error));
    ck_assert_msg(strcmp(dbal_error_sqlstate(error), sqlstate) == 0, "%s instead of %s: %s",
                  dbal_error_sqlstate(error), sqlstate, dbal_error_message(error));
    ck_assert_str_ne(dbal_error_message(error), "");
}

void
ask_fails(database *db, const char *sql, dbal_params params, dbal_error_class error_class,
          const char *sqlstate)
{
    ck_assert_msg(!ask(db, sql, params), "%s", sql);
    expect_error(db->error, error_class, sqlstate);
}

void
ask_int64(database *db, const char *sql, int64_t expected)
{
    ask_ok(db, sql, DBAL_NO_PARAMS);
    ck_assert_uint_eq(dbal_result_row_count(db->result), 1);
    ck_assert_int_eq(dbal_result_get(db->result, 0, 0).type, DBAL_INT64);
    ck_assert_int_eq(dbal_result_get(db->result, 0, 0).as.integer, expected);
}

sqlite3 *
outsider_open(database *db)
{
    sqlite3 *outsider;
    ck_assert_int_eq(sqlite3_open(db->path, &outsider), SQLITE_OK);
    return outsider;
}

void
outsider_run(sqlite3 *outsider, const char *sql)
{
    char *message = NULL;
    int code = sqlite3_exec(outsider, sql, NULL, NULL, &message);
    ck_assert_msg(code == SQLITE_OK, "%s: %s", sql, message);
}
