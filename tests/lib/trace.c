#include "tests/lib/trace.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

char trace[4096];

void
trace_clear(void)
{
    trace[0] = '\0';
}

void
trace_add(const char *format, ...)
{
    size_t size = strlen(trace);
    va_list arguments;
    va_start(arguments, format);
    if (size != 0)
        size += (size_t)snprintf(trace + size, sizeof trace - size, " ");
    vsnprintf(trace + size, sizeof trace - size, format, arguments);
    va_end(arguments);
}

const char *
trace_spell(dbal_outcome outcome)
{
    static char error[64];
    if (outcome.kind == DBAL_OUTCOME_ERROR) {
        snprintf(error, sizeof error, "!%s",
                 dbal_error_class_name(dbal_error_kind(outcome.pointer)));
        return error;
    }
    if (dbal_outcome_count(outcome) > 0)
        return "[...]";
    return outcome.pointer != NULL ? outcome.pointer : "-";
}

dbal_outcome
trace_text(const char *text)
{
    return dbal_ok((void *)(size_t)text, NULL);
}

dbal_outcome
trace_pass(dbal_outcome in, void *name)
{
    trace_add("%s=%s", (const char *)name, trace_spell(in));
    return in;
}

dbal_outcome
trace_handle(dbal_outcome in, void *name)
{
    trace_pass(in, name);
    return dbal_done();
}

void
trace_name(void *name)
{
    trace_add("%s", (const char *)name);
}

void
trace_canceller(dbal_deferred *deferred, void *name)
{
    (void)deferred;
    trace_name(name);
}
