/*
 * What a driver says of its requests: the calls go through this program before they reach the
 * library, and those that may not be are told, and go no further.
 */
#ifndef CHECK_SINK_H
#define CHECK_SINK_H

#include <dbal/driver.h>

/* From now on; before, and for a driver that is built in, calls are passed on as they are. */
void sink_watch(void);

/* The driver has it from here on, until sink_end() or dbal_request_finish(). */
void sink_begin(dbal_request *request);
void sink_end(dbal_request *request, bool ok);
/* Whether it was told to stop: then it may fail without a reason. */
bool sink_stopped(dbal_request *request);

/* Two statements that run at once wait for one another before their first row. */
extern bool sink_meets;

/* Blocks of dbal_driver_alloc() that were not freed. */
long sink_blocks(void);

#endif
