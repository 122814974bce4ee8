#include "reasons.h"

#include <string.h>

/* Texts of so many bytes are kept; enough for a dozen long ones. */
enum { ROOM = 8192 };

bool
dbal__postgres_reasons_init(dbal__postgres_reasons *reasons, dbal_fault *fault)
{
    *reasons = (dbal__postgres_reasons){.text = dbal_driver_alloc(ROOM)};
    if (reasons->text != NULL)
        return true;
    dbal_fault_set(fault, DBAL_ERROR_NO_MEMORY, "53200", "out of memory");
    return false;
}

/* One that may pass speaks for those that may not, since then all may pass; what a server says, for
 * what is said of one that was not reached. */
static int
weight(const dbal__postgres_reason *reason)
{
    return (reason->final ? 8 : 0) + (reason->passing ? 4 : 0) +
           (strcmp(reason->sqlstate, "08001") != 0 ? 2 : 0) +
           (reason->error_class != DBAL_ERROR_TIMEOUT ? 1 : 0);
}

static void
append(dbal__postgres_reasons *reasons, const char *text)
{
    size_t size = strlen(text), between = reasons->used > 0 ? 2 : 0;
    if (reasons->used + between + size + sizeof "; …" > ROOM) {
        if (reasons->used + sizeof "; …" <= ROOM && strcmp(reasons->text + reasons->used - 3, "…"))
            reasons->used = (size_t)(stpcpy(reasons->text + reasons->used, "; …") - reasons->text);
        return;
    }
    memcpy(reasons->text + reasons->used, "; ", between);
    memcpy(reasons->text + reasons->used + between, text, size + 1);
    reasons->used += between + size;
}

void
dbal__postgres_reasons_add(dbal__postgres_reasons *reasons, const dbal__postgres_reason *reason)
{
    if (reasons->count++ == 0 || weight(reason) > weight(&reasons->chief))
        reasons->chief = *reason;
    reasons->decided = reason->final || reason->error_class == DBAL_ERROR_NO_MEMORY;
    append(reasons, reason->text);
}

void
dbal__postgres_reasons_tell(const dbal__postgres_reasons *reasons, dbal_fault *fault)
{
    const dbal__postgres_reason *chief = &reasons->chief;
    if (reasons->count == 0)
        dbal_fault_set(fault, DBAL_ERROR_TIMEOUT, "08001",
                       "the time was up before a connection was tried");
    else if (chief->error_class == DBAL_ERROR_NO_MEMORY)
        dbal_fault_set(fault, DBAL_ERROR_NO_MEMORY, "53200", "out of memory");
    else if (reasons->count == 1)
        dbal_fault_set(fault, chief->error_class, chief->sqlstate, "%s", chief->text);
    else
        dbal_fault_set(fault, chief->error_class, chief->sqlstate,
                       "none of %d attempts to connect succeeded: %s", reasons->count,
                       reasons->text);
    dbal_fault_set_retryable(fault, reasons->count == 0 || chief->passing);
    if (chief->detail[0] != '\0')
        dbal_fault_set_detail(fault, chief->detail);
    if (chief->hint[0] != '\0')
        dbal_fault_set_hint(fault, chief->hint);
}

void
dbal__postgres_reasons_fini(dbal__postgres_reasons *reasons)
{
    dbal_driver_free(reasons->text);
    reasons->text = NULL;
}
