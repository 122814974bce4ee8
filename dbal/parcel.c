#include "dbal/parcel.h"

#include <string.h>

#include "dbal/sql_hash.h"
#include "dbal/value.h"
#include <dbal/version.h>

/* ---- who they are -------------------------------------------------------------------------------- */

void
dbal__parcel_greet(dbal__ink *ink)
{
    dbal__ink_u32(ink, DBAL__WIRE_MAGIC);
    dbal__ink_u32(ink, DBAL__WIRE_VERSION);
    dbal__ink_text(ink, DBAL_VERSION);
}

bool
dbal__parcel_greeted(dbal__eye *eye, const char **ret_version)
{
    bool magic = dbal__eye_u32(eye) == DBAL__WIRE_MAGIC;
    bool wire = dbal__eye_u32(eye) == DBAL__WIRE_VERSION;
    const char *version = magic ? dbal__eye_text(eye) : NULL;
    *ret_version = version;
    return wire && version != NULL && strcmp(version, DBAL_VERSION) == 0;
}

/* ---- requests ------------------------------------------------------------------------------------ */

/* What a request begins with; behind it the packed values, then the SQL and a NUL. */
typedef struct head {
    int64_t deadline;
    uint64_t max_result_bytes, batch_rows, batch_bytes;
    uint64_t block_size, sql_size, sql_hash;
    uint32_t value_count;
    int32_t statement_cache;
    uint8_t has_sql, streams, read_only, has_token;
    uint8_t in_order, alone, may_wait, reserved;
} head;

_Static_assert(sizeof(head) % 8 == 0, "what is behind it is aligned");

static dbal__frame_kind
kind_of(const dbal__job *job)
{
    switch (job->kind) {
    case DBAL__JOB_RESET:
        return DBAL__FRAME_RESET;
    case DBAL__JOB_UPKEEP:
        return DBAL__FRAME_UPKEEP;
    case DBAL__JOB_BACKUP:
        return DBAL__FRAME_BACKUP;
    default:
        return DBAL__FRAME_RUN;
    }
}

void
dbal__parcel_put_request(dbal__ink *ink, const dbal__job *job, uint64_t number)
{
    const dbal_request *request = &job->request;
    const dbal__sql *sql = request->sql;
    head first = {
        .deadline = request->deadline,
        .max_result_bytes = request->max_result_bytes,
        .batch_rows = request->batch_rows,
        .batch_bytes = request->batch_bytes,
        .value_count = (uint32_t)request->value_count,
        .statement_cache = request->statement_cache,
        .streams = request->deliver != NULL,
        .read_only = request->read_only,
        .has_token = request->has_token,
        .in_order = request->in_order,
        .alone = job->alone,
        .may_wait = job->may_wait,
    };
    if (request->value_count != 0)
        first.block_size = dbal__packed_size(request->block, request->value_count);
    if (sql != NULL) {
        first.has_sql = true;
        first.sql_size = sql->size;
        first.sql_hash = sql->hash;
    }
    size_t begin = dbal__ink_begin(ink, kind_of(job), number);
    dbal__ink_bytes(ink, &first, sizeof first);
    dbal__ink_bytes(ink, request->block, first.block_size);
    if (sql != NULL)
        dbal__ink_bytes(ink, sql->text, sql->size + 1);
    dbal__ink_end(ink, begin);
}

static bool
take_sql(dbal__eye *eye, const head *first, dbal__sql *sql)
{
    const char *text =
        first->sql_size < SIZE_MAX ? dbal__eye_bytes(eye, first->sql_size + 1) : NULL;
    if (text == NULL || text[first->sql_size] != '\0')
        return false;
    *sql = (dbal__sql){.refs = 1, .text = text, .size = first->sql_size, .hash = first->sql_hash};
    return true;
}

bool
dbal__parcel_take_request(const char *body, size_t size, dbal__job *job, dbal__sql *sql,
                          bool *ret_streams)
{
    dbal__eye eye = {body, body + size, false};
    dbal_request *request = &job->request;
    head first;
    const void *place = dbal__eye_bytes(&eye, sizeof first);
    if (place == NULL)
        return false;
    memcpy(&first, place, sizeof first);
    const void *block = dbal__eye_bytes(&eye, first.block_size);
    if (block == NULL || !dbal__packed_is_sound(block, first.block_size, first.value_count) ||
        (first.has_sql && !take_sql(&eye, &first, sql)) || dbal__eye_left(&eye) != 0)
        return false;
    request->deadline = first.deadline;
    request->max_result_bytes = first.max_result_bytes;
    request->batch_rows = first.batch_rows;
    request->batch_bytes = first.batch_bytes;
    request->block = block;
    request->value_count = first.value_count;
    request->statement_cache = first.statement_cache;
    request->read_only = first.read_only;
    request->has_token = first.has_token;
    request->in_order = first.in_order;
    request->sql = first.has_sql ? sql : NULL;
    job->alone = first.alone;
    job->may_wait = first.may_wait && first.has_sql;
    *ret_streams = first.streams;
    return true;
}

/* ---- opening ------------------------------------------------------------------------------------- */

