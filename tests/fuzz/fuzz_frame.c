/*
 * Any bytes as what a worker process sends, or is sent. The first byte says as what: an answer to a
 * request, how opening went, a request.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dbal/alloc.h"
#include "dbal/parcel.h"
#include "dbal/result.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

extern const dbal_driver dbal_postgres_driver;

static dbal__eye
eye_of(const char *data, size_t size)
{
    return (dbal__eye){data, data + size, false};
}

/* Reads every cell in every way. */
static void
convert(dbal_result *result)
{
    for (size_t row = 0; row < dbal_result_row_count(result); row++) {
        for (size_t column = 0; column < dbal_result_column_count(result); column++) {
            const char *text = dbal_result_text(result, row, column);
            if (text == NULL)
                abort();
            dbal_result_int64(result, row, column);
            dbal_result_double(result, row, column);
            dbal_result_timestamp(result, row, column);
            dbal_result_blob(result, row, column);
            dbal_error_unref(dbal_result_take_error(result));
        }
    }
}

static dbal__unpacking
unpack(const char *data, size_t size, dbal_request *request, dbal__columns_memory *memory)
{
    dbal__unpacker unpacker;
    if (!dbal__request_begin(request))
        abort();
    dbal__unpacking how = dbal__unpacker_begin(&unpacker, eye_of(data, size), request,
                                               dbal_postgres_driver.speller, memory);
    while (how == DBAL__UNPACKING)
        how = dbal__unpacker_go_on(&unpacker, request, 64);
    return how;
}

/* What was written of it can be taken again. */
static void
take_again(const dbal_result *result, dbal__columns_memory *memory)
{
    dbal_request request = {.max_result_bytes = 1 << 26, .batch_bytes = SIZE_MAX};
    dbal__ink ink = {.data = NULL};
    dbal__parcel_put_rows(&ink, result);
    if (dbal_result_column_count(result) != 0 &&
        unpack(ink.data, ink.size, &request, memory) != DBAL__UNPACKED)
        abort();
    if (request.result != NULL &&
        dbal_result_row_count(request.result) != dbal_result_row_count(result))
        abort();
    dbal__request_fini(&request);
    dbal__ink_fini(&ink);
}

static void
take_rows(const char *data, size_t size, dbal__columns_memory *memory)
{
    dbal_request request = {.max_result_bytes = 1 << 24, .batch_bytes = SIZE_MAX};
    dbal__unpacking how = unpack(data, size, &request, memory);
    if (how == DBAL__UNPACKING_STOPS && request.refusal == NULL)
        abort();
    if (how == DBAL__UNPACKED) {
        convert(request.result);
        take_again(request.result, memory);
    }
    dbal__request_fini(&request);
}

static void
take_answer(const char *data, size_t size)
{
    dbal__columns_memory memory = {.written = NULL};
    dbal__frame frame;
    while (dbal__frame_parse(data, size, DBAL__FRAME_INSIDE, &frame) == DBAL__FRAME_WHOLE) {
        dbal__eye body = eye_of(data + sizeof frame, frame.size);
        dbal_fault fault = DBAL__FAULT_INIT;
        dbal__verdict verdict;
        if (dbal__parcel_take_verdict(&body, &verdict) && verdict.ok)
            take_rows(body.at, dbal__eye_left(&body), &memory);
        else if (!body.broken &&
                 dbal__parcel_take_error(&body, &fault) != dbal_fault_is_set(&fault))
            abort();
        dbal_fault_clear(&fault);
        data += sizeof frame + frame.size;
        size -= sizeof frame + frame.size;
    }
    dbal__columns_memory_fini(&memory);
}

static void
take_opening(const char *data, size_t size)
{
    dbal__eye eye = eye_of(data, size);
    dbal_notes notes = {.count = 0};
    dbal_opening opening = {.notes = &notes};
    const char *version;
    if (dbal__parcel_take_opening(&eye, &opening) &&
        (opening.token_size > sizeof opening.token || notes.count > DBAL__NOTES))
        abort();
    dbal__notes_fini(&notes);
    eye = eye_of(data, size);
    dbal__parcel_greeted(&eye, &version);
}

static volatile unsigned seen;

static void
look_at(dbal_value value)
{
    switch (value.type) {
    case DBAL_TEXT:
    case DBAL_BLOB:
    case DBAL_NUMERIC:
    case DBAL_JSON:
    case DBAL_ARRAY_TEXT:
        for (size_t i = 0; i < value.as.bytes.size; i++)
            seen += ((const uint8_t *)value.as.bytes.data)[i];
        break;
    case DBAL_ARRAY_INT64:
        for (size_t i = 0; i < value.as.bytes.size; i++)
            seen += (unsigned)((const int64_t *)value.as.bytes.data)[i];
        break;
    default:
        break;
    }
}

static void
take_request(const char *data, size_t size)
{
    char *copy = malloc(size + 8); /* aligned, as it is when it is received */
    dbal__job job;
    dbal__sql sql;
    bool streams;
    if (copy == NULL)
        abort();
    memcpy(copy, data, size);
    dbal__job_init(&job, NULL);
    if (dbal__parcel_take_request(copy, size, &job, &sql, &streams)) {
        for (size_t i = 0; i < dbal_request_parameter_count(&job.request); i++)
            look_at(dbal_request_parameter(&job.request, i));
        if (job.request.sql != NULL)
            seen += (unsigned)strlen(dbal_request_sql(&job.request, NULL));
    }
    free(copy);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const ways[])(const char *, size_t) = {take_answer, take_opening, take_request};
    if (size == 0)
        return 0;
    ways[data[0] % 3]((const char *)data + 1, size - 1);
    return 0;
}
