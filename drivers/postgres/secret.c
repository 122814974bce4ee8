#include "secret.h"

#include <string.h>

#include "element.h"

static const char HIDDEN[] = "…";

/* ---- writing ------------------------------------------------------------------------------- */

typedef struct writer {
    char *to;
    size_t size;
} writer;

static void
put(writer *w, const char *text, size_t size)
{
    size_t room = DBAL__POSTGRES_SECRET_ROOM - sizeof HIDDEN - w->size;
    memcpy(w->to + w->size, text, size < room ? size : room);
    w->size += size < room ? size : room;
}

/* how many bytes at the end are the beginning of a character that goes on */
static size_t
unfinished(const writer *w)
{
    static const unsigned char leads[] = {0x80, 0xc0, 0xe0, 0xf0};
    for (size_t back = 1; back <= 3 && back <= w->size; back++) {
        unsigned char byte = (unsigned char)w->to[w->size - back];
        if ((byte & 0xc0) != 0x80)
            return byte >= leads[back] ? back : 0;
    }
    return 0;
}

/* what was cut is cut between two characters, and shows it */
static void
end(writer *w, bool cut)
{
    if (cut) {
        w->size -= unfinished(w);
        memcpy(w->to + w->size, HIDDEN, sizeof HIDDEN - 1);
        w->size += sizeof HIDDEN - 1;
    }
    w->to[w->size] = '\0';
}

static bool
is_full(const writer *w)
{
    return w->size >= DBAL__POSTGRES_SECRET_ROOM - sizeof HIDDEN;
}

/* ---- parameters ---------------------------------------------------------------------------- */

/* asked of each text among the parameters, until it says true */
typedef bool question(dbal_bytes secret, dbal_bytes text, void *arg);

static bool
ask_elements(dbal_bytes elements, question *ask, dbal_bytes text, void *arg)
{
    dbal_bytes element;
    while (dbal__postgres_element_next(&elements, &element))
        if (element.size != 0 && ask(element, text, arg))
            return true;
    return false;
}

static bool
ask_all(const dbal_request *request, question *ask, dbal_bytes text, void *arg)
{
    size_t count = dbal_request_parameter_count(request);
    for (size_t i = 0; i < count; i++) {
        dbal_value value = dbal_request_parameter(request, i);
        bool bytes = value.type == DBAL_TEXT || value.type == DBAL_JSON ||
                     value.type == DBAL_NUMERIC || value.type == DBAL_BLOB;
        if (bytes && value.as.bytes.size != 0 && ask(value.as.bytes, text, arg))
            return true;
        if (value.type == DBAL_ARRAY_TEXT && ask_elements(value.as.bytes, ask, text, arg))
            return true;
    }
    return false;
}

static bool
is_word(char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '_' ||
           (c & 0x80) != 0;
}

/*
 * A part of a text, and how long the longest secret is that begins at each of its places. There may be
 * a million of secrets: all are gone through once for many places.
 */
enum { PLACES = 512, NO_PLACE = -1 };

typedef struct window {
    const char *from, *end, *stop; /* stop: of the whole text */
    size_t longest[PLACES];
    int16_t first[256], next[PLACES]; /* the places that begin with a byte */
} window;

/* notes where the text has the secret as a whole */
static bool
begins_with(dbal_bytes secret, dbal_bytes text, void *arg)
{
    window *self = arg;
    const char *value = secret.data;
    (void)text;
    for (int i = self->first[(unsigned char)*value]; i != NO_PLACE; i = self->next[i]) {
        const char *at = self->from + i, *behind = at + secret.size;
        if (secret.size <= self->longest[i] || secret.size > (size_t)(self->stop - at) ||
            memcmp(at, value, secret.size) != 0)
            continue;
        bool goes_on = behind < self->stop && is_word(behind[-1]) && is_word(*behind);
        if (!goes_on)
            self->longest[i] = secret.size;
    }
    return false;
}

