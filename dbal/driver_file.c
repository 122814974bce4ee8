#include "dbal/driver_file.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dbal/driver.h"
#include "dbal/error.h"

typedef const dbal_driver *entry_function(void);

/*
 * Whether all is there that would be mapped. The dynamic linker does not look, and a program gets
 * SIGBUS where the file has ended.
 */
static bool
is_whole(int fd, uint64_t size)
{
    ElfW(Ehdr) head;
    ElfW(Phdr) part;
    if (pread(fd, &head, sizeof head, 0) != (ssize_t)sizeof head ||
        memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 || head.e_phentsize != sizeof part)
        return true; /* it is something else altogether, and the dynamic linker says what */
    for (unsigned i = 0; i < head.e_phnum; i++) {
        off_t at = (off_t)(head.e_phoff + i * sizeof part);
        if (pread(fd, &part, sizeof part, at) != (ssize_t)sizeof part)
            return false;
        if (part.p_type == PT_LOAD &&
            (part.p_offset > size || part.p_filesz > size - part.p_offset))
            return false;
    }
    return true;
}

/* What is wrong with it as a file, or NULL. */
static const char *
complaint(const char *file)
{
    struct stat about;
    const char *wrong = NULL;
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return strerrordesc_np(errno);
    if (fstat(fd, &about) != 0)
        wrong = strerrordesc_np(errno);
    else if (!S_ISREG(about.st_mode))
        wrong = "it is no regular file";
    else if ((about.st_mode & S_IWOTH) != 0)
        wrong = "everybody may write to it";
    else if (!is_whole(fd, (uint64_t)about.st_size))
        wrong = "it is cut short";
    close(fd);
    return wrong;
}

static const dbal_driver *
refuse(dbal_error **ret_error, const char *file, const char *wrong)
{
    size_t length = strlen(file);
    /* the dynamic linker names the file too */
    if (strncmp(wrong, file, length) == 0 && strncmp(wrong + length, ": ", 2) == 0)
        wrong += length + 2;
    dbal__error_give(ret_error,
                     dbal__error_make(DBAL_ERROR_INTERFACE, NULL, DBAL_EXECUTION_NOT_SENT,
                                      "driver file %s: %s", file, wrong));
    return NULL;
}

const dbal_driver *
dbal__driver_file_open(const char *file, dbal_error **ret_error)
{
    char room[160];
    const char *wrong = complaint(file);
    if (wrong != NULL)
        return refuse(ret_error, file, wrong);
    /* everything it needs at once, so that nothing is missing later; its names for nobody else */
    void *object = dlopen(file, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (object == NULL) {
        wrong = dlerror();
        return refuse(ret_error, file, wrong != NULL ? wrong : "it cannot be loaded");
    }
    entry_function *entry;
    *(void **)(void *)&entry = dlsym(object, DBAL_DRIVER_ENTRY);
    if (entry == NULL)
        return refuse(ret_error, file, "it is no driver: it has no function " DBAL_DRIVER_ENTRY);
    const dbal_driver *driver = entry();
    if (driver == NULL)
        return refuse(ret_error, file, "its function " DBAL_DRIVER_ENTRY " gave no driver");
    wrong = dbal__driver_complaint(driver, room, sizeof room);
    return wrong == NULL ? driver : refuse(ret_error, file, wrong);
}
