/*
 * A connection that moves between threads, which are fewer than the connections: each time something
 * is handed to it while nothing is there, an idle thread takes it on. A session's keeps its thread. At
 * threadlevel 3, where the driver runs statements of one connection in parallel, several threads work
 * for it at once, unless it is a session's.
 */
#ifndef DBAL__MOVING_H
#define DBAL__MOVING_H

#include "dbal/channel.h"
#include "dbal/threads.h"

/* So many threads work for it at once. NULL without memory. */
dbal__channel *dbal__moving_new(dbal_loop *loop, dbal__driver_entry *driver, dbal__threads *threads,
                                unsigned width);
/*
 * There is a thread for one more statement, which must be handed to it next. False: there is none,
 * and its threads tell when there is.
 */
bool dbal__moving_engage(dbal__channel *channel);
/* The same for all that is handed to it until it is released. Nothing may be there. */
bool dbal__moving_keep(dbal__channel *channel);
void dbal__moving_release(dbal__channel *channel);
/* One that does nothing: see dbal__threaded_is_silent(). */
bool dbal__moving_is_silent(const dbal__channel *channel);

#endif
