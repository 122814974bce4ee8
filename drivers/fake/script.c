#include "script.h"

#include <ctype.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* a line; its texts are behind it, each with a NUL: the pattern, and the answers */
typedef struct rule {
    struct rule *next;
    const char *pattern;
    const char *const *answers;
    unsigned count;
    atomic_uint used;
} rule;

struct fake_script {
    rule *first, **last;
};

static bool
is_space(char c)
{
    return isspace((unsigned char)c) != 0;
}

/* Whether they are the same but for case and how wide white space is; `*` stands for anything. */
static bool
matches(const char *pattern, const char *sql)
{
    for (; *pattern != '\0'; pattern++, sql++) {
        if (*pattern == '*') {
            while (!matches(pattern + 1, sql))
                if (*sql++ == '\0')
                    return false;
            return true;
        }
        if (is_space(*pattern) && is_space(*sql)) {
            while (is_space(pattern[1]))
                pattern++;
            while (is_space(sql[1]))
                sql++;
        } else if (tolower((unsigned char)*pattern) != tolower((unsigned char)*sql)) {
            return false;
        }
    }
    while (is_space(*sql))
        sql++;
    return *sql == '\0';
}

const char *
fake_script_words(fake_script *script, const char *sql)
{
    while (is_space(*sql))
        sql++;
    for (rule *one = script->first; one != NULL; one = one->next) {
        if (matches(one->pattern, sql)) {
            unsigned number = atomic_fetch_add(&one->used, 1);
            return one->answers[number < one->count ? number : one->count - 1];
        }
    }
    return NULL;
}

/* ---- reading ---- */

/* Without white space around it. */
static char *
trim(char *text)
{
    while (is_space(*text))
        text++;
    char *end = text + strlen(text);
    while (end > text && is_space(end[-1]))
        *--end = '\0';
    return text;
}

/* The next bar that stands in no quotes, or the end. */
static char *
find_bar(char *text)
{
    bool quoted = false;
    for (; *text != '\0' && (quoted || *text != '|'); text++)
        quoted ^= *text == '\'';
    return text;
}

static unsigned
count_answers(char *text)
{
    unsigned count = 1;
    for (text = find_bar(text); *text != '\0'; text = find_bar(text + 1))
        count++;
    return count;
}

static bool
no_memory(dbal_fault *fault)
{
    dbal_fault_set(fault, DBAL_ERROR_NO_MEMORY, "53200", "out of memory");
    return false;
}

/* Takes a line, which has an arrow at this place. */
static bool
add(fake_script *script, char *line, char *arrow, dbal_fault *fault)
{
    unsigned count = count_answers(arrow + 2);
    size_t size = strlen(line) + 1;
    rule *made = dbal_driver_alloc(sizeof *made + count * sizeof(char *) + size);
    if (made == NULL)
        return no_memory(fault);
    const char **answers = (const char **)(void *)(made + 1);
    char *text = memcpy((char *)(answers + count), line, size);
    char *rest = text + (arrow - line);
    *rest = '\0';
    rest += 2;
    made->pattern = trim(text);
    made->answers = answers;
    made->count = count;
    for (unsigned i = 0; i < count; i++) {
        char *bar = find_bar(rest);
        char *next = *bar != '\0' ? bar + 1 : bar;
        *bar = '\0';
        answers[i] = trim(rest);
        rest = next;
    }
    *script->last = made;
    script->last = &made->next;
    return true;
}

static bool
read_lines(fake_script *script, FILE *from, const char *file, dbal_fault *fault)
{
    char *line = NULL;
    size_t room = 0;
    bool ok = true;
    for (unsigned number = 1; ok && getline(&line, &room, from) >= 0; number++) {
        char *text = trim(line), *arrow = strstr(text, "=>");
        if (*text == '\0' || *text == '#')
            continue;
        if (arrow != NULL) {
            ok = add(script, text, arrow, fault);
            continue;
        }
        dbal_fault_set(fault, DBAL_ERROR_INTERFACE, NULL, "%s, line %u: a line is PATTERN => WORDS",
                       file, number);
        ok = false;
    }
    free(line);
    return ok;
}

fake_script *
fake_script_read(const char *file, dbal_fault *fault)
{
    fake_script *script = dbal_driver_alloc(sizeof *script);
    if (script == NULL) {
        no_memory(fault);
        return NULL;
    }
    script->last = &script->first;
    FILE *from = fopen(file, "re");
    bool ok = from != NULL && read_lines(script, from, file, fault);
    if (from == NULL)
        dbal_fault_set(fault, DBAL_ERROR_INTERFACE, NULL, "%s: %s", file, strerror(errno));
    else
        fclose(from);
    if (ok)
        return script;
    fake_script_free(script);
    return NULL;
}

void
fake_script_free(fake_script *script)
{
    for (rule *one = script != NULL ? script->first : NULL, *next; one != NULL; one = next) {
        next = one->next;
        dbal_driver_free(one);
    }
    dbal_driver_free(script);
}
