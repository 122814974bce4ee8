/* How the database of a trial is asked, and what is known of it beforehand. */
#ifndef CHECK_WORDS_H
#define CHECK_WORDS_H

#include "tests/contract/contract.h"

/* What a quirk is called on the command line and in files; NULL at the end of the list. */
typedef struct quirk {
    const char *name;
    unsigned bit;
    const char *meaning;
} quirk;

extern const quirk words_quirks[];

/* The one of that name, or NULL. */
const contract_target *words_target(const char *name);
/* Takes that target's words and quirks; false, and told on stderr, when there is none. */
bool words_like(contract_target *into, contract_sql *sql, const char *name);
bool words_quirk(contract_target *into, const char *name);
/* Reads a file: lines `WORD = statement`, `quirk = NAME`, `like = NAME`; `#` begins a comment. */
bool words_read(contract_target *into, contract_sql *sql, const char *file);
/* Forgets all that writes. */
void words_only_read(contract_sql *sql);
/* Prints which there are. */
void words_list(void);

#endif
