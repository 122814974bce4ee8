/* Refusing SQL or its parameters: a fault for something that was never sent. */
#ifndef DBAL__SQL_REFUSAL_H
#define DBAL__SQL_REFUSAL_H

#include <stddef.h>

#include <dbal/driver.h>

/* The most bytes of the program's own text that a message shows. */
enum { DBAL__SQL_SHOWN = 64 };

/* Sets the fault; position 0 and hint NULL for none. */
void dbal__sql_refuse(dbal_fault *fault, dbal_error_class error_class, const char *sqlstate,
                      size_t position, const char *hint, const char *format, ...) DBAL_PRINTF(6, 7);
void dbal__sql_refuse_memory(dbal_fault *fault);

#endif
