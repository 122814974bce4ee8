#include "connect_fixture.h"

#include <netdb.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dbal/error.h"
#include "dbal/url.h"
#include "drivers/postgres/wait.h"

/* As the pool does it. */
static void
tell_of_pooler(dbal_url *url)
{
    for (size_t i = 0; url != NULL && i < dbal__url_setting_count(url); i++)
        if (strcmp(dbal__url_setting_name(url, i), "pooler") == 0)
            dbal__url_set_pools_transactions(
                url, strcmp(dbal__url_setting_value(url, i), "transaction") == 0);
}

void
dial_forget_environment(void)
{
    static const char *const names[] = {"PGHOST",
                                        "PGHOSTADDR",
                                        "PGPORT",
                                        "PGUSER",
                                        "PGPASSWORD",
                                        "PGDATABASE",
                                        "PGOPTIONS",
                                        "PGSERVICE",
                                        "PGSERVICEFILE",
                                        "PGPASSFILE",
                                        "PGSSLMODE",
                                        "PGTZ",
                                        "PGDATESTYLE",
                                        "PGAPPNAME",
                                        "PGCONNECT_TIMEOUT",
                                        "PGTARGETSESSIONATTRS"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        unsetenv(names[i]);
    setenv("HOME", "/nonexistent", 1);
}

bool
dial_configure(dialled *self, const char *text)
{
    dbal_fault fault = DBAL__FAULT_INIT;
    dial_end(self);
    dbal_url *url = dbal__url_new(text, &fault);
    tell_of_pooler(url);
    if (url != NULL)
        self->config = dbal__postgres_configure(url, &fault);
    dbal__url_free(url);
    ck_assert((self->config != NULL) == !dbal_fault_is_set(&fault));
    if (self->config == NULL)
        self->error = dbal__fault_take(&fault);
    return self->config != NULL;
}

bool
dial_connect(dialled *self, double seconds)
{
    dbal_fault fault = DBAL__FAULT_INIT;
    int64_t began = dbal__postgres_now();
    dbal_opening opening = {.size = sizeof opening,
                            .config = self->config,
                            .deadline = began + (int64_t)(seconds * 1e9),
                            .again = self->again,
                            .notes = &self->notes,
                            .stop = &self->stop};
    self->conn = dbal__postgres_connect(self->config, &opening, &self->notices, &fault);
    self->seconds = (double)(dbal__postgres_now() - began) / 1e9;
    ck_assert((self->conn != NULL) == !dbal_fault_is_set(&fault));
    if (self->conn != NULL) {
        ck_assert_int_eq(PQstatus(self->conn), CONNECTION_OK);
        ck_assert_int_eq(PQisnonblocking(self->conn), 0);
        ck_assert_int_eq(PQpipelineStatus(self->conn), PQ_PIPELINE_OFF);
        ck_assert_int_eq(PQsetErrorVerbosity(self->conn, PQERRORS_DEFAULT), PQERRORS_DEFAULT);
        return true;
    }
    self->error = dbal__fault_take(&fault);
    ck_assert_int_eq(dbal_error_execution(self->error), DBAL_EXECUTION_NOT_SENT);
    return false;
}

static bool
dial_to(dialled *self, const char *format, va_list arguments)
{
    char url[2048];
    vsnprintf(url, sizeof url, format, arguments);
    return dial_configure(self, url) && dial_connect(self, 10);
}

bool
dial(dialled *self, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    bool ok = dial_to(self, format, arguments);
    va_end(arguments);
    return ok;
}

void
dial_ok(dialled *self, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    bool ok = dial_to(self, format, arguments);
    va_end(arguments);
    ck_assert_msg(ok, "%s", ok ? "" : dbal_error_message(self->error));
}

void
dial_failed(const dialled *self, dbal_error_class error_class, const char *sqlstate, bool retryable,
            const char *fragment)
{
    ck_assert_ptr_nonnull(self->error);
    const char *message = dbal_error_message(self->error);
    ck_assert_msg(dbal_error_is(self->error, error_class), "%s instead of %s: %s",
                  dbal_error_class_name(dbal_error_kind(self->error)),
                  dbal_error_class_name(error_class), message);
    ck_assert_msg(strcmp(dbal_error_sqlstate(self->error), sqlstate) == 0, "%s instead of %s: %s",
                  dbal_error_sqlstate(self->error), sqlstate, message);
    ck_assert_msg(dbal_error_retryable(self->error) == retryable, "%d: %s", retryable, message);
    ck_assert_msg(strstr(message, fragment) != NULL, "%s: %s", fragment, message);
    ck_assert_msg(strchr(message, '\n') == NULL, "%s", message);
}

void
dial_no_secret(const dialled *self, const char *secret)
{
    const char *texts[] = {dbal_error_message(self->error), dbal_error_detail(self->error),
                           dbal_error_hint(self->error)};
    for (int i = 0; i < 3; i++)
        ck_assert_msg(texts[i] == NULL || strstr(texts[i], secret) == NULL, "%s", texts[i]);
}

void
dial_end(dialled *self)
{
    PQfinish(self->conn);
    dbal__postgres_configure_free(self->config);
    dbal__postgres_notices_fini(&self->notices);
    dbal__notes_fini(&self->notes);
    dbal_error_unref(self->error);
    memset(self, 0, sizeof *self);
}

/* ---- names ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool let_go;
static int hanging;
void (*names_on_hang)(void);

void
names_let_go(void)
{
    pthread_mutex_lock(&lock);
    let_go = true;
    pthread_cond_broadcast(&changed);
    while (hanging > 0)
        pthread_cond_wait(&changed, &lock);
    let_go = false;
    pthread_mutex_unlock(&lock);
}

int
names_hanging(void)
{
    pthread_mutex_lock(&lock);
    int count = hanging;
    pthread_mutex_unlock(&lock);
    return count;
}

static void
hang(void)
{
    pthread_mutex_lock(&lock);
    hanging++;
    if (names_on_hang != NULL)
        names_on_hang();
    while (!let_go)
        pthread_cond_wait(&changed, &lock);
    hanging--;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

int __real_getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                       struct addrinfo **found);
int __wrap_getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                       struct addrinfo **found);

/* Of the driver alone: what libpq looks up itself would not come here. */
int
__wrap_getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                   struct addrinfo **found)
{
    if (strcmp(name, "again.test") == 0)
        return EAI_AGAIN;
    if (strcmp(name, "gone.test") == 0)
        return EAI_NONAME;
    if (strcmp(name, "hang.test") == 0)
        hang();
    if (strcmp(name, "db.test") == 0 || strcmp(name, "other.test") == 0 ||
        strcmp(name, "hang.test") == 0)
        name = "127.0.0.1";
    if (strcmp(name, "two.test") != 0)
        return __real_getaddrinfo(name, service, hints, found);
    struct addrinfo *other;
    int code = __real_getaddrinfo("127.0.0.2", service, hints, found);
    if (code == 0 && (code = __real_getaddrinfo("127.0.0.3", service, hints, &other)) == 0)
        (*found)->ai_next = other;
    return code;
}
