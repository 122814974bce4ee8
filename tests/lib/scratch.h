/* A folder of a test's own, where temporary files go. */
#ifndef TESTS_LIB_SCRATCH_H
#define TESTS_LIB_SCRATCH_H

enum { SCRATCH_PATH = 64 };

/* Makes one, in TMPDIR if that is set; `what` is part of its name. */
void scratch_make(char folder[SCRATCH_PATH], const char *what);
/* Removes it with all that is in it. */
void scratch_remove(const char *folder);

/* Those that are made from here on, also by forks of this process, are its own. */
void scratch_begin(void);
/* Removes those of them that are left: of tests that failed, were killed or took too long. */
void scratch_end(void);

#endif
