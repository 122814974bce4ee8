#include "dbal/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "dbal/alloc.h"

enum { CLASSES = DBAL_ERROR_APPLICATION + 1, EXECUTIONS = DBAL_EXECUTION_UNKNOWN + 1 };

/* Longer texts are cut, so that one error stays small. */
enum { TEXT_MAX = 8192, WHERE_MAX = 200 };

struct dbal_error {
    atomic_uint refs;
    bool constant; /* never freed or changed */
    dbal_error_class error_class;
    dbal_execution execution;
    char sqlstate[6];
    bool connection_lost, retryable;
    int vendor_code, position;
    char *detail, *hint, *constraint;
    char *message;
    char *where;
    dbal_error *cause;
};

#define CONSTANT(c, e, text)                                                                       \
    {                                                                                              \
        .constant = true, .error_class = (c), .execution = (e), .message = (char *)(text)          \
    }
#define CONSTANTS(c, text)                                                                         \
    [c] = {CONSTANT(c, DBAL_EXECUTION_NOT_SENT, text), CONSTANT(c, DBAL_EXECUTION_FAILED, text),   \
           CONSTANT(c, DBAL_EXECUTION_UNKNOWN, text)}

/* One for each class and execution: an error that can be given when there is no memory for one. */
static dbal_error constants[CLASSES][EXECUTIONS] = {
    CONSTANTS(DBAL_ERROR_INTERFACE, "dbal was misused"),
    CONSTANTS(DBAL_ERROR_DATA, "a value does not fit"),
    CONSTANTS(DBAL_ERROR_OPERATIONAL, "the database failed"),
    CONSTANTS(DBAL_ERROR_INTEGRITY, "a constraint was violated"),
    CONSTANTS(DBAL_ERROR_INTERNAL, "an internal error"),
    CONSTANTS(DBAL_ERROR_PROGRAMMING, "the SQL is wrong"),
    CONSTANTS(DBAL_ERROR_NOT_SUPPORTED, "not supported"),
    CONSTANTS(DBAL_ERROR_CANCELLED, "cancelled"),
    CONSTANTS(DBAL_ERROR_TIMEOUT, "the time was up"),
    CONSTANTS(DBAL_ERROR_POOL_EXHAUSTED, "no connection became free in time"),
    CONSTANTS(DBAL_ERROR_QUEUE_FULL, "too much is waiting already"),
    CONSTANTS(DBAL_ERROR_CLOSED, "closed"),
    CONSTANTS(DBAL_ERROR_NO_MEMORY, "out of memory"),
    CONSTANTS(DBAL_ERROR_APPLICATION, "the application failed"),
};

dbal_error *
dbal__error_constant(dbal_error_class error_class, dbal_execution execution)
{
    if ((int)error_class < DBAL_ERROR_INTERFACE || (int)error_class >= CLASSES)
        error_class = DBAL_ERROR_INTERNAL;
    return &constants[error_class][execution];
}

static dbal_error *
out_of_memory(void)
{
    return dbal__error_constant(DBAL_ERROR_NO_MEMORY, DBAL_EXECUTION_NOT_SENT);
}

static const dbal_error *
or_out_of_memory(const dbal_error *error)
{
    return error != NULL ? error : out_of_memory();
}

/* A length that cuts no character of UTF-8: less than `size` when one goes on behind it. */
static size_t
whole(const char *text, size_t size)
{
    size_t end = size;
    while (end > 0 && size - end < 4 && ((unsigned char)text[end - 1] & 0xc0) == 0x80)
        end--;
    unsigned char lead = end > 0 ? (unsigned char)text[end - 1] : 0;
    size_t wanted = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
    return lead < 0xc0 || size - end + 1 == wanted ? size : end - 1;
}

/* printf into memory of its own, cut at TEXT_MAX; NULL without memory */
static char *
print(const char *format, va_list arguments)
{
    va_list again;
    va_copy(again, arguments);
    int size = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (size < 0)
        return dbal__strdup("");
    size_t room = (size_t)size < TEXT_MAX ? (size_t)size + 1 : TEXT_MAX;
    char *text = dbal__alloc(room);
    if (text == NULL)
        return NULL;
    vsnprintf(text, room, format, arguments);
    if (size >= TEXT_MAX)
        text[whole(text, TEXT_MAX - 1)] = '\0';
    return text;
}

