#include "newer.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>

static dbal__postgres_newer found;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* A function's address through an object's pointer, as POSIX has it for dlsym(). */
#define FIND(member, name) (*(void **)(void *)&found.member = dlsym(RTLD_DEFAULT, name))

/* By default are looked through the program and, where this is in a shared object, what that brings. */
static void
find(void)
{
    FIND(ssl_pending, "SSL_pending");
    FIND(send_pipeline_sync, "PQsendPipelineSync");
    FIND(set_chunked_rows_mode, "PQsetChunkedRowsMode");
    FIND(send_close_prepared, "PQsendClosePrepared");
    FIND(cancel_create, "PQcancelCreate");
    FIND(cancel_start, "PQcancelStart");
    FIND(cancel_poll, "PQcancelPoll");
    FIND(cancel_socket, "PQcancelSocket");
    FIND(cancel_finish, "PQcancelFinish");
    if (found.cancel_create == NULL || found.cancel_start == NULL || found.cancel_poll == NULL ||
        found.cancel_socket == NULL || found.cancel_finish == NULL)
        found.cancel_create = NULL;
}

const dbal__postgres_newer *
dbal__postgres_newer_get(void)
{
    pthread_once(&once, find);
    return &found;
}
