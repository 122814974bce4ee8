/* A module for tests: the first byte says what is to be done with the others. */
#include <dbal/module.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* lives as long as the process */
static unsigned char calls;

static void *
echo(const char *data, size_t size, size_t *ret_size)
{
    char *answer = malloc(size + 1);
    if (answer != NULL && size > 0)
        memcpy(answer, data, size);
    *ret_size = size;
    return answer;
}

static void
hang(const char *fifo)
{
    if (write(open(fifo, O_WRONLY), "h", 1) != 1)
        abort();
    for (;;)
        pause();
}

void *
dbal_module_call(const void *data, size_t size, size_t *ret_size, const char **ret_error)
{
    const char *text = data;
    calls++;
    switch (size > 0 ? text[0] : '\0') {
    case 'e':
        return echo(text + 1, size - 1, ret_size);
    case 'n': /* how many there were in this process */
        return echo((const char *)&calls, 1, ret_size);
    case 'f':
        *ret_error = "it was asked to fail";
        return NULL;
    case 'c':
        raise(SIGKILL);
        return NULL;
    case 'h': /* hangs, and says so before, in the FIFO that is named */
        hang(text + 1);
        return NULL;
    default:
        return NULL;
    }
}
