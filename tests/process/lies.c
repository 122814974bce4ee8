#include "tests/process/lies.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "dbal/child.h"
#include "dbal/frame.h"

enum { LONG = 100000 };

static void
send_with(const void *data, size_t size, const int *passed, size_t count)
{
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(4 * sizeof(int))];
    } control = {.room = {0}};
    struct iovec piece = {(void *)(uintptr_t)data, size};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
    if (count != 0) {
        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
        struct cmsghdr *head = CMSG_FIRSTHDR(&message);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(head), passed, count * sizeof(int));
    }
    if (sendmsg(DBAL__CHILD_DATA, &message, MSG_NOSIGNAL) < 0)
        abort();
}

/* A frame for the request that runs; tests make it the first one. */
static void
send_frame(dbal__frame_kind kind, uint64_t number, const void *body, uint32_t size)
{
    char whole[sizeof(dbal__frame) + 512];
    dbal__frame frame = {.size = size, .kind = (uint16_t)kind, .number = number};
    memcpy(whole, &frame, sizeof frame);
    memcpy(whole + sizeof frame, body, size);
    send_with(whole, sizeof frame + size, NULL, 0);
}

/* Says that an answer lies in such a file. */
static void
send_shared(uint64_t size, const int *passed, size_t count)
{
    struct {
        dbal__frame frame;
        uint64_t size;
    } message = {.frame = {sizeof(uint64_t), DBAL__FRAME_DONE, DBAL__FRAME_SHARED, 1},
                 .size = size};
    send_with(&message, sizeof message, passed, count);
}

static int
file_of(size_t size, int seals)
{
    int fd = memfd_create("lie", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0 || ftruncate(fd, (off_t)size) != 0 || fcntl(fd, F_ADD_SEALS, seals) != 0)
        abort();
    return fd;
}

enum { ALL_SEALS = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL };

/* Rows whose columns or cells go on for longer than there are bytes. */
static void
send_rows(uint32_t columns_size, uint32_t columns, uint64_t rows, uint8_t cell)
{
    dbal__ink ink = {.data = NULL};
    dbal__ink_u8(&ink, 1); /* a success */
    for (int i = 0; i < 4; i++)
        dbal__ink_u8(&ink, 0);
    for (int i = 0; i < 3; i++)
        dbal__ink_u64(&ink, 0);
    size_t begin = ink.size;
    dbal__ink_u32(&ink, 0);
    dbal__ink_u32(&ink, columns);
    dbal__ink_u8(&ink, 0);
    for (uint32_t i = 0; i < columns && i < 2; i++) {
        dbal__ink_u8(&ink, 2); /* DBAL_INT64 */
        dbal__ink_u32(&ink, 0);
        dbal__ink_text(&ink, "n");
    }
    uint32_t size = columns_size != 0 ? columns_size : (uint32_t)(ink.size - begin - 4);
    memcpy(ink.data + begin, &size, sizeof size);
    dbal__ink_u64(&ink, rows);
    dbal__ink_u8(&ink, cell);
    dbal__ink_u64(&ink, 12);
    send_frame(DBAL__FRAME_DONE, 1, ink.data, (uint32_t)ink.size);
    dbal__ink_fini(&ink);
}

static void
send_header(uint32_t size, unsigned kind, unsigned flags, uint64_t number)
{
    dbal__frame frame = {size, (uint16_t)kind, (uint16_t)flags, number};
    send_with(&frame, sizeof frame, NULL, 0);
}

static void
lie_garbage(void)
{
    static char bytes[LONG];
    memset(bytes, 'x', sizeof bytes);
    send_with(bytes, sizeof bytes, NULL, 0);
}

static void
lie_half(void)
{
    send_header(100, DBAL__FRAME_DONE, 0, 1);
    _exit(0);
}

static void
lie_oversized(void)
{
    send_header(UINT32_MAX, DBAL__FRAME_DONE, 0, 1);
}

static void
lie_another(void)
{
    send_header(0, DBAL__FRAME_DONE, 0, 99);
}

static void
lie_request(void)
{
    send_header(0, DBAL__FRAME_RUN, 0, 1);
}

static void
lie_batch(void)
{
    send_header(0, DBAL__FRAME_ROWS, 0, 1);
}

static void
lie_empty(void)
{
    send_header(0, DBAL__FRAME_DONE, 0, 1);
}

static void
lie_flags(void)
{
    send_header(8, DBAL__FRAME_DONE, 0x80, 1);
}

static void
lie_columns(void)
{
    send_rows(1 << 20, 1, 1, 2);
}

static void
lie_many_columns(void)
{
    send_rows(0, UINT32_MAX, 1, 2);
}

static void
lie_many_rows(void)
{
    send_rows(0, 1, UINT64_MAX, 2);
}

static void
lie_no_columns(void)
{
    send_rows(0, 0, 5, 2);
}

static void
lie_cell(void)
{
    send_rows(0, 1, 1, 77);
}

static void
lie_error(void)
{
    send_frame(DBAL__FRAME_DONE, 1, (char[64]){0}, 64);
}

static void
lie_nothing_shared(void)
{
    send_shared(LONG, NULL, 0);
}

static void
lie_unsealed(void)
{
    int fd = file_of(LONG, F_SEAL_SHRINK);
    send_shared(LONG, &fd, 1);
}

static void
lie_truncated(void)
{
    int fd = file_of(10, ALL_SEALS);
    send_shared(LONG, &fd, 1);
}

static void
lie_no_file(void)
{
    int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    send_shared(LONG, &fd, 1);
}

static void
lie_two_shared(void)
{
    int fd = file_of(LONG, ALL_SEALS);
    send_shared(LONG, (int[]){fd, fd}, 2);
}

static void
lie_descriptor(void)
{
    int fd = file_of(LONG, ALL_SEALS);
    send_with("x", 1, &fd, 1);
    send_with("x", 1, &fd, 1);
}

static void
lie_closed(void)
{
    close(DBAL__CHILD_DATA);
}

static const struct lie {
    const char *name;
    void (*tell)(void);
} lies[] = {
    {"garbage", lie_garbage},
    {"half", lie_half},
    {"oversized", lie_oversized},
    {"another", lie_another},
    {"request", lie_request},
    {"batch", lie_batch},
    {"empty", lie_empty},
    {"flags", lie_flags},
    {"columns", lie_columns},
    {"many-columns", lie_many_columns},
    {"many-rows", lie_many_rows},
    {"no-columns", lie_no_columns},
    {"cell", lie_cell},
    {"error", lie_error},
    {"nothing-shared", lie_nothing_shared},
    {"unsealed", lie_unsealed},
    {"truncated", lie_truncated},
    {"no-file", lie_no_file},
    {"two-shared", lie_two_shared},
    {"descriptor", lie_descriptor},
    {"closed", lie_closed},
};

void
tell_lie(const char *name)
{
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++)
        if (strcmp(lies[i].name, name) == 0) {
            lies[i].tell();
            return;
        }
    _exit(99);
}

void
greet_as_another(void)
{
    dbal__ink ink = {.data = NULL};
    dbal__ink_u32(&ink, DBAL__WIRE_MAGIC);
    dbal__ink_u32(&ink, DBAL__WIRE_VERSION + 1);
    dbal__ink_text(&ink, "99.9");
    send_frame(DBAL__FRAME_HELLO, 0, ink.data, (uint32_t)ink.size);
    dbal__ink_fini(&ink);
    pause();
}
