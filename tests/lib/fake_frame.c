#include "tests/lib/fake_frame.h"

#include <string.h>

static bool
apply_cell(const fake_frame *frame, const char *data, dbal_request *request)
{
    switch (frame->type) {
    case DBAL_NULL:
        return dbal_request_null(request);
    case DBAL_BOOL:
    case DBAL_INT64:
    case DBAL_DATE:
    case DBAL_TIME:
    case DBAL_TIMESTAMP:
        return dbal_request_integer(request, frame->type, frame->integer);
    case DBAL_DOUBLE:
        return dbal_request_real(request, frame->real);
    default:
        return dbal_request_bytes(request, frame->type, data, frame->size);
    }
}

static void
apply_done(const fake_frame *frame, dbal_request *request)
{
    if (frame->affected >= 0)
        dbal_request_affected(request, frame->affected);
    if (frame->id >= 0)
        dbal_request_last_insert_id(request, frame->id);
}

static void
apply_failed(const fake_frame *frame, const char *data, dbal_fault *fault)
{
    dbal_fault_set(fault, frame->error_class, frame->sqlstate, "%.*s", (int)frame->size, data);
    dbal_fault_set_retryable(fault, frame->retryable);
    dbal_fault_set_position(fault, frame->position);
    if (frame->error_class == DBAL_ERROR_INTEGRITY)
        dbal_fault_set_constraint(fault, "fake_constraint");
    if (frame->needs_token)
        dbal_fault_set_needs_token(fault);
}

bool
fake_frame_apply(const fake_frame *frame, const char *data, dbal_request *request,
                 dbal_fault *fault)
{
    char name[64];
    switch (frame->kind) {
    case FAKE_COLUMN:
        memcpy(name, data, frame->size);
        name[frame->size] = '\0';
        return dbal_request_column(request, name, frame->type);
    case FAKE_CELL:
        return apply_cell(frame, data, request);
    case FAKE_ROW:
        return dbal_request_row(request);
    case FAKE_DONE:
        apply_done(frame, request);
        return true;
    case FAKE_FAILED:
        apply_failed(frame, data, fault);
        return true;
    case FAKE_BYTES:
        return dbal_request_copy_data(request, data, frame->size);
    default:
        return true;
    }
}
