/*
 * What callers saw of a few registers, and whether one order of all they did explains it: each
 * operation takes effect at one moment between its call and its answer (linearizability, by the
 * algorithm of Wing and Gong, with what was tried before remembered).
 */
#ifndef TESTS_SHARING_HISTORY_H
#define TESTS_SHARING_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HISTORY_REGISTERS = 4, HISTORY_MOST = 1024 };

typedef enum operation_kind {
    OPERATION_READ,       /* answer: the register's value */
    OPERATION_ADD,        /* adds `amount`; answer: the value then */
    OPERATION_SET,        /* to `amount`; answer: 1 */
    OPERATION_SWAP,       /* from `expected` to `amount`; answer: 1, or 0 when it was another */
    OPERATION_TRANSFER,   /* of `amount` from `other`; answer: what the first of both has then */
    OPERATION_DIFFERENCE, /* answer: the value less that of `other` */
    OPERATION_SUM         /* answer: of all registers */
} operation_kind;

typedef struct operation {
    operation_kind kind;
    int at, other; /* registers, from 0 */
    int64_t amount, expected;
    int64_t answer;
    uint64_t called, answered; /* when, by a clock that all share and never shows a time twice */
} operation;

/* All registers begin with 0. At most HISTORY_MOST operations, in any order. */
bool history_is_linearizable(const operation *operations, size_t count);

#endif
