/** @file gate.h  Any blocking code, off the loop, with its thread level taken into account. */
#ifndef DBAL_GATE_H
#define DBAL_GATE_H

#include <stddef.h>

#include <dbal/deferred.h>
#include <dbal/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * A way into code that blocks: Twisted's deferToThread with the thread level taken into account.
 * Belongs to its loop, which frees it.
 */
typedef struct dbal_gate dbal_gate;

/** How a gate is made; zero means default everywhere. */
typedef struct dbal_gate_options {
    size_t size;         /**< sizeof(dbal_gate_options); DBAL_GATE() sets it */
    int threads;         /**< at most; default 4, always 1 at level 0. With a module: worker processes */
    int max_waiting;     /**< calls not yet begun; default 10,000, then QUEUE_FULL */
    const char *library; /**< level 0 only, and needed there: gates that name the same library share its one thread */
    const char *module;  /**< a shared object, see module.h: the gate is for dbal_gate_call_module() then, at every level. A path, resolved when the gate is made */
    double close_timeout; /**< seconds that closing waits for calls that run; default 15, DBAL_OFF: for ever. Then a thread is given up, a worker process killed */
} dbal_gate_options;

/** `DBAL_GATE(.threads = 2)`: gate options for a call (C only). */
#define DBAL_GATE(...) (&(const dbal_gate_options){.size = sizeof(dbal_gate_options), __VA_ARGS__})
/** Gate options with nothing set, for C++ and for setting fields one by one. */
#define DBAL_GATE_OPTIONS_INIT {sizeof(dbal_gate_options), 0, 0, 0, 0, 0}

/**
 * Makes one.
 *
 * @param loop         where outcomes come back
 * @param threadlevel  of the code to be called, on DB-API's scale (PEP 249 threadsafety): 0 one
 *                     thread for all of it in this process; 1 an object stays with one thread; 2
 *                     an object is never in two threads at once; 3 anything goes
 * @param options      NULL: defaults
 * @param ret_error    may be NULL; set, owned by the caller, when NULL is returned
 * @return NULL on a bad option, a level outside 0 to 3, a closed loop or without memory
 */
dbal_gate *dbal_gate_new(dbal_loop *loop, int threadlevel, const dbal_gate_options *options,
                         dbal_error **ret_error);

/**
 * Runs a function in one of the gate's threads.
 *
 * @param gate    the gate
 * @param object  what the level speaks of (a handle of the library); NULL at level 1 and 2: any thread
 * @param fn      runs in a thread with all signals blocked; its outcome must not be dbal_wait()
 * @param arg     for fn
 * @return floating. Cancelled before fn begins: fn never runs. Later: it settles with fn's own
 *         outcome freed and CANCELLED, after fn has returned.
 */
dbal_deferred *dbal_gate_call(dbal_gate *gate, const void *object, dbal_outcome (*fn)(void *arg),
                              void *arg);

/**
 * Runs the function of the gate's module in a worker process: code that is not safe in threads runs
 * in parallel, and what crashes is the call, not the program. Workers are started when calls first
 * need them and stay; each has one call at a time. One that dies is replaced by the next call.
 *
 * @param gate    one that was made with a module
 * @param object  at levels 0 to 2: calls with the same address go to the same worker, in their order,
 *                for what the module keeps in its variables, until that worker dies; NULL: any worker.
 *                It is only compared
 * @param data    the function's bytes, copied; may be NULL when size is 0
 * @param size    bytes of it, 256 MiB at most; what waits is kept in memory, see max_waiting
 * @return floating; a result of one row and one column, a BLOB with the function's answer, of 256 MiB
 *         at most: `dbal_result_blob(result, 0, 0)`. APPLICATION with the text that the function
 *         gave when it failed; OPERATIONAL when its worker died (execution unknown) or could not be
 *         started; INTERFACE when the module cannot be loaded or has no such function. Cancelled
 *         before it begins: it never runs. Later: its worker is killed, and it settles with CANCELLED
 */
dbal_deferred *dbal_gate_call_module(dbal_gate *gate, const void *object, const void *data,
                                     size_t size);

/** Closes: waiting calls fail with CLOSED, running ones are waited for. @param gate the gate @return floating; the same end when called again */
dbal_deferred *dbal_gate_close(dbal_gate *gate);

/** Which gate the calls pass, chosen by the thread level: "thread", "driver-thread" or "process"; a constant. @param gate the gate */
const char *dbal_gate_name(const dbal_gate *gate);

#ifdef __cplusplus
}
#endif
#endif
