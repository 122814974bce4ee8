/*
 * A place in a statement where a test can stand: the SQL function hold(n) waits in the connection's
 * thread until the test lets it go, and gives n. Known to every connection of the process.
 */
#ifndef TESTS_SHARING_HOLD_H
#define TESTS_SHARING_HOLD_H

#include <stdbool.h>

/* Connections that are opened from now on have the function; nobody is held by it yet. */
void hold_init(void);
/* From now on they are held; nobody has arrived. */
void hold_close(void);
/* Lets those go that have arrived, and those that come later. */
void hold_release(void);
/* Runs the fixture's loop until somebody is held. */
void hold_await(void);
/* How many have arrived since hold_close(). */
int hold_arrived(void);

/* Runs the fixture's loop until a connection has waited for a lock so often since hold_close(). */
void hold_await_naps(int count);

#endif
