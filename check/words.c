#include "check/words.h"

#include <ctype.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const quirk words_quirks[] = {
    {"untyped", CONTRACT_UNTYPED, "values lose the finer type that they had as parameters"},
    {"one", CONTRACT_ONE, "there can be one connection only"},
    {"forgets", CONTRACT_FORGETS, "the database is gone with its last connection"},
    {"private", CONTRACT_PRIVATE, "another pool has a database of its own"},
    {"no-backup", CONTRACT_NO_BACKUP, "the database cannot be copied"},
    {"no-nul", CONTRACT_NO_NUL, "a text can hold no NUL byte"},
    {"zoned", CONTRACT_ZONED, "the text of a moment names its zone"},
    {"spoils", CONTRACT_SPOILS, "a failed statement spoils its transaction"},
    {"any-json", CONTRACT_ANY_JSON, "JSON as a parameter is what is wanted where it stands"},
    {"no-copy", CONTRACT_NO_COPY, "there are no copies in bulk"},
    {"no-notify", CONTRACT_NO_NOTIFY, "nobody can listen"},
    {"no-ids", CONTRACT_NO_IDS, "a row's id is not told unless it is asked for"},
    {"gathers", CONTRACT_GATHERS, "all rows are there before the first is given"},
    {"guesses", CONTRACT_GUESSES, "a parameter has the type that its statement gives it"},
    {"rounds", CONTRACT_ROUNDS, "a double keeps fifteen digits"},
    {"finite", CONTRACT_FINITE, "a double is a finite number"},
    {NULL, 0, NULL},
};

#define WORD(word, writes, meaning)                                                                \
    {                                                                                              \
#word, offsetof(contract_sql, word), writes, meaning                                       \
    }

static const struct word {
    const char *name;
    size_t offset;
    bool writes;
    const char *meaning;
} words[] = {
    WORD(create, true, "a script that makes what the others need"),
    WORD(drop, true, "a script that removes it, whether it is there or not"),
    WORD(rows, false, "$1 rows with one column n, from 1"),
    WORD(echo, false, "one row with $1"),
    WORD(echo_blob, false, "the same for bytes, where that needs to be said"),
    WORD(echo_both, false, "one row with $2 and $1"),
    WORD(by_name, false, "one row with :b and :a"),
    WORD(add, true, "adds $1 to the one number there is, which is 0 at first"),
    WORD(gain, true, "the same, but fails with 23502 when $1 is negative"),
    WORD(gain_name, true, "the same with :much"),
    WORD(insert, true, "makes a row with the id $1, from 2"),
    WORD(returning, true, "the same, and gives the id back as a row"),
    WORD(add_two, true, "adds 2, without a parameter"),
    WORD(get, false, "that number"),
    WORD(array, false, "how many elements the array of integers $1 has"),
    WORD(duplicate, true, "fails with 23505"),
    WORD(syntax, false, "fails with 42601 at the byte syntax_position"),
    WORD(backup, false, "where a backup goes; a new file, when not said"),
    WORD(endless, false, "runs until it is stopped"),
    WORD(begin, false, "begins a transaction"),
    WORD(rollback, false, "undoes it"),
    WORD(setting, true, "changes the session, so that `changed` gives 1"),
    WORD(changed, false, "0 in a new session"),
    WORD(copy_in, true, "takes whole numbers from 2, one a line"),
    WORD(copied, false, "how many of them are there"),
    WORD(copy_bad, true, "the same, which fails with 22P02 at the line \"four\""),
    WORD(copy_out, false, "the numbers 1 to 3"),
    WORD(copy_much, false, "very many numbers"),
    WORD(notify, false, "tells the channel contract of \"told\""),
};

enum { WORDS = sizeof words / sizeof words[0] };

static const char **
place_of(contract_sql *sql, const struct word *word)
{
    return (const char **)(void *)((char *)sql + word->offset);
}

const contract_target *
words_target(const char *name)
{
    for (const contract_target *one = contract_targets; one->name != NULL; one++)
        if (strcmp(one->name, name) == 0)
            return one;
    return NULL;
}

bool
words_like(contract_target *into, contract_sql *sql, const char *name)
{
    const contract_target *known = words_target(name);
    if (known == NULL) {
        fprintf(stderr, "nothing is known of %s; --list says of what\n", name);
        return false;
    }
    *sql = *known->sql;
    into->quirks = known->quirks & ~(unsigned)(CONTRACT_NO_COPY | CONTRACT_NO_NOTIFY);
    return true;
}

bool
words_quirk(contract_target *into, const char *name)
{
    for (const quirk *one = words_quirks; one->name != NULL; one++) {
        if (strcmp(one->name, name) == 0) {
            into->quirks |= one->bit;
            return true;
        }
    }
    fprintf(stderr, "there is no quirk %s; --list says which there are\n", name);
    return false;
}

static bool
set(contract_target *into, contract_sql *sql, const char *name, const char *text)
{
    if (strcmp(name, "quirk") == 0)
        return words_quirk(into, text);
    if (strcmp(name, "like") == 0)
        return words_like(into, sql, text);
    if (strcmp(name, "syntax_position") == 0) {
        sql->syntax_position = atoi(text);
        return true;
    }
    for (size_t i = 0; i < WORDS; i++) {
        if (strcmp(words[i].name, name) == 0) {
            *place_of(sql, &words[i]) = text[0] != '\0' ? strdup(text) : NULL;
            return true;
        }
    }
    fprintf(stderr, "there is no word %s; --list says which there are\n", name);
    return false;
}

/* Without white space around it. */
static char *
trim(char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    char *end = text + strlen(text);
    while (end > text && isspace((unsigned char)end[-1]))
        *--end = '\0';
    return text;
}

static bool
read_line(contract_target *into, contract_sql *sql, char *line)
{
    char *name = trim(line);
    if (*name == '\0' || *name == '#')
        return true;
    char *equals = strchr(name, '=');
    if (equals == NULL) {
        fprintf(stderr, "a line is WORD = STATEMENT, not: %s\n", name);
        return false;
    }
    *equals = '\0';
    return set(into, sql, trim(name), trim(equals + 1));
}

bool
words_read(contract_target *into, contract_sql *sql, const char *file)
{
    char *line = NULL;
    size_t room = 0;
    bool ok = true;
    unsigned number = 0;
    FILE *from = fopen(file, "r");
    if (from == NULL) {
        perror(file);
        return false;
    }
    while (ok && getline(&line, &room, from) >= 0) {
        number++;
        ok = read_line(into, sql, line);
    }
    if (!ok)
        fprintf(stderr, "%s, line %u\n", file, number);
    free(line);
    fclose(from);
    return ok;
}

void
words_only_read(contract_sql *sql)
{
    for (size_t i = 0; i < WORDS; i++)
        if (words[i].writes)
            *place_of(sql, &words[i]) = NULL;
}

void
words_list(void)
{
    puts("words, of a file that --spelling names; one that is missing is not asked for:");
    for (size_t i = 0; i < WORDS; i++)
        printf("  %-16s %s\n", words[i].name, words[i].meaning);
    puts("  syntax_position  where the fault of `syntax` is, in bytes from 1\n\nquirks:");
    for (const quirk *one = words_quirks; one->name != NULL; one++)
        printf("  %-16s %s\n", one->name, one->meaning);
    puts("\nknown, for --like:");
    for (const contract_target *one = contract_targets; one->name != NULL; one++)
        printf("  %s\n", one->name);
}
