#include "tests/lib/chance.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

void
chance_init(chance *one)
{
    const char *given = getenv("DBAL_TEST_SEED");
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    one->seed = (uint64_t)now.tv_sec * 1000000007 + (uint64_t)now.tv_nsec + (uint64_t)getpid();
    if (given != NULL)
        one->seed = strtoull(given, NULL, 10);
    one->state = one->seed;
}

void
chance_split(chance *one, const chance *from, unsigned number)
{
    one->seed = from->seed;
    one->state = from->seed ^ (UINT64_C(0xd1b54a32d192ed03) * (number + 1));
}

/* splitmix64 */
uint64_t
chance_next(chance *one)
{
    uint64_t mixed = one->state += UINT64_C(0x9e3779b97f4a7c15);
    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ (mixed >> 31);
}

unsigned
chance_below(chance *one, unsigned below)
{
    return (unsigned)(chance_next(one) >> 32) % below;
}

unsigned
chance_rounds(unsigned usual)
{
    if (getenv("DBAL_TEST_VALGRIND") != NULL)
        return usual / 20 + 1;
    if (getenv("DBAL_TEST_FULL") != NULL)
        return usual * 5;
    return usual;
}
