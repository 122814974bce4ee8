#include "dbal/memfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SEALS = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL };

static bool
fill(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t wrote = write(fd, data, size);
        if (wrote < 0 && errno != EINTR)
            return false;
        if (wrote > 0) {
            data += wrote;
            size -= (size_t)wrote;
        }
    }
    return true;
}

int
dbal__memfile_make(const void *data, size_t size)
{
    int fd = memfd_create("dbal", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -1;
    if (fill(fd, data, size) && fcntl(fd, F_ADD_SEALS, SEALS) == 0)
        return fd;
    int code = errno;
    close(fd);
    errno = code;
    return -1;
}

const void *
dbal__memfile_map(int fd, size_t size)
{
    struct stat status;
    int seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0 || (seals & SEALS) != SEALS || size == 0 || fstat(fd, &status) != 0 ||
        (uint64_t)status.st_size != size)
        return NULL;
    void *data = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    return data != MAP_FAILED ? data : NULL;
}

void
dbal__memfile_unmap(const void *data, size_t size)
{
    munmap((void *)(uintptr_t)data, size);
}
