#include "dbal/sql_refusal.h"

#include <stdarg.h>
#include <stdio.h>

void
dbal__sql_refuse(dbal_fault *fault, dbal_error_class error_class, const char *sqlstate,
                 size_t position, const char *hint, const char *format, ...)
{
    char message[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    dbal_fault_set(fault, error_class, sqlstate, "%s", message);
    dbal_fault_set_execution(fault, DBAL_EXECUTION_NOT_SENT);
    dbal_fault_set_position(fault, (int)position);
    if (hint != NULL)
        dbal_fault_set_hint(fault, hint);
}

void
dbal__sql_refuse_memory(dbal_fault *fault)
{
    dbal_fault_set(fault, DBAL_ERROR_NO_MEMORY, NULL, "no memory for a statement");
    dbal_fault_set_execution(fault, DBAL_EXECUTION_NOT_SENT);
}
