#include "dbal/request.h"

#include "dbal/alloc.h"
#include "dbal/result.h"
#include "dbal/value.h"

const char *
dbal_request_sql(const dbal_request *request, size_t *ret_size)
{
    if (ret_size != NULL)
        *ret_size = request->sql->size;
    return request->sql->text;
}

uint64_t
dbal_request_hash(const dbal_request *request)
{
    return request->sql->hash;
}

size_t
dbal_request_parameter_count(const dbal_request *request)
{
    return request->value_count;
}

dbal_value
dbal_request_parameter(const dbal_request *request, size_t index)
{
    return index < request->value_count ? dbal__unpack(request->block, index) : dbal_null();
}

bool
dbal_request_read_only(const dbal_request *request)
{
    return request->read_only;
}

bool
dbal_request_in_order(const dbal_request *request)
{
    return request->in_order;
}

bool
dbal_request_may_share(const dbal_request *request)
{
    return request->may_share;
}

bool
dbal_request_has_token(const dbal_request *request)
{
    return request->has_token;
}

int64_t
dbal_request_deadline(const dbal_request *request)
{
    return request->deadline;
}

bool
dbal_request_stopped(const dbal_request *request)
{
    return atomic_load_explicit(&request->stopped, memory_order_acquire);
}

int
dbal_request_statement_cache(const dbal_request *request)
{
    return request->statement_cache;
}

bool
dbal_request_satisfied(const dbal_request *request)
{
    return request->satisfied;
}

bool
dbal_request_full(const dbal_request *request)
{
    return request->full;
}

dbal_fault *
dbal_request_fault(dbal_request *request)
{
    return &request->fault;
}

void
dbal_request_sent(dbal_request *request)
{
    request->sent = true;
}

void
dbal_request_finish(dbal_request *request, bool ok)
{
    request->finished(request, ok);
}

bool
dbal__request_refuse(dbal_request *request, dbal__refusal refusal)
{
    if (request->refusal != NULL)
        return false;
    switch (refusal) {
    case DBAL__TOO_LARGE:
        request->refusal = dbal__error_make(
            DBAL_ERROR_DATA, "54000", DBAL_EXECUTION_UNKNOWN,
            "the result is larger than max_result_bytes (%zu): stream it, or allow more",
            request->max_result_bytes);
        break;
    case DBAL__MISMATCHED:
        request->refusal = dbal__error_make(DBAL_ERROR_INTERNAL, NULL, DBAL_EXECUTION_UNKNOWN,
                                            "the driver's cells and columns do not match");
        break;
    default:
        request->refusal = dbal__error_constant(DBAL_ERROR_NO_MEMORY, DBAL_EXECUTION_UNKNOWN);
        break;
    }
    return false;
}

static bool
check(dbal_request *request, dbal__refusal refusal)
{
    return __builtin_expect(refusal == DBAL__FITS, 1) ? true
                                                      : dbal__request_refuse(request, refusal);
}

bool
dbal_request_column(dbal_request *request, const char *name, dbal_type type)
{
    return check(request, dbal__result_add_column(request->result, name, type));
}

bool
dbal_request_columns(dbal_request *request, dbal_columns *columns)
{
    return check(request, dbal__result_use_columns(request->result, columns));
}

bool
dbal_request_null(dbal_request *request)
{
    return check(request, dbal__result_add_integer(request->result, DBAL_NULL, 0));
}

bool
dbal_request_integer(dbal_request *request, dbal_type type, int64_t value)
{
    return check(request, dbal__result_add_integer(request->result, type, value));
}

bool
dbal_request_real(dbal_request *request, double value)
{
    return check(request, dbal__result_add_real(request->result, value));
}

bool
dbal_request_bytes(dbal_request *request, dbal_type type, const void *data, size_t size)
{
    return check(request, dbal__result_add_bytes(request->result, type, data, size));
}

/* hands the batch over and begins the next one, when there is to be one */
static bool
deliver(dbal_request *request, bool last)
{
    dbal_result *batch = request->result;
    dbal_result *next = dbal__result_like(batch);
    if (next == NULL)
        return dbal__request_refuse(request, DBAL__NO_MEMORY);
    request->result = next;
    request->delivered = true;
    if (request->deliver(request, batch) || last)
        return true;
    request->satisfied = !dbal_request_stopped(request) && request->refusal == NULL;
    return false;
}

/* The benchmarks compare it with a build where nobody can ask. */
static bool
is_followed(const dbal_request *request)
{
#ifdef DBAL_WITHOUT_JOURNEYS
    (void)request;
    return false;
#else
    return __builtin_expect(request->clock != NULL, 0);
#endif
}

static void
follow(dbal_request *request)
{
    if (request->first_row == 0)
        request->first_row = dbal__clock_now(request->clock);
}

bool
dbal_request_row(dbal_request *request)
{
    if (!check(request, dbal__result_end_row(request->result)))
        return false;
    if (is_followed(request))
        follow(request);
    if (request->deliver == NULL)
        return !dbal_request_stopped(request);
    if (dbal_result_row_count(request->result) >= request->batch_rows ||
        dbal__result_bytes(request->result) >= request->batch_bytes)
        return deliver(request, false);
    return true;
}

static dbal_result *
make_result(const dbal_request *request)
{
    return request->home != NULL ? dbal__home_result(request->home, request->max_result_bytes)
                                 : dbal__result_new(request->max_result_bytes);
}

bool
dbal_request_restart(dbal_request *request)
{
    if (request->delivered)
        return false;
    dbal_result *anew = make_result(request);
    if (anew == NULL)
        return dbal__request_refuse(request, DBAL__NO_MEMORY);
    dbal_result_unref(request->result);
    request->result = anew;
    request->sent = false; /* nothing is left of what was */
    request->first_row = 0;
    return true;
}

dbal_copy_direction
dbal_request_copy(const dbal_request *request)
{
    return request->copy;
}

dbal_copy_step
dbal_request_copy_next(dbal_request *request, const void **ret_data, size_t *ret_size)
{
    return request->next(request, ret_data, ret_size);
}

bool
dbal_request_copy_data(dbal_request *request, const void *data, size_t size)
{
    if (request->take(request, data, size))
        return true;
    request->satisfied = !dbal_request_stopped(request) && request->refusal == NULL;
    return false;
}

void
dbal_request_affected(dbal_request *request, int64_t rows)
{
    dbal__result_set_affected(request->result, rows);
}

void
dbal_request_last_insert_id(dbal_request *request, int64_t id)
{
    dbal__result_set_last_insert_id(request->result, id);
}

bool
dbal__request_begin(dbal_request *request)
{
    request->result = make_result(request);
    return request->result != NULL;
}

bool
dbal__request_end(dbal_request *request)
{
    if (request->refusal != NULL)
        return false;
    if (request->deliver == NULL)
        return true;
    return dbal_result_row_count(request->result) == 0 || deliver(request, true);
}

dbal_error *
dbal__request_error(dbal_request *request, dbal_fault *fault)
{
    if (request->refusal == NULL)
        return dbal__fault_take(fault);
    dbal_error *error = request->refusal;
    request->refusal = NULL;
    dbal_fault_clear(fault);
    return error;
}

void
dbal__request_fini(dbal_request *request)
{
    request->result = dbal_result_unref(request->result);
    request->refusal = dbal_error_unref(request->refusal);
    dbal_fault_clear(&request->fault);
}
