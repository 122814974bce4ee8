/* Bytes to a worker and from it, and descriptors that come along. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "dbal/memfile.h"
#include "dbal/process.h"

enum { IN_ROOM = DBAL__FRAME_INSIDE + (int)sizeof(dbal__frame) };

/* Memory of a buffer that was needed once for something large. */
enum { OUT_KEPT = 256 * 1024 };

bool
dbal__process_flush(dbal__process *self)
{
    dbal__ink *out = &self->out;
    while (self->out_at < out->size) {
        ssize_t sent = send(self->child.data, out->data + self->out_at, out->size - self->out_at,
                            MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS || errno == ENOMEM;
        self->out_at += (size_t)sent;
    }
    out->size = 0;
    self->out_at = 0;
    if (out->room > OUT_KEPT)
        dbal__ink_fini(out);
    return true;
}

/* One descriptor at a time comes, with the frame that it is for. */
static bool
take_descriptors(dbal__process *self, struct msghdr *message)
{
    bool good = (message->msg_flags & MSG_CTRUNC) == 0;
    for (struct cmsghdr *one = CMSG_FIRSTHDR(message); one != NULL;
         one = CMSG_NXTHDR(message, one)) {
        if (one->cmsg_level != SOL_SOCKET || one->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (one->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(one) + i * sizeof fd, sizeof fd);
            good = good && self->passed < 0;
            if (good)
                self->passed = fd;
            else
                close(fd);
        }
    }
    return good;
}

static dbal__process_got
garbage(dbal__process *self, const char *what)
{
    snprintf(self->reason, sizeof self->reason, "%s", what);
    return DBAL__PROCESS_GARBAGE;
}

/* What was read of it is moved to the front. */
static void
make_room(dbal__process *self)
{
    if (self->in_at != 0)
        memmove(self->in, self->in + self->in_at, self->in_size - self->in_at);
    self->in_size -= self->in_at;
    self->in_at = 0;
}

dbal__process_got
dbal__process_fill(dbal__process *self)
{
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(8 * sizeof(int))];
    } control;
    make_room(self);
    struct iovec piece = {self->in + self->in_size, IN_ROOM - self->in_size};
    if (piece.iov_len == 0)
        return DBAL__PROCESS_SOME;
    struct msghdr message = {.msg_iov = &piece,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    ssize_t got;
    do
        got = recvmsg(self->child.data, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK ? DBAL__PROCESS_NOTHING : DBAL__PROCESS_END;
    bool cut = (message.msg_flags & MSG_CTRUNC) != 0;
    if (!take_descriptors(self, &message))
        return garbage(self, cut ? "sent a descriptor that could not be taken: none is free"
                                 : "sent descriptors that nobody asked for");
    if (got == 0)
        return DBAL__PROCESS_END;
    self->in_size += (size_t)got;
    return DBAL__PROCESS_SOME;
}

/* The body that is somewhere else. */
static bool
map_shared(dbal__process *self, dbal__eye *body)
{
    uint64_t size = dbal__eye_u64(body);
    if (self->passed < 0 || size == 0 || size > SIZE_MAX / 2)
        return false;
    self->shared = dbal__memfile_map(self->passed, (size_t)size);
    close(self->passed);
    self->passed = -1;
    self->shared_size = (size_t)size;
    if (self->shared == NULL)
        return false;
    *body = (dbal__eye){self->shared, (const char *)self->shared + size, false};
    return true;
}

dbal__frame_state
dbal__process_next(dbal__process *self, dbal__frame *ret_frame, dbal__eye *ret_body)
{
    const char *at = self->in + self->in_at;
    dbal__frame_state state =
        dbal__frame_parse(at, self->in_size - self->in_at, DBAL__FRAME_INSIDE, ret_frame);
    if (state == DBAL__FRAME_BROKEN)
        garbage(self, "sent what is no frame");
    if (state != DBAL__FRAME_WHOLE)
        return state;
    const char *body = at + sizeof *ret_frame;
    *ret_body = (dbal__eye){body, body + ret_frame->size, false};
    self->in_at += sizeof *ret_frame + ret_frame->size;
    if (ret_frame->flags == DBAL__FRAME_SHARED && !map_shared(self, ret_body)) {
        garbage(self, "sent shared memory that is not sealed, not there or not as long as it said");
        return DBAL__FRAME_BROKEN;
    }
    return DBAL__FRAME_WHOLE;
}

void
dbal__process_drop(dbal__process *self)
{
    if (self->shared != NULL)
        dbal__memfile_unmap(self->shared, self->shared_size);
    self->shared = NULL;
}

void
dbal__process_tell(dbal__process *self, dbal__frame_kind kind, uint64_t number)
{
    dbal__frame frame = {.kind = (uint16_t)kind, .number = number};
    ssize_t sent;
    do
        sent = send(self->child.control, &frame, sizeof frame, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
}
