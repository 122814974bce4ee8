#include "tests/pool/exposition.h"

#include <check.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char complaint[512];

static const char *
wrong(const char *line, const char *format, ...)
{
    char what[200];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    snprintf(complaint, sizeof complaint, "%s: %.200s", what, line);
    return complaint;
}

/* ---- the grammar ---- */

static bool
is_letter(char c, bool colon)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (colon && c == ':');
}

/* [a-zA-Z_:][a-zA-Z0-9_:]* */
static bool
read_name(const char **at, char *ret_name, bool colon)
{
    size_t size = 0;
    while (is_letter((*at)[size], colon) || (size > 0 && (*at)[size] >= '0' && (*at)[size] <= '9'))
        size++;
    if (size == 0 || size >= EXPOSITION_TEXT)
        return false;
    memcpy(ret_name, *at, size);
    ret_name[size] = '\0';
    *at += size;
    return true;
}

static bool
take(const char **at, char c)
{
    if (**at != c)
        return false;
    ++*at;
    return true;
}

/* "…" with \\, \" and \n, and nothing else escaped */
static bool
read_quoted(const char **at, char *ret_value)
{
    size_t size = 0;
    if (!take(at, '"'))
        return false;
    for (; **at != '"'; ++*at) {
        char c = **at;
        if (c == '\0' || c == '\n' || size + 1 >= EXPOSITION_TEXT)
            return false;
        if (c == '\\') {
            c = *++*at;
            if (c != '\\' && c != '"' && c != 'n')
                return false;
            c = c == 'n' ? '\n' : c;
        }
        ret_value[size++] = c;
    }
    ret_value[size] = '\0';
    return take(at, '"');
}

static bool
read_labels(const char **at, exposition_sample *sample)
{
    if (!take(at, '{'))
        return true;
    do {
        exposition_label *one = &sample->labels[sample->label_count++];
        if (sample->label_count > EXPOSITION_LABELS || !read_name(at, one->name, false) ||
            !take(at, '=') || !read_quoted(at, one->value))
            return false;
        for (int i = 0; i + 1 < sample->label_count; i++)
            if (strcmp(sample->labels[i].name, one->name) == 0)
                return false;
    } while (take(at, ','));
    return take(at, '}');
}

/* Digits, and perhaps a point with digits behind it: all that is written here. */
static bool
read_number(const char **at, double *ret_value)
{
    const char *start = *at;
    size_t digits = strspn(*at, "0123456789");
    *at += digits;
    if (digits > 0 && **at == '.') {
        size_t behind = strspn(*at + 1, "0123456789");
        digits = behind;
        *at += 1 + behind;
    }
    *ret_value = strtod(start, NULL);
    return digits > 0 && **at == '\0';
}

/* ---- families ---- */

typedef struct family {
    char name[EXPOSITION_TEXT], type[16];
    bool helped, typed;
} family;

static bool
starts(const char **at, const char *what)
{
    if (strncmp(*at, what, strlen(what)) != 0)
        return false;
    *at += strlen(what);
    return true;
}

/* HELP and then TYPE begin a family, which ends where the next one begins. */
static const char *
read_comment(const char *line, family *now, char *seen)
{
    char name[EXPOSITION_TEXT], mark[EXPOSITION_TEXT + 2];
    const char *at = line;
    bool help = starts(&at, "# HELP ");
    if (!help && !starts(&at, "# TYPE "))
        return wrong(line, "neither HELP nor TYPE");
    if (!read_name(&at, name, true) || !take(&at, ' ') || *at == '\0')
        return wrong(line, "no name or no text");
    if (help) {
        snprintf(mark, sizeof mark, "|%s|", name);
        if (strstr(seen, mark) != NULL)
            return wrong(line, "the family is in two places");
        strcat(seen, mark);
        *now = (family){.helped = true};
        strcpy(now->name, name);
        return strchr(at, '\\') != NULL ? wrong(line, "an escape in HELP") : NULL;
    }
    if (!now->helped || now->typed || strcmp(now->name, name) != 0)
        return wrong(line, "TYPE without its HELP, or twice");
    now->typed = true;
    snprintf(now->type, sizeof now->type, "%s", at);
    bool total = strlen(name) > 6 && strcmp(name + strlen(name) - 6, "_total") == 0;
    if (strcmp(at, "counter") == 0)
        return total ? NULL : wrong(line, "a counter without _total");
    if (strcmp(at, "gauge") == 0 || strcmp(at, "histogram") == 0)
        return total ? wrong(line, "_total, and no counter") : NULL;
    return wrong(line, "no type");
}

static bool
is_of(const char *name, const family *now)
{
    static const char *const suffixes[] = {"_bucket", "_sum", "_count"};
    size_t size = strlen(now->name);
    if (strcmp(now->type, "histogram") != 0)
        return strcmp(name, now->name) == 0;
    for (int i = 0; i < 3; i++)
        if (strncmp(name, now->name, size) == 0 && strcmp(name + size, suffixes[i]) == 0)
            return true;
    return false;
}

