#include "dbal/mark.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

/* It can neither shrink nor grow: to read it is safe whatever the other one does. */
enum { SEALS = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL };

static dbal__mark *
map(int fd)
{
    void *mark = mmap(NULL, sizeof(dbal__mark), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    return mark != MAP_FAILED ? mark : NULL;
}

static void
close_quietly(int fd)
{
    int code = errno;
    close(fd);
    errno = code;
}

dbal__mark *
dbal__mark_make(int *ret_fd)
{
    int fd = memfd_create("dbal", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return NULL;
    dbal__mark *mark = NULL;
    if (ftruncate(fd, sizeof *mark) == 0 && fcntl(fd, F_ADD_SEALS, SEALS) == 0)
        mark = map(fd);
    if (mark != NULL)
        *ret_fd = fd;
    else
        close_quietly(fd);
    return mark;
}

dbal__mark *
dbal__mark_open(int fd)
{
    dbal__mark *mark = map(fd);
    close_quietly(fd);
    return mark;
}

void
dbal__mark_free(dbal__mark *mark)
{
    if (mark != NULL)
        munmap(mark, sizeof *mark);
}
