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

/* whether the text begins with the secret as a whole; keeps the longest */
static bool
begins_with(dbal_bytes secret, dbal_bytes text, void *arg)
{
    size_t *longest = arg;
    const char *at = text.data, *value = secret.data;
    if (secret.size <= *longest || secret.size > text.size || *at != *value ||
        memcmp(at, value, secret.size) != 0)
        return false;
    bool goes_on =
        secret.size < text.size && is_word(at[secret.size - 1]) && is_word(at[secret.size]);
    if (!goes_on)
        *longest = secret.size;
    return false;
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
secret_size(const char *text, const char *at, const char *stop, const dbal_request *request,
            bool pieces)
{
    size_t size = 0;
    if (at == text || !is_word(at[-1]) || !is_word(*at))
        ask_all(request, begins_with, (dbal_bytes){at, (size_t)(stop - at)}, &size);
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
    bool any = request != NULL && dbal_request_parameter_count(request) != 0;
    if (!any) {
        put(&w, text, (size_t)(stop - text));
        at = text + w.size;
    }
    while (at < stop && !is_full(&w)) {
        size_t size = secret_size(text, at, stop, request, pieces);
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