static dbal_error *
make(dbal_error_class error_class, dbal_execution execution, const char *format, va_list arguments)
{
    dbal_error *error = dbal__zalloc(sizeof *error);
    if (error == NULL)
        return dbal__error_constant(error_class, execution);
    error->message = print(format, arguments);
    if (error->message == NULL) {
        dbal__free(error);
        return dbal__error_constant(error_class, execution);
    }
    atomic_init(&error->refs, 1);
    error->error_class = error_class;
    error->execution = execution;
    return error;
}

static bool
is_constant(const dbal_error *error)
{
    return error->constant;
}

static void
set_sqlstate(dbal_error *error, const char *sqlstate)
{
    if (sqlstate != NULL && !is_constant(error))
        snprintf(error->sqlstate, sizeof error->sqlstate, "%s", sqlstate);
}

dbal_error *
dbal_error_new(dbal_error_class error_class, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    dbal_error *error = make(error_class, DBAL_EXECUTION_NOT_SENT, format, arguments);
    va_end(arguments);
    return error;
}

dbal_error *
dbal__error_make(dbal_error_class error_class, const char *sqlstate, dbal_execution execution,
                 const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    dbal_error *error = make(error_class, execution, format, arguments);
    va_end(arguments);
    set_sqlstate(error, sqlstate);
    return error;
}

dbal_error *
dbal__error_because(dbal_error *cause, dbal_error_class error_class, const char *sqlstate,
                    dbal_execution execution, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    dbal_error *error = make(error_class, execution, format, arguments);
    va_end(arguments);
    set_sqlstate(error, sqlstate);
    if (cause != NULL && !is_constant(error))
        error->cause = dbal_error_ref(cause);
    return error;
}

/* what a wrapper keeps of its cause */
static void
inherit(dbal_error *error, const dbal_error *cause)
{
    memcpy(error->sqlstate, cause->sqlstate, sizeof error->sqlstate);
    error->connection_lost = cause->connection_lost;
    error->retryable = cause->retryable;
    error->vendor_code = cause->vendor_code;
}

dbal_error *
dbal_error_wrap(dbal_error *cause, const char *format, ...)
{
    if (cause == NULL)
        cause = out_of_memory();
    va_list arguments;
    va_start(arguments, format);
    dbal_error *error = make(cause->error_class, cause->execution, format, arguments);
    va_end(arguments);
    if (is_constant(error))
        return dbal_error_ref(cause);
    inherit(error, cause);
    error->cause = dbal_error_ref(cause);
    return error;
}

void
dbal__error_give(dbal_error **ret_error, dbal_error *error)
{
    if (ret_error != NULL)
        *ret_error = error;
    else
        dbal_error_unref(error);
}

static char *
copy_or_null(const char *text)
{
    return text != NULL ? dbal__strndup(text, whole(text, strnlen(text, TEXT_MAX))) : NULL;
}

dbal_error *
dbal__error_copy(dbal_error *error, dbal_execution execution)
{
    if (is_constant(error))
        return dbal__error_constant(error->error_class, execution);
    dbal_error *copy =
        dbal__error_make(error->error_class, error->sqlstate, execution, "%s", error->message);
    if (is_constant(copy))
        return copy;
    inherit(copy, error);
    copy->retryable = error->retryable && execution != DBAL_EXECUTION_UNKNOWN;
    copy->position = error->position;
    copy->detail = copy_or_null(error->detail);
    copy->hint = copy_or_null(error->hint);
    copy->constraint = copy_or_null(error->constraint);
    copy->where = copy_or_null(error->where);
    copy->cause = dbal_error_ref(error->cause);
    return copy;
}

dbal_error *
dbal__error_with_execution(dbal_error *error, dbal_execution execution)
{
    if (error->execution == execution)
        return error;
    dbal_error *copy = dbal__error_copy(error, execution);
    dbal_error_unref(error);
    return copy;
}

dbal_error *
dbal_error_ref(dbal_error *error)
{
    if (error != NULL && !is_constant(error))
        atomic_fetch_add_explicit(&error->refs, 1, memory_order_relaxed);
    return error;
}

