/*
 * A native driver without a server: its statements take the time that they say, by the loop's
 * clock, so that a test which drives the clock decides when each one ends. `timed:NAME`, and
 *
 *   take 12          takes 12 microseconds of a processor
 *   take 12 again    the same as another text
 *   fail             takes none, and fails with 22000
 *   lose             takes none, and its connection is lost
 *
 * Everything is the loop thread's, but for opening.
 */
#ifndef TESTS_LIB_FAKE_TIMED_H
#define TESTS_LIB_FAKE_TIMED_H

#include <stdbool.h>

enum { FAKE_TIMED_CONNECTIONS = 256 };

/* Registers it, with nothing known and a processor for each connection. */
void fake_timed_init(void);
/* All connections share so many from now on; 0: each has its own. */
void fake_timed_processors(double count);
/* Statements that are sent at once; what is behind them in a connection is not. */
void fake_timed_window(int statements);
/* Whether a connection lives. */
bool fake_timed_is_there(int connection);
/* Statements that a connection has now; connections count from 0, in the order of attaching. */
int fake_timed_flying(int connection);
/* Statements that it has ended. */
int fake_timed_ended(int connection);
/* Connections that ever were. */
int fake_timed_connections(void);
/* Connections that have ended something since the last time. */
int fake_timed_used(void);
/* Statements handed down since the last time that may share a transaction. "alone …" never may. */
int fake_timed_shared(void);
/* Whether it can be connected to. Any time. */
void fake_timed_down(bool down);
/* While it is shut, connects hang. To be opened again before the test ends. */
void fake_timed_shut(bool shut);
/* So many of those go on, or of those to come. */
void fake_timed_let_in(int connects);
/* Whether each connection dies as soon as it is open, as behind a pooler without a server. */
void fake_timed_drops(bool each);
/* It dies. */
void fake_timed_kill(int connection);

#endif
