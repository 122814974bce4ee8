#include "resident.h"

#include <malloc.h>
#include <stdio.h>
#include <sys/prctl.h>

#include "place.h"

void
bench_resident_begin(void)
{
    if (prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) != 0)
        bench_fail("large pages cannot be switched off");
}

double
bench_resident(void)
{
    char line[256];
    long kilobytes = -1;
    /* what is free in the heap is not in use */
    malloc_trim(0);
    FILE *file = fopen("/proc/self/smaps_rollup", "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "Anonymous: %ld kB", &kilobytes) == 1)
            break;
    }
    if (file != NULL)
        fclose(file);
    if (kilobytes < 0)
        bench_fail("/proc/self/smaps_rollup does not say how much memory there is");
    return (double)kilobytes * 1024;
}

void
bench_heap_begin(void)
{
    /* mallinfo2() knows of no other */
    if (mallopt(M_ARENA_MAX, 1) != 1)
        bench_fail("malloc wants more than one arena");
}

double
bench_heap(void)
{
    struct mallinfo2 heap = mallinfo2();
    return (double)heap.uordblks + (double)heap.hblkhd;
}
