/* What a worker that has gone mad may write to the application's socket. */
#ifndef TESTS_PROCESS_LIES_H
#define TESTS_PROCESS_LIES_H

/* "garbage", "half", … as in lies.c; written to the worker's own descriptor of it. */
void tell_lie(const char *name);
/* Says hello as a worker of another version, and waits. */
void greet_as_another(void);

#endif
