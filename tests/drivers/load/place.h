/* A folder of drivers for one test, and another one beside it. */
#ifndef TESTS_DRIVERS_LOAD_PLACE_H
#define TESTS_DRIVERS_LOAD_PLACE_H

#include <dbal.h>

#include "tests/lib/scratch.h"

extern char place[SCRATCH_PATH], other_place[SCRATCH_PATH + 8];

/* Makes both and lets DBAL_DRIVER_PATH name the first; removes both with all that is in them. */
void place_make(void);
void place_remove(void);

/* "FOLDER/dbal-SCHEME.so", good until the next call */
const char *place_file(const char *folder, const char *scheme);
/* Copies one of the modules that were built for the tests, so that it is a file of its own. */
void place_copy(const char *folder, const char *scheme, const char *module);
/* The same for the first so many bytes. */
void place_copy_part(const char *folder, const char *scheme, const char *module, long bytes);
void place_write(const char *folder, const char *scheme, const char *text);

/* What it says, which must be an error of the class INTERFACE; good until the next call. */
const char *place_refusal(const char *scheme);

/* Whether the process has a file mapped whose name holds this text. */
bool place_is_mapped(const char *text);

#endif
