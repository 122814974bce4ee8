#include "tests/lib/log_lines.h"

#include <stdio.h>
#include <string.h>

void
log_lines_add(void *arg, dbal_log_level level, const char *message)
{
    log_lines *log = arg;
    if (log->count < LOG_LINES_MOST) {
        log->levels[log->count] = level;
        snprintf(log->lines[log->count], LOG_LINES_LENGTH, "%s", message);
    }
    log->count++;
}

unsigned
log_lines_count(const log_lines *log, const char *text)
{
    unsigned count = 0;
    for (unsigned i = 0; i < log->count && i < LOG_LINES_MOST; i++)
        count += strstr(log->lines[i], text) != NULL;
    return count;
}
