#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "dbal/alloc.h"
#include "dbal/memfile.h"
#include "dbal/serve.h"

/* Memory for a body that is kept for the next one. */
enum { BODY_KEPT = 1 << 20 };

/* So much is read ahead at most. */
enum { AHEAD = 64 * 1024 };

/* Waits until there is something. */
static size_t
read_some(int fd, char *to, size_t size)
{
    ssize_t got;
    do
        got = recv(fd, to, size, 0);
    while (got < 0 && errno == EINTR);
    return got > 0 ? (size_t)got : 0;
}

/* Small requests that wait are read together; of a large one, what is left goes where it belongs. */
static bool
read_all(dbal__server *server, char *to, size_t size)
{
    while (size > 0) {
        size_t got = server->in_size - server->in_at;
        if (got == 0 && size >= AHEAD) {
            got = read_some(server->data, to, size);
        } else if (got == 0) {
            server->in_at = 0;
            server->in_size = read_some(server->data, server->in, AHEAD);
            if (server->in_size == 0)
                return false;
            continue;
        } else {
            got = got < size ? got : size;
            memcpy(to, server->in + server->in_at, got);
            server->in_at += got;
        }
        if (got == 0)
            return false;
        to += got;
        size -= got;
    }
    return true;
}

static bool
make_room(dbal__server *server, size_t size)
{
    if (server->body_room >= size && (server->body_room <= BODY_KEPT || size > BODY_KEPT))
        return true;
    dbal__free(server->body);
    server->body_room = size < 4096 ? 4096 : size;
    server->body = dbal__alloc(server->body_room);
    if (server->body == NULL)
        server->body_room = 0;
    return server->body != NULL;
}

bool
dbal__serve_receive(dbal__server *server, dbal__frame *ret_frame)
{
    char head[sizeof *ret_frame];
    if (server->in == NULL && (server->in = dbal__alloc(AHEAD)) == NULL)
        return false;
    if (!read_all(server, head, sizeof head))
        return false;
    if (dbal__frame_parse(head, sizeof head, UINT32_MAX, ret_frame) == DBAL__FRAME_BROKEN ||
        ret_frame->flags != 0 || !make_room(server, ret_frame->size))
        return false;
    return read_all(server, server->body, ret_frame->size);
}

/* ---- sending ------------------------------------------------------------------------------------- */

static bool
write_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t sent = send(fd, data, size, MSG_NOSIGNAL);
        if (sent < 0 && errno != EINTR)
            return false;
        if (sent > 0) {
            data += sent;
            size -= (size_t)sent;
        }
    }
    return true;
}

/* A short message and a descriptor, which is small enough to leave at once. */
static bool
write_with(int fd, const void *data, size_t size, int passed)
{
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {.room = {0}};
    struct iovec piece = {(void *)(uintptr_t)data, size};
    struct msghdr message = {.msg_iov = &piece,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control.room};
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof passed);
    memcpy(CMSG_DATA(head), &passed, sizeof passed);
    ssize_t sent;
    do
        sent = sendmsg(fd, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent > 0 && write_all(fd, (const char *)data + sent, size - (size_t)sent);
}

static bool
share(dbal__server *server, dbal__frame frame)
{
    struct {
        dbal__frame frame;
        uint64_t size;
    } message = {.frame = frame, .size = frame.size};
    int fd = dbal__memfile_make(server->out.data + sizeof frame, frame.size);
    if (fd < 0)
        return false;
    message.frame.size = sizeof message.size;
    message.frame.flags = DBAL__FRAME_SHARED;
    server->lost = server->lost || !write_with(server->data, &message, sizeof message, fd);
    close(fd);
    return true;
}

bool
dbal__serve_send(dbal__server *server)
{
    dbal__ink *out = &server->out;
    bool whole = !out->failed;
    dbal__frame frame;
    if (whole) {
        memcpy(&frame, out->data, sizeof frame);
        if (frame.size > DBAL__FRAME_INSIDE)
            whole = share(server, frame);
        else
            server->lost = server->lost || !write_all(server->data, out->data, out->size);
    }
    out->failed = false;
    out->size = 0;
    if (out->room > BODY_KEPT)
        dbal__ink_fini(out);
    return whole;
}
