/* What callbacks saw, in the order in which they ran, as one text. */
#ifndef TESTS_LIB_TRACE_H
#define TESTS_LIB_TRACE_H

#include <check.h>

#include <dbal/deferred.h>

extern char trace[4096];

void trace_clear(void);
/* Adds words, printf-like, and a space. */
void trace_add(const char *format, ...) DBAL_PRINTF(1, 2);

/* How an outcome is spelled: its text, "-" for none, "!class" for an error. */
const char *trace_spell(dbal_outcome outcome);
/* A success with a constant text. */
dbal_outcome trace_text(const char *text);

/* A callback: adds NAME=outcome and passes it on. arg: the name. */
dbal_outcome trace_pass(dbal_outcome in, void *name);
/* The same, and goes on without a value. */
dbal_outcome trace_handle(dbal_outcome in, void *name);
/* Adds NAME. For dbal_deferred_add_finally(). */
void trace_name(void *name);
/* A dbal_canceller: adds NAME. */
void trace_canceller(dbal_deferred *deferred, void *name);

#define TRACE_EQ(expected) ck_assert_str_eq(trace, expected)

#endif
