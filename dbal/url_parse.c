#include "dbal/url_parse.h"

#include <stdbool.h>
#include <string.h>

#include "dbal/alloc.h"
#include "dbal/sql_char.h"

/* The most bytes of a parameter's name that a message shows. */
enum { SHOWN = 64 };

typedef struct parse_state {
    dbal_url *url;
    dbal_fault *fault;
    dbal__url_pair *pairs; /* all of them, settings too */
    size_t pair_count;
    size_t moved; /* how far what is being parsed was moved to the front */
} parse_state;

static const char in_password[] = "in a password, / ? @ and % are written %2F %3F %40 and %25";

/* No message shows the URL's text: a password with a `/` in it may be anywhere. */
#define REFUSE(parser, hint, ...)                                                                  \
    (dbal_fault_set((parser)->fault, DBAL_ERROR_INTERFACE, NULL, __VA_ARGS__),                     \
     finish_refusal((parser)->fault, hint))

static bool
finish_refusal(dbal_fault *fault, const char *hint)
{
    dbal_fault_set_execution(fault, DBAL_EXECUTION_NOT_SENT);
    if (hint != NULL)
        dbal_fault_set_hint(fault, hint);
    return false;
}

static bool
refuse_memory(dbal_fault *fault)
{
    dbal_fault_set(fault, DBAL_ERROR_NO_MEMORY, NULL, "no memory for a URL");
    dbal_fault_set_execution(fault, DBAL_EXECUTION_NOT_SENT);
    return false;
}

static size_t
place(const parse_state *parser, const char *at)
{
    return (size_t)(at - parser->url->memory) + parser->moved + 1;
}