dbal_error *
dbal_error_unref(dbal_error *error)
{
    while (error != NULL && !is_constant(error) &&
           atomic_fetch_sub_explicit(&error->refs, 1, memory_order_acq_rel) == 1) {
        dbal_error *cause = error->cause;
        dbal__free(error->detail);
        dbal__free(error->hint);
        dbal__free(error->constraint);
        dbal__free(error->message);
        dbal__free(error->where);
        dbal__free(error);
        error = cause;
    }
    return NULL;
}

dbal_error_class
dbal_error_kind(const dbal_error *error)
{
    return or_out_of_memory(error)->error_class;
}

bool
dbal_error_is(const dbal_error *error, dbal_error_class error_class)
{
    return dbal_error_kind(error) == error_class;
}

const char *
dbal_error_message(const dbal_error *error)
{
    return or_out_of_memory(error)->message;
}

const char *
dbal_error_sqlstate(const dbal_error *error)
{
    return or_out_of_memory(error)->sqlstate;
}

int
dbal_error_vendor_code(const dbal_error *error)
{
    return or_out_of_memory(error)->vendor_code;
}

const char *
dbal_error_detail(const dbal_error *error)
{
    return or_out_of_memory(error)->detail;
}

const char *
dbal_error_hint(const dbal_error *error)
{
    return or_out_of_memory(error)->hint;
}

const char *
dbal_error_constraint(const dbal_error *error)
{
    return or_out_of_memory(error)->constraint;
}

int
dbal_error_position(const dbal_error *error)
{
    return or_out_of_memory(error)->position;
}

bool
dbal_error_connection_lost(const dbal_error *error)
{
    return or_out_of_memory(error)->connection_lost;
}

bool
dbal_error_retryable(const dbal_error *error)
{
    /* whatever the driver says: what may have taken effect must not be sent again blindly */
    error = or_out_of_memory(error);
    return error->retryable && error->execution != DBAL_EXECUTION_UNKNOWN;
}

dbal_execution
dbal_error_execution(const dbal_error *error)
{
    return or_out_of_memory(error)->execution;
}

dbal_error *
dbal_error_cause(const dbal_error *error)
{
    return or_out_of_memory(error)->cause;
}

const char *
dbal_error_class_name(dbal_error_class error_class)
{
    static const char *const names[CLASSES] = {
        [DBAL_ERROR_INTERFACE] = "interface",
        [DBAL_ERROR_DATA] = "data",
        [DBAL_ERROR_OPERATIONAL] = "operational",
        [DBAL_ERROR_INTEGRITY] = "integrity",
        [DBAL_ERROR_INTERNAL] = "internal",
        [DBAL_ERROR_PROGRAMMING] = "programming",
        [DBAL_ERROR_NOT_SUPPORTED] = "not supported",
        [DBAL_ERROR_CANCELLED] = "cancelled",
        [DBAL_ERROR_TIMEOUT] = "timeout",
        [DBAL_ERROR_POOL_EXHAUSTED] = "pool exhausted",
        [DBAL_ERROR_QUEUE_FULL] = "queue full",
        [DBAL_ERROR_CLOSED] = "closed",
        [DBAL_ERROR_NO_MEMORY] = "no memory",
        [DBAL_ERROR_APPLICATION] = "application",
    };
    if ((int)error_class < DBAL_ERROR_INTERFACE || (int)error_class >= CLASSES)
        return "unknown";
    return names[error_class];
}

dbal_error *
dbal__error_lost(dbal_error *cause, dbal_execution execution)
{
    const char *sqlstate = cause != NULL && cause->sqlstate[0] != '\0' ? cause->sqlstate : "08006";
    dbal_error *error = dbal__error_because(
        cause, DBAL_ERROR_OPERATIONAL, sqlstate, execution, "the connection was lost%s%s",
        cause != NULL ? ": " : "", cause != NULL ? cause->message : "");
    if (is_constant(error))
        return error;
    error->connection_lost = true;
    error->retryable = execution != DBAL_EXECUTION_UNKNOWN;
    return error;
}

void
dbal__error_set_retryable(dbal_error *error)
{
    if (!is_constant(error))
        error->retryable = true;
}

static void
replace_text(char **place, const char *text)
{
    dbal__free(*place);
    *place = copy_or_null(text);
}

void
dbal__error_set_hint(dbal_error *error, const char *text)
{
    if (!is_constant(error))
        replace_text(&error->hint, text);
}

