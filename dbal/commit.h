/*
 * Writes that wait together share one commit: one lock and one sync for all of them. Each is run as
 * it would be by itself, and none is told of its end before the COMMIT has ended. Whatever a shared
 * transaction could make different is undone, and runs again by itself.
 */
#ifndef DBAL__COMMIT_H
#define DBAL__COMMIT_H

#include "dbal/runner.h"

/* Whether this job of a chain, and the one behind it, may share a commit. */
bool dbal__commit_fits(const dbal__job *job);
/*
 * Runs it and others behind it in its chain, and hands back those that have ended. The one to go on
 * with, or NULL.
 */
dbal__job *dbal__commit_run(dbal__runner *runner, dbal__job *job, dbal__worker *worker);

#endif
