#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <unistd.h>

#include "dbal/alloc.h"
#include "dbal/memfile.h"
#include "dbal/serve.h"

/* Memory for a body that is kept for the next one. */
enum { BODY_KEPT = 1 << 20 };

/* So much is read ahead at most. */
enum { AHEAD = 64 * 1024 };

/* So much of answers is held back at most. */
enum { HELD_MOST = 16 * 1024 };

/* When the other thread looks whether some still are (ns). */
enum { ALARM = 1000000 };

/* Waits until there is something. */
static size_t
read_some(dbal__server *server, char *to, size_t size)
{
    ssize_t got;
    dbal__serve_flush(server);
    do
        got = recv(server->data, to, size, 0);
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
            got = read_some(server, to, size);
        } else if (got == 0) {
            server->in_at = 0;
            server->in_size = read_some(server, server->in, AHEAD);
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

static void
send_held(dbal__server *server)
{
    if (server->held == 0)
        return;
    server->lost = server->lost || !write_all(server->data, server->out.data, server->held);
    server->held = 0;
}

static bool
share(dbal__server *server, dbal__frame frame)
{
    struct {
        dbal__frame frame;
        uint64_t size;
    } message = {.frame = frame, .size = frame.size};
    int fd = dbal__memfile_make(server->out.data + server->held + sizeof frame, frame.size);
    if (fd < 0)
        return false;
    send_held(server);
    message.frame.size = sizeof message.size;
    message.frame.flags = DBAL__FRAME_SHARED;
    server->lost = server->lost || !write_with(server->data, &message, sizeof message, fd);
    close(fd);
    return true;
}

/* It is not to be sent: what was held back stays. */
static bool
forget_last(dbal__server *server)
{
    server->out.failed = false;
    server->out.size = server->held;
    return false;
}

static uint32_t
size_of_last(const dbal__server *server)
{
    dbal__frame frame;
    memcpy(&frame, server->out.data + server->held, sizeof frame);
    return frame.size;
}

bool
dbal__serve_send(dbal__server *server)
{
    dbal__ink *out = &server->out;
    dbal__frame frame;
    if (out->failed)
        return forget_last(server);
    memcpy(&frame, out->data + server->held, sizeof frame);
    if (frame.size > DBAL__FRAME_INSIDE) {
        if (!share(server, frame))
            return forget_last(server);
    } else {
        server->lost = server->lost || !write_all(server->data, out->data, out->size);
    }
    if (server->held != 0) /* a stream never has any, and the other thread may look */
        server->held = 0;
    out->size = 0;
    if (out->room > BODY_KEPT)
        dbal__ink_fini(out);
    return true;
}

/* The other thread is woken in a moment: what is known to be quick may take long all the same. */
static bool
set_alarm(const dbal__server *server)
{
    static const struct itimerspec in_a_moment = {.it_value = {0, ALARM}};
    return server->alarm >= 0 && timerfd_settime(server->alarm, 0, &in_a_moment, NULL) == 0;
}

bool
dbal__serve_hold(dbal__server *server)
{
    dbal__ink *out = &server->out;
    if (out->failed || size_of_last(server) > DBAL__FRAME_INSIDE || out->size > HELD_MOST ||
        (server->held == 0 && !set_alarm(server)))
        return dbal__serve_send(server);
    server->held = out->size;
    return true;
}

void
dbal__serve_rescue(dbal__server *server)
{
    if (server->current == 0 || server->held == 0)
        return;
    send_held(server);
    server->out.size = 0;
}

void
dbal__serve_flush(dbal__server *server)
{
    if (server->held == 0)
        return;
    send_held(server);
    server->out.size = 0;
}

bool
dbal__serve_has_more(const dbal__server *server)
{
    return server->in_at < server->in_size;
}