void
dbal__parcel_put_opening(dbal__ink *ink, const dbal_opening *opening)
{
    const dbal_notes *notes = opening->notes;
    dbal__ink_u32(ink, (uint32_t)opening->max_connections);
    dbal__ink_u32(ink, (uint32_t)opening->token_size);
    dbal__ink_bytes(ink, opening->token, sizeof opening->token);
    dbal__ink_double(ink, opening->token_timeout);
    dbal__ink_u8(ink, opening->sole);
    dbal__ink_u32(ink, (uint32_t)notes->count);
    for (size_t i = 0; i < notes->count; i++)
        dbal__ink_text(ink, notes->texts[i]);
}

bool
dbal__parcel_take_opening(dbal__eye *eye, dbal_opening *opening)
{
    opening->max_connections = (int)dbal__eye_u32(eye);
    opening->token_size = dbal__eye_u32(eye);
    const void *token = dbal__eye_bytes(eye, sizeof opening->token);
    if (token == NULL || opening->token_size > sizeof opening->token)
        return false;
    memcpy(opening->token, token, sizeof opening->token);
    opening->token_timeout = dbal__eye_double(eye);
    opening->sole = dbal__eye_u8(eye) != 0;
    uint32_t count = dbal__eye_u32(eye);
    if (count > DBAL__NOTES || !(opening->token_timeout >= 0))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        const char *text = dbal__eye_text(eye);
        if (text == NULL)
            return false;
        dbal_opening_note(opening, "%s", text);
    }
    return !eye->broken && dbal__eye_left(eye) == 0;
}

/* ---- errors -------------------------------------------------------------------------------------- */

void
dbal__parcel_put_error(dbal__ink *ink, const dbal_error *error)
{
    dbal__ink_u8(ink, (uint8_t)dbal_error_kind(error));
    dbal__ink_u8(ink, (uint8_t)dbal_error_execution(error));
    dbal__ink_u8(ink, dbal_error_connection_lost(error));
    dbal__ink_u8(ink, dbal_error_retryable(error));
    dbal__ink_u32(ink, (uint32_t)dbal_error_vendor_code(error));
    dbal__ink_u32(ink, (uint32_t)dbal_error_position(error));
    dbal__ink_text(ink, dbal_error_sqlstate(error));
    dbal__ink_text(ink, dbal_error_message(error));
    dbal__ink_text(ink, dbal_error_detail(error));
    dbal__ink_text(ink, dbal_error_hint(error));
    dbal__ink_text(ink, dbal_error_constraint(error));
}

bool
dbal__parcel_take_error(dbal__eye *eye, dbal_fault *fault)
{
    unsigned error_class = dbal__eye_u8(eye), execution = dbal__eye_u8(eye);
    bool lost = dbal__eye_u8(eye) != 0, retryable = dbal__eye_u8(eye) != 0;
    int vendor_code = (int)dbal__eye_u32(eye), position = (int)dbal__eye_u32(eye);
    const char *sqlstate = dbal__eye_text(eye), *message = dbal__eye_text(eye);
    const char *detail = dbal__eye_text(eye), *hint = dbal__eye_text(eye);
    const char *constraint = dbal__eye_text(eye);
    if (eye->broken || message == NULL || error_class < DBAL_ERROR_INTERFACE ||
        error_class > DBAL_ERROR_APPLICATION || execution > DBAL_EXECUTION_UNKNOWN)
        return false;
    bool stated = sqlstate != NULL && sqlstate[0] != '\0';
    dbal_fault_set(fault, (dbal_error_class)error_class, stated ? sqlstate : NULL, "%s", message);
    dbal_fault_set_execution(fault, (dbal_execution)execution);
    dbal_fault_set_connection_lost(fault, lost);
    dbal_fault_set_retryable(fault, retryable);
    dbal_fault_set_vendor_code(fault, vendor_code);
    dbal_fault_set_position(fault, position);
    dbal_fault_set_detail(fault, detail);
    dbal_fault_set_hint(fault, hint);
    dbal_fault_set_constraint(fault, constraint);
    return true;
}

/* ---- how a request ended ------------------------------------------------------------------------- */

void
dbal__parcel_put_verdict(dbal__ink *ink, const dbal__verdict *verdict)
{
    dbal__ink_u8(ink, verdict->ok);
    dbal__ink_u8(ink, verdict->in_transaction);
    dbal__ink_u8(ink, verdict->needs_token);
    dbal__ink_u8(ink, verdict->has_affected);
    dbal__ink_u8(ink, verdict->upkeep);
    dbal__ink_u64(ink, (uint64_t)verdict->affected);
    dbal__ink_u64(ink, (uint64_t)verdict->last_insert_id);
    dbal__ink_u64(ink, verdict->memory);
}

bool
dbal__parcel_take_verdict(dbal__eye *eye, dbal__verdict *ret_verdict)
{
    dbal__verdict verdict;
    verdict.ok = dbal__eye_u8(eye) != 0;
    verdict.in_transaction = dbal__eye_u8(eye) != 0;
    verdict.needs_token = dbal__eye_u8(eye) != 0;
    verdict.has_affected = dbal__eye_u8(eye) != 0;
    verdict.upkeep = dbal__eye_u8(eye);
    verdict.affected = (int64_t)dbal__eye_u64(eye);
    verdict.last_insert_id = (int64_t)dbal__eye_u64(eye);
    verdict.memory = dbal__eye_u64(eye);
    if (eye->broken || verdict.upkeep > DBAL_UPKEEP_NOW || (verdict.ok && verdict.needs_token))
        return false;
    *ret_verdict = verdict;
    return true;
}