/* how long the longest secret is that begins at `at`, which only goes forward */
static size_t
longest_at(window *self, const char *text, const char *at, const dbal_request *request)
{
    if (at < self->end)
        return self->longest[at - self->from];
    int count = self->stop - at < PLACES ? (int)(self->stop - at) : PLACES;
    self->from = at;
    self->end = at + count;
    memset(self->longest, 0, sizeof self->longest);
    memset(self->first, NO_PLACE, sizeof self->first);
    for (int i = 0; i < count; i++) {
        unsigned char byte = (unsigned char)at[i];
        if (at + i != text && is_word(at[i - 1]) && is_word(at[i]))
            continue; /* within a word */
        self->next[i] = self->first[byte];
        self->first[byte] = (int16_t)i;
    }
    ask_all(request, begins_with, (dbal_bytes){NULL, 0}, self);
    return self->longest[0];
}

static bool
contains(dbal_bytes secret, dbal_bytes text, void *arg)
{
    (void)arg;
    return memmem(secret.data, secret.size, text.data, text.size) != NULL;
}

/* digits at `at` that are the number of an integer among the parameters; 0 for none */
static size_t
integer_size(const char *at, const char *stop, const dbal_request *request)
{
    size_t size = 0, count = dbal_request_parameter_count(request);
    uint64_t number = 0;
    for (; at + size < stop && at[size] >= '0' && at[size] <= '9' && size < 20; size++)
        number = number * 10 + (uint64_t)(at[size] - '0');
    for (size_t i = 0; size != 0 && i < count; i++) {
        dbal_value value = dbal_request_parameter(request, i);
        uint64_t integer = (uint64_t)value.as.integer;
        if (value.type == DBAL_INT64 && (integer == number || 0 - integer == number))
            return size;
    }
    return 0;
}

/* bytes at `at` that are a parameter's; 0 for none */
static size_t
secret_size(window *secrets, const char *text, const char *at, const dbal_request *request,
            bool pieces)
{
    const char *stop = secrets->stop;
    size_t size = longest_at(secrets, text, at, request);
    if (size == 0 && pieces && (at == text || !is_word(at[-1])))
        size = integer_size(at, stop, request);
    if (size != 0 || !pieces || at == text || at[-1] != '"')
        return size;
    const char *quote = memchr(at, '"', (size_t)(stop - at));
    size = quote != NULL ? (size_t)(quote - at) : 0;
    if (size == 0 || !ask_all(request, contains, (dbal_bytes){at, size}, NULL))
        return 0;
    return size;
}

void
dbal__postgres_secret_hide(const char *text, const dbal_request *request, bool pieces,
                           char to[DBAL__POSTGRES_SECRET_ROOM])
{
    writer w = {to, 0};
    const char *at = text, *stop = text + strlen(text);
    window secrets = {.from = text, .end = text, .stop = stop};
    bool any = request != NULL && dbal_request_parameter_count(request) != 0;
    if (!any) {
        put(&w, text, (size_t)(stop - text));
        at = text + w.size;
    }
    while (at < stop && !is_full(&w)) {
        size_t size = secret_size(&secrets, text, at, request, pieces);
        put(&w, size != 0 ? HIDDEN : at, size != 0 ? sizeof HIDDEN - 1 : 1);
        at += size != 0 ? size : 1;
    }
    end(&w, at < stop);
}

bool
dbal__postgres_secret_key(const char *detail, char to[DBAL__POSTGRES_SECRET_ROOM])
{
    writer w = {to, 0};
    const char *values = strstr(detail, ")=("), *after = strrchr(detail, ')');
    if (values == NULL || after < values + 3)
        return false;
    put(&w, detail, (size_t)(values - detail));
    put(&w, ")=(", 3);
    put(&w, HIDDEN, sizeof HIDDEN - 1);
    put(&w, after, strlen(after));
    end(&w, false);
    return true;
}
