/*
 * What a fake's URL asks for: `fake:NAME` for the blocking face, `native:NAME` for the native one.
 *
 *   level=0 … 3         the threadlevel it declares; none: it declares nothing (default 1, native 2)
 *   interrupt=off       nobody tells it that a statement is stopped: it looks by itself
 *   interrupt=blunt     an interrupt ends whatever runs, as some client libraries' do
 *   token=on            only one may write at a time: writes want the token
 *   parallel=on         level 3: statements of one connection may run at once; then interrupt=off
 *   sharing=on          reads may share a snapshot, and with token=on writes a commit
 *   connections=N       the database cannot have more
 *   sole=on             the database is gone with its connection
 *   notes=on            each connection notes two things, one of them twice
 *   pipeline=off        native: one statement at a time
 */
#ifndef TESTS_LIB_FAKE_CONFIG_H
#define TESTS_LIB_FAKE_CONFIG_H

#include <stdbool.h>

#include <dbal/driver.h>

#include "tests/lib/fake_script.h"

typedef struct fake_config {
    fake_script *script;
    int level;
    bool interrupt, blunt, token, pipeline, parallel, sharing, notes, sole;
    int connections;
} fake_config;

extern const char *const fake_settings[];

void *fake_configure(const dbal_url *url, dbal_fault *fault);
void fake_configure_free(void *config);
/* The same, or what an URL without parameters says, for NULL. */
const fake_config *fake_config_of(const void *config);
int fake_threadlevel(const void *config);
/* Fills in what open() tells the core. */
void fake_describe(const fake_config *config, dbal_opening *opening);
/* What open() and close() were told to do. False with the fault set. */
bool fake_begin_open(const fake_config *config, const dbal_opening *opening, dbal_fault *fault);
void fake_begin_close(const fake_config *config);

#endif
