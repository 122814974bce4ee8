/* The worker processes of a gate that has a module, and the calls that wait for one. */
#ifndef DBAL__GATE_MODULE_H
#define DBAL__GATE_MODULE_H

#include "dbal/gate_calls.h"

/* Makes gate->module; nothing is started yet. False with the error set, or without memory. */
bool dbal__gate_module_init(dbal_gate *gate, const char *path, dbal_error **ret_error);
/* The gate closes: what has not begun never will, workers that have nothing to do are let go. */
void dbal__gate_module_close(dbal_gate *gate);
/* No worker is left, and no call. */
bool dbal__gate_module_is_over(const dbal_gate *gate);
/* Kills the workers that are at a call. How many they were. */
unsigned dbal__gate_module_kill(dbal_gate *gate);
/* The loop steps no more: its calls are settled as unknown, its workers given up. */
void dbal__gate_module_give_up(dbal_gate *gate);
/* All workers are gone. */
void dbal__gate_module_fini(dbal_gate *gate);

#endif