void
dbal__error_set_position(dbal_error *error, int position)
{
    if (!is_constant(error))
        error->position = position;
}

void
dbal__error_set_label(dbal_error *error, const char *label)
{
    if (is_constant(error))
        return;
    size_t size = whole(label, strnlen(label, WHERE_MAX)), rest = strlen(error->message);
    char *message = dbal__alloc(size + 2 + rest + 1);
    if (message == NULL)
        return;
    memcpy(message, label, size);
    memcpy(message + size, ": ", 2);
    memcpy(message + size + 2, error->message, rest + 1);
    dbal__free(error->message);
    error->message = message;
}

void
dbal__error_set_where(dbal_error *error, const char *where)
{
    if (is_constant(error) || error->where != NULL || where == NULL)
        return;
    error->where = dbal__strndup(where, strnlen(where, WHERE_MAX));
}

const char *
dbal__error_where(const dbal_error *error)
{
    while (error != NULL && error->where == NULL)
        error = error->cause;
    return error != NULL ? error->where : NULL;
}

void
dbal_fault_set(dbal_fault *fault, dbal_error_class error_class, const char *sqlstate,
               const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    dbal_error *error = make(error_class, DBAL_EXECUTION_FAILED, format, arguments);
    va_end(arguments);
    set_sqlstate(error, sqlstate);
    dbal_error_unref(fault->error);
    fault->error = error;
}

/* the fault's error, when it may still be changed */
static dbal_error *
open_error(dbal_fault *fault)
{
    return fault->error == NULL || is_constant(fault->error) ? NULL : fault->error;
}

void
dbal_fault_set_detail(dbal_fault *fault, const char *text)
{
    dbal_error *error = open_error(fault);
    if (error != NULL)
        replace_text(&error->detail, text);
}

void
dbal_fault_set_hint(dbal_fault *fault, const char *text)
{
    dbal_error *error = open_error(fault);
    if (error != NULL)
        replace_text(&error->hint, text);
}

void
dbal_fault_set_constraint(dbal_fault *fault, const char *text)
{
    dbal_error *error = open_error(fault);
    if (error != NULL)
        replace_text(&error->constraint, text);
}

void
dbal_fault_set_vendor_code(dbal_fault *fault, int code)
{
    dbal_error *error = open_error(fault);
    if (error != NULL)
        error->vendor_code = code;
}

void
dbal_fault_set_position(dbal_fault *fault, int position)
{
    dbal_error *error = open_error(fault);
    if (error != NULL)
        error->position = position;
}

void
dbal_fault_set_connection_lost(dbal_fault *fault, bool lost)
{
    dbal_error *error = open_error(fault);
    if (error != NULL)
        error->connection_lost = lost;
}

void
dbal_fault_set_retryable(dbal_fault *fault, bool retryable)
{
    dbal_error *error = open_error(fault);
    if (error != NULL)
        error->retryable = retryable;
}

void
dbal_fault_set_execution(dbal_fault *fault, dbal_execution execution)
{
    dbal_error *error = open_error(fault);
    if (error != NULL)
        error->execution = execution;
    else if (fault->error != NULL)
        fault->error = dbal__error_constant(fault->error->error_class, execution);
}

void
dbal_fault_set_needs_token(dbal_fault *fault)
{
    fault->needs_token = true;
}

bool
dbal_fault_is_set(const dbal_fault *fault)
{
    return fault->error != NULL;
}

dbal_error *
dbal__fault_take(dbal_fault *fault)
{
    dbal_error *error = fault->error;
    fault->error = NULL;
    if (error == NULL)
        error = dbal__error_make(DBAL_ERROR_INTERNAL, NULL, DBAL_EXECUTION_UNKNOWN,
                                 "the driver failed without saying why");
    return error;
}

void
dbal_fault_clear(dbal_fault *fault)
{
    fault->error = dbal_error_unref(fault->error);
    fault->needs_token = false;
}

dbal_error *
dbal__error_no_thread(int code)
{
    return dbal__error_make(
        code == ENOMEM ? DBAL_ERROR_NO_MEMORY : DBAL_ERROR_OPERATIONAL, "53000",
        DBAL_EXECUTION_NOT_SENT, "no thread could be started for a connection: %s",
        strerrordesc_np(code) != NULL ? strerrordesc_np(code) : "unknown reason");
}
