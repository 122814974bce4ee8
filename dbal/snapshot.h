/*
 * Reads that wait together see one snapshot of the database: what it costs to take one is paid once.
 * In the thread of a connection that takes work from a shared line.
 */
#ifndef DBAL__SNAPSHOT_H
#define DBAL__SNAPSHOT_H

#include "dbal/runner.h"

/* Runs a read that was taken from `line`, and with it others that wait there. */
void dbal__snapshot_run(dbal__runner *runner, dbal__line *line, dbal__job *job,
                        dbal__worker *worker);

#endif
