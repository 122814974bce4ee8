/* What a driver has to say about how it opened a connection, for the log. */
#ifndef DBAL__NOTE_H
#define DBAL__NOTE_H

#include <stdbool.h>
#include <stddef.h>

#include <dbal/driver.h>

enum { DBAL__NOTES = 32 };

/* Different texts, in the order they came; a few, since what says more than that says nothing. */
struct dbal_notes {
    size_t count;
    char *texts[DBAL__NOTES];
};

/* Keeps a copy. False when it is there already, when there is no more room, or without memory. */
bool dbal__notes_add(dbal_notes *notes, const char *text);
void dbal__notes_fini(dbal_notes *notes);

#endif
