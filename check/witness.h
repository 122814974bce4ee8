/*
 * Stands between the gate and a driver: every entry is seen, whatever the library was built with.
 */
#ifndef CHECK_WITNESS_H
#define CHECK_WITNESS_H

#include <dbal/driver.h>
#include <stdbool.h>

/* Each entry into the blocking face of a connection comes in a new thread. Before any pool. */
extern bool witness_moves;

/*
 * Takes the driver out of its file, and registers one in its place that passes everything on. Before
 * anything else of this process loads it; false when it cannot be, which is told on stderr.
 */
bool witness_register(const char *file);

/* What its table lacks of what it declares is told as breaches. */
void witness_look_at_table(unsigned capabilities, int threadlevel);

#endif
