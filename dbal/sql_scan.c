#include "dbal/sql_scan.h"

#include "dbal/alloc.h"
#include "dbal/sql_char.h"
#include "dbal/sql_extent.h"
#include "dbal/sql_refusal.h"
#include "dbal/sql_token.h"
#include "dbal/sql_utf8.h"

typedef struct scanner {
    const char *text;
    dbal__sql_uses *uses;
    dbal_fault *fault;
    dbal__sql_lexer lexer;
    dbal__sql_extent extent;
    bool ended;    /* behind the statement's `;` */
    bool numbered; /* a $n was met */
    bool doubtful; /* all names met so far may as well be the end of a slice: a[:n] */
    bool again;    /* it is in numbered style, so that a[:n] was a slice: once more, knowing that */
    uint64_t brackets; /* innermost in bit 0: 1 for a subscript, 0 for anything else */
    dbal_sql_token previous;
} scanner;

static size_t
position(const scanner *scan, dbal_sql_token token)
{
    return (size_t)(token.start - scan->text) + 1;
}

#define REFUSE(scan, token, ...)                                                                   \
    (dbal__sql_refuse((scan)->fault, DBAL_ERROR_PROGRAMMING, "42601", position(scan, token),       \
                      __VA_ARGS__),                                                                \
     false)

static int
shown(dbal_sql_token token)
{
    return (int)dbal__utf8_clip(token.start, token.size, DBAL__SQL_SHOWN);
}

static bool
refuse_broken(const scanner *scan, dbal_sql_token token)
{
    const char *what = *token.start == '/' ? "comment" : "quote";
    return REFUSE(scan, token, NULL, "a %s that begins at byte %zu of the SQL never ends", what,
                  position(scan, token));
}

static bool
refuse_mixed(const scanner *scan, dbal_sql_token token)
{
    return REFUSE(scan, token, "write all of a statement's parameters as $n, or all as :name",
                  "$n and :name are mixed in one statement, at byte %zu", position(scan, token));
}

static bool
add_use(scanner *scan, dbal_sql_token token, uint32_t number)
{
    dbal__sql_uses *uses = scan->uses;
    if (uses->count == uses->room) {
        size_t room = uses->room != 0 ? uses->room * 2 : 8;
        dbal__sql_use *items = dbal__realloc(uses->items, room * sizeof *items);
        if (items == NULL) {
            dbal__sql_refuse_memory(scan->fault);
            return false;
        }
        uses->items = items;
        uses->room = room;
    }
    uses->items[uses->count++] =
        (dbal__sql_use){(uint32_t)(token.start - scan->text), (uint32_t)token.size, number};
    return true;
}

/* The n of $n, from 0; UINT32_MAX for $0. A number too great to hold is as good as the greatest. */
static uint32_t
number_of(dbal_sql_token token)
{
    uint64_t number = 0;
    for (size_t i = 1; i < token.size && number < UINT32_MAX; i++)
        number = number * 10 + (uint64_t)(token.start[i] - '0');
    return number < UINT32_MAX ? (uint32_t)number - 1 : UINT32_MAX - 1;
}

static bool
take_number(scanner *scan, dbal_sql_token token)
{
    uint32_t number = number_of(token);
    if (number == UINT32_MAX)
        return REFUSE(scan, token, NULL, "there is no parameter %.*s: the first is $1",
                      shown(token), token.start);
    if (scan->uses->named)
        return refuse_mixed(scan, token);
    scan->numbered = true;
    return add_use(scan, token, number);
}

/* What an operand may end with: a colon behind it, inside a subscript, is a slice's. */
static bool
ends_operand(dbal_sql_token token)
{
    static const char *const keywords[] = {"and",  "or",      "not",  "case",  "when", "then",
                                           "else", "between", "like", "ilike", "in",   NULL};
    for (const char *const *word = keywords; *word != NULL; word++)
        if (dbal_sql_token_is(token, *word))
            return false;
    switch (token.kind) {
    case DBAL_SQL_WORD:
    case DBAL_SQL_IDENTIFIER:
    case DBAL_SQL_STRING:
    case DBAL_SQL_NUMBER:
    case DBAL_SQL_PARAMETER:
        return true;
    default:
        return dbal__sql_token_is_byte(token, ')') || dbal__sql_token_is_byte(token, ']');
    }
}

static bool
opens_slice(const scanner *scan)
{
    return (scan->brackets & 1) != 0 && dbal__sql_token_is_byte(scan->previous, '[');
}

/* Whether this colon belongs to a slice, as in a[x:y], and the name behind it is a column's. */
static bool
is_slice_colon(const scanner *scan)
{
    if ((scan->brackets & 1) == 0)
        return false;
    return ends_operand(scan->previous) || (scan->numbered && opens_slice(scan));
}

static bool
take_name(scanner *scan, dbal_sql_token token)
{
    if (scan->numbered)
        return refuse_mixed(scan, token);
    scan->doubtful = (!scan->uses->named || scan->doubtful) && opens_slice(scan);
    scan->uses->named = true;
    return add_use(scan, token, 0);
}