static int
hex_digit(char c)
{
    c = dbal__sql_lower(c);
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte that %XX stands for; -1 when it is none, 0 when it is the one that cannot be. */
static int
escaped_byte(const char *escape)
{
    int high = hex_digit(escape[1]);
    int low = high < 0 ? -1 : hex_digit(escape[2]);
    return low < 0 ? -1 : high * 16 + low;
}

static bool
decode(const parse_state *parser, char *text)
{
    char *to = text;
    for (const char *from = text; *from != '\0'; from++) {
        char c = *from;
        if (c == '%') {
            int byte = escaped_byte(from);
            if (byte <= 0)
                return REFUSE(parser, "a % itself is written %25",
                              byte < 0 ? "byte %zu of the URL: %% without two hexadecimal digits"
                                       : "byte %zu of the URL: %%00 is not allowed",
                              place(parser, from));
            c = (char)byte;
            from += 2;
        }
        *to++ = c;
    }
    *to = '\0';
    return true;
}

/* Ends the text before this byte and gives what is behind it; NULL when it is not there. */
static char *
cut(char *text, char byte)
{
    char *at = strchr(text, byte);
    if (at != NULL)
        *at++ = '\0';
    return at;
}

bool
dbal__url_is_scheme(const char *scheme)
{
    if (!dbal__sql_is_letter(*scheme) || (unsigned char)*scheme >= 0x80 || *scheme == '_')
        return false;
    return scheme[strspn(scheme, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "0123456789+-.")] == '\0';
}

static bool
parse_scheme(const parse_state *parser, char *text, char **ret_rest)
{
    char *rest = cut(text, ':');
    if (rest == NULL || !dbal__url_is_scheme(text))
        return REFUSE(parser, "begin with a scheme, as in sqlite:file.db or postgresql://host/db",
                      "the URL has no scheme");
    for (char *c = text; *c != '\0'; c++)
        *c = dbal__sql_lower(*c);
    parser->url->scheme = text;
    *ret_rest = rest;
    return true;
}

/* A password with an unescaped `/` or `?` shows here, as a port that is none. */
static bool
check_port(const parse_state *parser, const char *host, size_t size)
{
    const char *end = host + size;
    const char *close = memrchr(host, ']', size);
    const char *from = close != NULL ? close : host;
    const char *port = memchr(from, ':', (size_t)(end - from));
    if (port != NULL)
        for (const char *digit = port + 1; digit < end; digit++)
            if (!dbal__sql_is_digit(*digit))
                return REFUSE(parser, in_password, "byte %zu of the URL: a port is a number",
                              place(parser, port + 1));
    return true;
}

static bool
parse_hosts(const parse_state *parser, char *hosts)
{
    for (const char *host = hosts;;) {
        size_t size = strcspn(host, ",");
        if (!check_port(parser, host, size))
            return false;
        if (host[size] == '\0')
            break;
        host += size + 1;
    }
    if (!decode(parser, hosts))
        return false;
    parser->url->hosts = *hosts != '\0' ? hosts : NULL;
    return true;
}

static bool
parse_user(const parse_state *parser, char *user)
{
    char *password = cut(user, ':');
    if (!decode(parser, user) || (password != NULL && !decode(parser, password)))
        return false;
    parser->url->user = *user != '\0' ? user : NULL;
    parser->url->password = password;
    return true;
}

/* `user:password@hosts`; an `@` in a password is taken for what it is. */
static bool
parse_authority(parse_state *parser, char *authority)
{
    char *at = strrchr(authority, '@');
    if (at == NULL)
        return parse_hosts(parser, authority);
    *at = '\0';
    return parse_user(parser, authority) && parse_hosts(parser, at + 1);
}

/*
 * `user:12/34@host` would be the port 12, and `user:1@2/3@host` the host 2: rather an `@` refused than a
 * part of a password taken for another, and told.
 */
static bool
check_path(const parse_state *parser, const char *authority, const char *path)
{
    const char *at = strchr(path, '@'), *user = memrchr(authority, '@', (size_t)(path - authority));
    bool no_password = user != NULL && !memchr(authority, ':', (size_t)(user - authority));
    if (at == NULL || authority == path || no_password)
        return true;
    return REFUSE(parser, in_password, "byte %zu of the URL: an @ behind the host",
                  place(parser, at));
}

/* Moves the authority to the front, over `//`, so that it can end in a NUL before the path's `/`. */
static bool
parse_location(parse_state *parser, char *rest)
{
    if (strncmp(rest, "//", 2) != 0) {
        parser->url->path = rest;
        return decode(parser, rest);
    }
    char *authority = rest + 2;
    size_t size = strcspn(authority, "/");
    char *path = authority + size;
    if (!check_path(parser, authority, path) || !decode(parser, path))
        return false;
    parser->url->path = path;
    memmove(rest, authority, size);
    rest[size] = '\0';
    parser->moved = 2;
    bool parsed = parse_authority(parser, rest);
    parser->moved = 0;
    return parsed;
}

static bool
is_shown(const char *name)
{
    size_t size = 0;
    while (dbal__sql_is_name(name[size]) && (unsigned char)name[size] < 0x80)
        size++;
    return name[size] == '\0' && size > 0 && size <= SHOWN;
}

static bool
check_twice(const parse_state *parser, const char *name, size_t at)
{
    for (size_t i = 0; i < parser->pair_count; i++) {
        if (strcmp(parser->pairs[i].name, name) != 0)
            continue;
        if (is_shown(name))
            return REFUSE(parser, NULL, "the URL's parameter %s is given twice", name);
        return REFUSE(parser, NULL, "byte %zu of the URL: a parameter is given twice", at);
    }
    return true;
}

static bool
parse_pair(parse_state *parser, char *name)
{
    size_t at = place(parser, name);
    char *value = cut(name, '=');
    if (value == NULL)
        return REFUSE(parser, "parameters are written name=value, with & between them",
                      "byte %zu of the URL: a parameter has no value", at);
    if (!decode(parser, name) || !decode(parser, value))
        return false;
    if (*name == '\0' || strcmp(name, "pool_") == 0)
        return REFUSE(parser, NULL, "byte %zu of the URL: a parameter has no name", at);
    if (!check_twice(parser, name, at))
        return false;
    parser->pairs[parser->pair_count++] = (dbal__url_pair){name, value};
    return true;
}

static size_t
count_pairs(const char *query)
{
    size_t count = 1;
    for (; (query = strchr(query, '&')) != NULL; query++)
        count++;
    return count;
}

static bool
parse_query(parse_state *parser, char *query)
{
    if (query == NULL || *query == '\0')
        return true;
    parser->pairs = dbal__array(count_pairs(query), sizeof *parser->pairs);
    if (parser->pairs == NULL)
        return refuse_memory(parser->fault);
    while (query != NULL) {
        char *next = cut(query, '&');
        if (!parse_pair(parser, query))
            return false;
        query = next;
    }
    return true;
}

static bool
is_setting(const char *name)
{
    return strncmp(name, "pool_", 5) == 0;
}

/* The pool's own apart from the driver's. */
static bool
sort_pairs(const parse_state *parser)
{
    dbal_url *url = parser->url;
    if (parser->pair_count == 0)
        return true;
    url->parameters.items = dbal__array(parser->pair_count, sizeof(dbal__url_pair));
    url->settings.items = dbal__array(parser->pair_count, sizeof(dbal__url_pair));
    if (url->parameters.items == NULL || url->settings.items == NULL)
        return refuse_memory(parser->fault);
    for (size_t i = 0; i < parser->pair_count; i++) {
        dbal__url_pair pair = parser->pairs[i];
        if (is_setting(pair.name)) {
            pair.name += 5;
            url->settings.items[url->settings.count++] = pair;
        } else {
            url->parameters.items[url->parameters.count++] = pair;
        }
    }
    return true;
}

static bool
parse(parse_state *parser)
{
    char *rest;
    if (!parse_scheme(parser, parser->url->memory, &rest))
        return false;
    char *query = cut(rest, '?');
    return parse_location(parser, rest) && parse_query(parser, query) && sort_pairs(parser);
}

static dbal_url *
make(const char *text)
{
    dbal_url *url = dbal__zalloc(sizeof *url);
    if (url == NULL)
        return NULL;
    url->memory_size = strlen(text) + 1;
    url->memory = dbal__strndup(text, url->memory_size - 1);
    if (url->memory != NULL)
        return url;
    dbal__url_free(url);
    return NULL;
}

dbal_url *
dbal__url_new(const char *text, dbal_fault *fault)
{
    dbal_url *url = make(text != NULL ? text : "");
    if (url == NULL) {
        refuse_memory(fault);
        return NULL;
    }
    parse_state parser = {.url = url, .fault = fault};
    bool parsed = parse(&parser);
    dbal__free(parser.pairs);
    if (parsed)
        return url;
    dbal__url_free(url);
    return NULL;
}
