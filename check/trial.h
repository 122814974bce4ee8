/*
 * One trial: a test in a process of its own, which may fail, crash or hang without harm to the next,
 * and what it reports.
 */
#ifndef CHECK_TRIAL_H
#define CHECK_TRIAL_H

#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>

typedef enum verdict {
    VERDICT_HOLDS,
    VERDICT_QUIRK,   /* not declared, or a quirk that was told: it cannot be so */
    VERDICT_UNASKED, /* there are no words for it, or it cannot be tried from outside */
    VERDICT_BROKEN,
} verdict;

enum { REPORT_BREACHES = 6, REPORT_TEXT = 400 };

/* In memory that both processes have: what was written before a crash counts. */
typedef struct report {
    verdict verdict;
    char why[REPORT_TEXT];
    /* what the witness saw, whatever the test said; the first few, each once */
    atomic_uint breaches;
    char breach[REPORT_BREACHES][REPORT_TEXT];
    atomic_ulong entries; /* into the driver */
    atomic_uint threads;  /* that it was entered in */
    /* found out by the first trial */
    bool witnessed; /* it could be stood between the gate and the driver */
    bool has_native, has_run;
    int threadlevel, max_size;
    unsigned capabilities;
    char gate[16], driver[32], version[64], file[PATH_MAX];
    char folder[PATH_MAX]; /* that it made, "" for none */
} report;

/* What this process reports to; one that nobody reads, until a trial begins. */
extern report *trial_report;

/* Seconds that something may take. */
extern double trial_patience;

/* What the environment has made of signals is put in order. Before the first trial, once. */
void trial_begin(void);
/*
 * Runs it in a process of its own, with output thrown away unless `loud`; fills the report. A signal
 * that should end this program ends the trial, and is kept for trial_interrupted().
 */
void trial_run(report *into, void (*body)(void *arg), void *arg, bool loud);
/* The signal that should end this program, as soon as all is put away; 0 for none. */
int trial_interrupted(void);
/* Ends this program as that signal would have. */
_Noreturn void trial_die(void);

/* The trial ends here, for this reason. */
_Noreturn void trial_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void trial_end(verdict came, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* It goes on, but something is not as it must be; any thread. */
void trial_breach(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
