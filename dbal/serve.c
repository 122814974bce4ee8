/* A worker process from its beginning to its end. */
#include "dbal/serve.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "dbal/alloc.h"
#include "dbal/child.h"
#include "dbal/error.h"
#include "dbal/module.h"
#include "dbal/url.h"
#include <dbal/process.h>

/* What the application asks for. */
typedef struct wish {
    const char *url, *directory;
    bool pools_transactions;
} wish;

static bool
greet(dbal__server *server)
{
    size_t begin = dbal__ink_begin(&server->out, DBAL__FRAME_HELLO, 0);
    dbal__parcel_greet(&server->out);
    dbal__ink_end(&server->out, begin);
    return dbal__serve_send(server) && !server->lost;
}

/* Its end is seen even when somebody else, a child of its own, keeps the socket open. */
static void
watch_parent(dbal__server *server, pid_t parent)
{
    server->parent = -1;
#ifdef SYS_pidfd_open
    server->parent = (int)syscall(SYS_pidfd_open, parent, 0u);
#endif
    if (getppid() == parent || server->parent < 0)
        return;
    close(server->parent);
    server->parent = -1;
}

static bool
read_wish(dbal__server *server, const dbal__frame *frame, wish *ret_wish)
{
    dbal__eye eye = {server->body, server->body + frame->size, false};
    const char *version;
    if (frame->kind != DBAL__FRAME_OPEN || !dbal__parcel_greeted(&eye, &version))
        return false;
    watch_parent(server, (pid_t)dbal__eye_u32(&eye));
    ret_wish->url = dbal__eye_text(&eye);
    ret_wish->directory = dbal__eye_text(&eye);
    ret_wish->pools_transactions = dbal__eye_u8(&eye) != 0;
    server->opening.deadline = (int64_t)dbal__eye_u64(&eye);
    server->opening.statement_cache = (int)dbal__eye_u32(&eye);
    server->opening.prepare_after = (int)dbal__eye_u32(&eye);
    server->opening.again = dbal__eye_u8(&eye) != 0;
    return !eye.broken && dbal__eye_left(&eye) == 0 && ret_wish->url != NULL &&
           ret_wish->directory != NULL;
}

/* ---- opening ------------------------------------------------------------------------------------- */

static dbal__driver_entry *
entry_of(const char *scheme, dbal_error **ret_error)
{
    bool module = strcmp(scheme, DBAL__MODULE_SCHEME) == 0;
    return module ? &dbal__module_entry : dbal__driver_load(scheme, ret_error);
}

static bool
configure(dbal__server *server, const wish *wanted, dbal_fault *fault)
{
    if (chdir(wanted->directory) != 0) {
        dbal_fault_set(fault, DBAL_ERROR_OPERATIONAL, "08001",
                       "a worker process cannot get into the directory %s", wanted->directory);
        return false;
    }
    dbal_url *url = dbal__url_new(wanted->url, fault);
    if (url == NULL)
        return false;
    dbal_error *error = NULL;
    server->entry = entry_of(dbal_url_scheme(url), &error);
    if (server->entry == NULL) {
        dbal_fault_set(fault, DBAL_ERROR_INTERFACE, "08001", "in the worker process: %s",
                       dbal_error_message(error));
        dbal_error_unref(error);
    } else {
        server->driver = server->entry->driver;
        dbal__url_set_pools_transactions(url, wanted->pools_transactions);
        server->config = server->driver->configure(url, fault);
    }
    dbal__url_free(url);
    return server->config != NULL;
}

static bool
open_connection(dbal__server *server, dbal_fault *fault)
{
    const dbal_driver *driver = server->driver;
    server->threadlevel = driver->threadlevel != NULL ? driver->threadlevel(server->config) : 0;
    server->interruptible = (driver->capabilities(server->config) & DBAL_CAN_INTERRUPT) != 0 &&
                            driver->blocking->interrupt != NULL;
    server->connection = dbal__zalloc(driver->connection_size);
    server->opening.config = server->config;
    if (server->connection == NULL) {
        dbal_fault_set(fault, DBAL_ERROR_NO_MEMORY, NULL, "out of memory");
        return false;
    }
    if (!dbal__driver_use(server->entry, server->threadlevel, fault))
        return false;
    if (driver->blocking->open(server->connection, &server->opening, fault))
        return true;
    dbal__driver_unuse(server->entry, server->threadlevel);
    return false;
}

static void
answer(dbal__server *server, bool open, dbal_fault *fault)
{
    size_t begin = dbal__ink_begin(&server->out, open ? DBAL__FRAME_OPENED : DBAL__FRAME_FAILED, 0);
    if (open) {
        dbal__parcel_put_opening(&server->out, &server->opening);
    } else {
        dbal_error *error = dbal__fault_take(fault);
        dbal__parcel_put_error(&server->out, error);
        dbal_error_unref(error);
    }
    dbal__ink_end(&server->out, begin);
    if (!dbal__serve_send(server))
        server->lost = true;
}

/* ---- from beginning to end ----------------------------------------------------------------------- */

/* False: what came is no request. */
static bool
serve(dbal__server *server)
{
    dbal__frame frame;
    while (!server->lost && dbal__serve_receive(server, &frame)) {
        if (frame.kind < DBAL__FRAME_RUN || frame.kind > DBAL__FRAME_BACKUP ||
            !dbal__serve_request(server, &frame))
            return false;
    }
    return true;
}

static void
release(dbal__server *server)
{
    dbal__free(server->connection);
    if (server->config != NULL)
        server->driver->configure_free(server->config);
    dbal__notes_fini(&server->notes);
    dbal__ink_fini(&server->out);
    dbal__mark_free(server->mark);
    dbal__free(server->body);
    dbal__free(server->in);
}

/* The exit status. */
static int
live(dbal__server *server)
{
    dbal_fault fault = DBAL__FAULT_INIT;
    dbal__frame frame;
    wish wanted;
    if (!greet(server) || !dbal__serve_receive(server, &frame) ||
        !read_wish(server, &frame, &wanted) || !dbal__serve_listen(server))
        return 2;
    bool open = configure(server, &wanted, &fault) && open_connection(server, &fault);
    explicit_bzero(server->body, frame.size); /* the URL may have had a password */
    explicit_bzero(server->in, server->in_at);
    answer(server, open, &fault);
    dbal_fault_clear(&fault);
    if (!open)
        return 0;
    bool sensible = serve(server);
    server->driver->blocking->close(server->connection);
    dbal__driver_unuse(server->entry, server->threadlevel);
    return sensible ? 0 : 2;
}

int
dbal_worker_main(void)
{
    /* the other thread may look at it to the very end */
    static dbal__server server = {.data = DBAL__CHILD_DATA,
                                  .control = DBAL__CHILD_CONTROL,
                                  .parent = -1,
                                  .alarm = -1,
                                  .guard = PTHREAD_MUTEX_INITIALIZER,
                                  .changed = PTHREAD_COND_INITIALIZER};
    server.mark =
        fcntl(DBAL__CHILD_CONTROL, F_GETFD) >= 0 ? dbal__mark_open(DBAL__CHILD_MARK) : NULL;
    if (isatty(DBAL__CHILD_DATA) || server.mark == NULL) {
        fputs("dbal-worker is started by programs that use dbal, as a part of them\n", stderr);
        return 2;
    }
    dbal__serve_begin(server.data);
    server.opening.size = sizeof server.opening;
    server.opening.notes = &server.notes;
    int status = live(&server);
    dbal__serve_end();
    release(&server);
    return status;
}
