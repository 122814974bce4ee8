/* The same for the native face: the project's own fake, but for one lie, LIE. */
#include <string.h>

#include <dbal/driver.h>

extern const dbal_driver fake_native_driver;

static bool
is(const char *lie)
{
    return strcmp(LIE, lie) == 0;
}

static bool
says(dbal_request *request, const char *word)
{
    const char *sql = dbal_request_sql(request, NULL);
    return dbal_sql_token_is(dbal_sql_next(DBAL_DIALECT_POSTGRESQL, &sql), word);
}

static void
submit(void *connection, dbal_request *request)
{
    bool lies = is("native-no-reason") || is("native-twice") || is("native-after-the-end");
    if (!lies || !says(request, "fail")) {
        fake_native_driver.native->submit(connection, request);
    } else if (is("native-no-reason")) {
        dbal_request_finish(request, false);
    } else {
        dbal_fault_set(dbal_request_fault(request), DBAL_ERROR_INTEGRITY, "23505", "it is there");
        dbal_fault_set_constraint(dbal_request_fault(request), "thing");
        dbal_request_finish(request, false);
        if (is("native-twice"))
            dbal_request_finish(request, false);
        else
            dbal_request_affected(request, 1);
    }
}

/* A request in flight goes on all the same. */
static void
cancel(void *connection, dbal_request *request)
{
    if (!is("native-deaf"))
        fake_native_driver.native->cancel(connection, request);
}

static const char *const schemes[] = {"lie-" LIE, NULL};
static dbal_native native;
static dbal_driver driver;

/* It is the linker that does this before there is a second thread in here. */
__attribute__((constructor)) static void
fill(void)
{
    native = *fake_native_driver.native;
    native.submit = submit;
    native.cancel = cancel;
    driver = fake_native_driver;
    driver.name = "lie-" LIE;
    driver.schemes = schemes;
    driver.native = &native;
}

DBAL_DRIVER_MODULE(driver);
