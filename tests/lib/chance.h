/* Random schedules that can be played again: DBAL_TEST_SEED says which. */
#ifndef TESTS_LIB_CHANCE_H
#define TESTS_LIB_CHANCE_H

#include <stdint.h>

typedef struct chance {
    uint64_t seed, state;
} chance;

/* DBAL_TEST_SEED, or one of its own for each run; tell it in every message. */
void chance_init(chance *one);
/* Another stream of the same seed, for a thread say. */
void chance_split(chance *one, const chance *from, unsigned number);
uint64_t chance_next(chance *one);
/* 0 to below - 1 */
unsigned chance_below(chance *one, unsigned below);

/* How often a schedule repeats: more under DBAL_TEST_FULL, less under DBAL_TEST_VALGRIND. */
unsigned chance_rounds(unsigned usual);

#endif
