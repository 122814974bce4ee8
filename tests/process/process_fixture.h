/* A pool whose connections are worker processes of the driver "trouble". */
#ifndef TESTS_PROCESS_PROCESS_FIXTURE_H
#define TESTS_PROCESS_PROCESS_FIXTURE_H

#include <check.h>
#include <dbal.h>

#include "tests/lib/loop_fixture.h"

extern loop_fixture fixture;
extern dbal_pool *pool;

/* Around each test: in the end nothing may be left of it, neither a process nor a descriptor. */
void process_fixture_init(void);
void process_fixture_fini(void);
/* `trouble:?pool_gate=process&` and these, with one connection at most unless they say otherwise. */
void open_pool(const char *parameters);

dbal_deferred *ask(const char *sql);
/* The same, and it has been sent; referred to. */
dbal_deferred *ask_now(const char *sql);
int64_t number(const char *sql);
void good(dbal_deferred *deferred);
/* Fails so; the message holds a text. */
void bad(dbal_deferred *deferred, dbal_error_class error_class, const char *sqlstate,
         dbal_execution execution, const char *text);
dbal_pool_counts counts_now(void);
/* The program's own descriptors. */
int descriptors_now(void);
/* Waits until it has no children, zombies too: those that stay fail the test. */
void await_no_children(void);
/* Waits until a process, not a child of this one, has ended. */
void await_end_of(pid_t pid);

#endif
