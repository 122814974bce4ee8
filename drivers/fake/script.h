/* What is answered to a program's own statements: lines of a file, `PATTERN => WORDS | WORDS …`. */
#ifndef DRIVERS_FAKE_SCRIPT_H
#define DRIVERS_FAKE_SCRIPT_H

#include <dbal/driver.h>

typedef struct fake_script fake_script;

/* Reads it. NULL with the fault set, which names the line. */
fake_script *fake_script_read(const char *file, dbal_fault *fault);
void fake_script_free(fake_script *script);
/*
 * The words for a statement; each time those behind the next `|`, the last ones again and again. NULL:
 * no line is for it. Good as long as the script; any thread.
 */
const char *fake_script_words(fake_script *script, const char *sql);

#endif
