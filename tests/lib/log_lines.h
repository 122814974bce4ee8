/* Collects what a loop logs. */
#ifndef TESTS_LIB_LOG_LINES_H
#define TESTS_LIB_LOG_LINES_H

#include <dbal/loop.h>

enum { LOG_LINES_MOST = 64, LOG_LINES_LENGTH = 256 };

/* Zeroed memory is an empty one. The first of many lines are kept, all are counted. */
typedef struct log_lines {
    unsigned count;
    dbal_log_level levels[LOG_LINES_MOST];
    char lines[LOG_LINES_MOST][LOG_LINES_LENGTH];
} log_lines;

/* A dbal_log_fn; arg is the log_lines. */
void log_lines_add(void *arg, dbal_log_level level, const char *message);
/* How many lines hold a text. */
unsigned log_lines_count(const log_lines *log, const char *text);

#endif