static bool
are_the_same(const exposition_sample *a, const exposition_sample *b, const char *but)
{
    int same = 0, count = 0;
    for (int i = 0; i < a->label_count; i++) {
        if (but != NULL && strcmp(a->labels[i].name, but) == 0)
            continue;
        const char *other = exposition_label_of(b, a->labels[i].name);
        count++;
        same += other != NULL && strcmp(other, a->labels[i].value) == 0;
    }
    return same == count;
}

static const char *
read_sample(exposition *self, const char *line, const family *now)
{
    const char *at = line;
    exposition_sample *one = &self->samples[self->count];
    if (self->count >= EXPOSITION_SAMPLES)
        return wrong(line, "too many samples");
    *one = (exposition_sample){.label_count = 0};
    if (!read_name(&at, one->name, true) || !read_labels(&at, one) || !take(&at, ' ') ||
        !read_number(&at, &one->value))
        return wrong(line, "no sample");
    if (!now->typed || !is_of(one->name, now))
        return wrong(line, "a sample without its HELP and TYPE before it");
    strcpy(one->family, now->name);
    for (size_t i = 0; i < self->count; i++)
        if (strcmp(self->samples[i].name, one->name) == 0 &&
            self->samples[i].label_count == one->label_count &&
            are_the_same(&self->samples[i], one, NULL))
            return wrong(line, "twice");
    self->count++;
    return NULL;
}

/* ---- histograms ---- */

static bool
ends_with(const exposition_sample *sample, const char *suffix)
{
    size_t size = strlen(sample->family);
    return strncmp(sample->name, sample->family, size) == 0 &&
           strcmp(sample->name + size, suffix) == 0;
}

/* Of one that begins with this bucket. */
static const char *
check_histogram(const exposition *self, size_t first)
{
    const exposition_sample *head = &self->samples[first];
    double bound = -1, so_far = 0;
    size_t i = first;
    for (; i < self->count && ends_with(&self->samples[i], "_bucket") &&
           are_the_same(head, &self->samples[i], "le");
         i++) {
        const char *le = exposition_label_of(&self->samples[i], "le");
        if (le == NULL || bound == INFINITY)
            return wrong(head->name, "a bucket without le, or behind +Inf");
        double next = strcmp(le, "+Inf") == 0 ? INFINITY : strtod(le, NULL);
        if (!(next > bound) || self->samples[i].value < so_far)
            return wrong(le, "buckets go down");
        bound = next;
        so_far = self->samples[i].value;
    }
    if (bound != INFINITY)
        return wrong(head->name, "no +Inf");
    if (i + 2 > self->count || !ends_with(&self->samples[i], "_sum") ||
        !ends_with(&self->samples[i + 1], "_count") ||
        !are_the_same(head, &self->samples[i], "le") ||
        !are_the_same(head, &self->samples[i + 1], "le"))
        return wrong(head->name, "no _sum and _count behind the buckets");
    if (self->samples[i + 1].value != so_far)
        return wrong(head->name, "+Inf is not the count");
    return NULL;
}

static const char *
check_histograms(const exposition *self)
{
    const char *error = NULL;
    for (size_t i = 0; i < self->count && error == NULL; i++) {
        bool begins = ends_with(&self->samples[i], "_bucket") &&
                      (i == 0 || !ends_with(&self->samples[i - 1], "_bucket") ||
                       !are_the_same(&self->samples[i], &self->samples[i - 1], "le"));
        if (begins)
            error = check_histogram(self, i);
    }
    return error;
}

/* ---- all ---- */

const char *
exposition_read(exposition *self, const char *text)
{
    static char seen[16384], line[4096];
    family now = {.helped = false};
    const char *error = NULL;
    self->count = 0;
    seen[0] = '\0';
    while (*text != '\0' && error == NULL) {
        const char *end = strchr(text, '\n');
        if (end == NULL)
            return wrong(text, "the last line does not end");
        if ((size_t)(end - text) >= sizeof line)
            return wrong(text, "a long line");
        memcpy(line, text, (size_t)(end - text));
        line[end - text] = '\0';
        error = line[0] == '#' ? read_comment(line, &now, seen) : read_sample(self, line, &now);
        text = end + 1;
    }
    return error != NULL ? error : check_histograms(self);
}

const char *
exposition_label_of(const exposition_sample *sample, const char *name)
{
    for (int i = 0; i < sample->label_count; i++)
        if (strcmp(sample->labels[i].name, name) == 0)
            return sample->labels[i].value;
    return NULL;
}

double
exposition_value(const exposition *self, const char *name, const char *labels)
{
    exposition_sample wanted = {.label_count = 0};
    char text[512];
    const char *at = text;
    const exposition_sample *found = NULL;
    snprintf(text, sizeof text, "{%s}", labels);
    if (labels[0] != '\0')
        ck_assert(read_labels(&at, &wanted));
    for (size_t i = 0; i < self->count; i++) {
        if (strcmp(self->samples[i].name, name) != 0 ||
            !are_the_same(&wanted, &self->samples[i], NULL))
            continue;
        ck_assert_msg(found == NULL, "two of %s{%s}", name, labels);
        found = &self->samples[i];
    }
    ck_assert_msg(found != NULL, "no %s{%s}", name, labels);
    return found->value;
}
