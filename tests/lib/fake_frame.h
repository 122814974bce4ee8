/* A piece of a fake's answer: what its statements give out, and what the native fake's server sends. */
#ifndef TESTS_LIB_FAKE_FRAME_H
#define TESTS_LIB_FAKE_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include <dbal/driver.h>

typedef enum fake_frame_kind {
    FAKE_COLUMN, /* its name in the data */
    FAKE_CELL,
    FAKE_ROW,
    FAKE_DONE,   /* the answer's end: it went well */
    FAKE_FAILED, /* the answer's end: a message in the data */
    FAKE_LOST,   /* the connection ends here */
    FAKE_SWAP,   /* what follows is for the native fake */
    FAKE_EARLY,
    FAKE_TICK,
    FAKE_ERRAND,
    FAKE_LOAD,  /* it is ready for the data of a copy */
    FAKE_BYTES, /* of a copy */
    FAKE_TOLD   /* of NOTIFY: the channel and the payload, a NUL behind each */
} fake_frame_kind;

typedef struct fake_frame {
    fake_frame_kind kind;
    uint32_t size; /* bytes of data */
    dbal_type type;
    int64_t integer;
    double real;
    int64_t affected, id; /* -1: none */
    bool in_transaction, retryable, needs_token;
    bool soiled, cleaned; /* what the native fake's driver is told of the session */
    dbal_error_class error_class;
    int position;
    char sqlstate[6];
} fake_frame;

/* Puts a frame into the request's sink or fault. False: the sink takes no more. */
bool fake_frame_apply(const fake_frame *frame, const char *data, dbal_request *request,
                      dbal_fault *fault);

#endif