static bool
is_number(dbal_sql_token token)
{
    size_t size = 1;
    while (size < token.size && dbal__sql_is_digit(token.start[size]))
        size++;
    return *token.start == '$' && size == token.size && size > 1;
}

static bool
is_name(dbal_sql_token token)
{
    if (*token.start != ':' || !dbal__sql_is_letter(token.start[1]))
        return false;
    size_t size = 2;
    while (size < token.size && dbal__sql_is_name(token.start[size]))
        size++;
    return size == token.size;
}

static bool
take_parameter(scanner *scan, dbal_sql_token token)
{
    const char *const hint = "parameters are written as $1 or :name";
    if (!is_number(token) && !is_name(token))
        return REFUSE(scan, token, hint, "%.*s at byte %zu is no parameter that dbal knows",
                      shown(token), token.start, position(scan, token));
    if (dbal__sql_is_word(token.start[token.size]))
        return REFUSE(scan, token, hint, "the parameter %.*s at byte %zu runs into what follows",
                      shown(token), token.start, position(scan, token));
    if (scan->lexer.conditional)
        return REFUSE(scan, token, NULL,
                      "the parameter %.*s at byte %zu is inside a comment that is run on some "
                      "servers only",
                      shown(token), token.start, position(scan, token));
    return is_name(token) ? take_name(scan, token) : take_number(scan, token);
}

static void
take_bracket(scanner *scan, dbal_sql_token token)
{
    if (dbal__sql_token_is_byte(token, '(')) {
        scan->brackets <<= 1;
    } else if (dbal__sql_token_is_byte(token, '[')) {
        bool subscript =
            ends_operand(scan->previous) && !dbal_sql_token_is(scan->previous, "array");
        scan->brackets = scan->brackets << 1 | (subscript ? 1 : 0);
    } else if (dbal__sql_token_is_byte(token, ')') || dbal__sql_token_is_byte(token, ']')) {
        scan->brackets >>= 1;
    }
}

static bool
take_semicolon(scanner *scan, dbal_sql_token token)
{
    if (scan->previous.kind == DBAL_SQL_END)
        return REFUSE(scan, token, NULL, "the statement is empty");
    scan->ended = dbal__sql_extent_feed(&scan->extent, token);
    return true;
}

static bool
take_token(scanner *scan, dbal_sql_token *token)
{
    if (token->kind == DBAL_SQL_BROKEN)
        return refuse_broken(scan, *token);
    if (token->kind == DBAL_SQL_SEMICOLON)
        return scan->ended || take_semicolon(scan, *token);
    if (scan->ended)
        return REFUSE(scan, *token, "dbal_connection_script() runs several statements",
                      "a second statement begins at byte %zu", position(scan, *token));
    dbal__sql_extent_feed(&scan->extent, *token);
    if (token->kind == DBAL_SQL_PARAMETER && *token->start == ':' && is_slice_colon(scan)) {
        scan->lexer.cursor = token->start + 1;
        *token = (dbal_sql_token){DBAL_SQL_OPERATOR, token->start, 1};
    } else if (token->kind == DBAL_SQL_PARAMETER) {
        return take_parameter(scan, *token);
    }
    take_bracket(scan, *token);
    return true;
}

static bool
take_end(const scanner *scan, dbal_sql_token token)
{
    if (scan->previous.kind == DBAL_SQL_END)
        return REFUSE(scan, token, NULL, "the statement is empty");
    if (scan->lexer.conditional)
        return REFUSE(scan, token, NULL, "a /*! comment never ends");
    return true;
}

static bool
take_all(scanner *scan)
{
    for (;;) {
        dbal_sql_token token = dbal__sql_lexer_next(&scan->lexer);
        if (token.kind == DBAL_SQL_END)
            return take_end(scan, token);
        /* a[:e'…' read as a name may leave a quote open that is closed when it is a slice */
        if (scan->doubtful && (token.kind == DBAL_SQL_BROKEN ||
                               (token.kind == DBAL_SQL_PARAMETER && is_number(token))))
            return scan->again = true;
        if (!take_token(scan, &token))
            return false;
        scan->previous = token;
    }
}

bool
dbal__sql_uses_find(dbal__sql_uses *uses, dbal_dialect dialect, const char *text, dbal_fault *fault)
{
    scanner scan = {.again = true};
    for (bool numbered = false; scan.again; numbered = true) {
        scan = (scanner){.text = text, .uses = uses, .fault = fault, .numbered = numbered};
        scan.lexer = (dbal__sql_lexer){dialect, text, false};
        dbal__sql_extent_init(&scan.extent, dialect);
        uses->count = 0;
        uses->named = false;
        if (!take_all(&scan))
            return false;
    }
    return true;
}

void
dbal__sql_uses_fini(dbal__sql_uses *uses)
{
    dbal__free(uses->items);
    *uses = (dbal__sql_uses){0};
}
