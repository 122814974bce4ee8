/* Which way calls enter a driver: one table, one short function. */
#ifndef DBAL__GATE_H
#define DBAL__GATE_H

#include <dbal/error.h>
#include <dbal/gate.h>
#include <dbal/pool.h>

/*
 * The gate for a driver with this declared threadlevel, with or without a native face, when the
 * program asks for `wanted`. DBAL_GATE_AUTO is never the answer to success; on a gate that the
 * level forbids, it is, with *ret_why saying why.
 */
dbal_gate_kind dbal__gate_choose(int threadlevel, bool has_native, dbal_gate_kind wanted,
                                 const char **ret_why);

/* "loop", "thread", "driver-thread", "process", "auto" */
const char *dbal__gate_kind_name(dbal_gate_kind kind);

#endif
