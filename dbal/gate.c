#include "dbal/gate.h"

dbal_gate_kind
dbal__gate_choose(int threadlevel, bool has_native, dbal_gate_kind wanted, const char **ret_why)
{
    bool loop = has_native && threadlevel >= 2, thread = threadlevel >= 1;
    switch (wanted) {
    case DBAL_GATE_AUTO:
        return loop ? DBAL_GATE_LOOP : thread ? DBAL_GATE_THREAD : DBAL_GATE_DRIVER_THREAD;
    case DBAL_GATE_LOOP:
        *ret_why = has_native ? "a connection that moves between threads needs threadlevel 2"
                              : "the driver has no native face";
        return loop ? DBAL_GATE_LOOP : DBAL_GATE_AUTO;
    case DBAL_GATE_THREAD:
        *ret_why = "threads may not share a driver of threadlevel 0";
        return thread ? DBAL_GATE_THREAD : DBAL_GATE_AUTO;
    case DBAL_GATE_DRIVER_THREAD:
        return DBAL_GATE_DRIVER_THREAD;
    case DBAL_GATE_PROCESS:
        return DBAL_GATE_PROCESS; /* a worker has one thread for all of its driver */
    default:
        *ret_why = "there is no such gate";
        return DBAL_GATE_AUTO;
    }
}

const char *
dbal__gate_kind_name(dbal_gate_kind kind)
{
    static const char *const names[] = {"auto", "loop", "thread", "driver-thread", "process"};
    return (unsigned)kind < sizeof names / sizeof names[0] ? names[kind] : "unknown";
}
