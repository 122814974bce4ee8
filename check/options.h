/* What the command line says. */
#ifndef CHECK_OPTIONS_H
#define CHECK_OPTIONS_H

#include "check/words.h"

typedef struct options {
    const char *url, *like, *spelling, *only, *seed;
    double patience;
    bool read_only, verbose, markdown, head, list;
    const char *quirks[32];
    unsigned quirk_count;
} options;

/* False when it cannot be understood, which is told on stderr; exits for --help. */
bool options_read(options *into, int argc, char **argv);

#endif
