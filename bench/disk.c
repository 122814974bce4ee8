#include "disk.h"

#include <fcntl.h>
#include <unistd.h>

#include "clock.h"
#include "place.h"
#include "quantile.h"

/* a frame is a page and its header; a log begins anew after a thousand of them */
enum { FRAME = 4096 + 24, FRAMES = 1000, SYNCS = 201 };

const double bench_disk_slow = 100e-6;

static void
put(int fd, int frame)
{
    static const char zeros[FRAME];
    if (pwrite(fd, zeros, FRAME, (off_t)frame * FRAME) != FRAME)
        bench_fail("a file cannot be written");
}

static double
sync_once(int fd, int frame)
{
    double began = bench_clock();
    put(fd, frame);
    if (fsync(fd) != 0)
        bench_fail("a file cannot be synced");
    return bench_clock() - began;
}

double
bench_disk_sync(void)
{
    static double median;
    if (median != 0)
        return median;
    char path[BENCH_PATH];
    double took[SYNCS];
    bench_place_path("sync", path);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        bench_fail("%s cannot be made", path);
    /* SQLite writes over an old log nearly always, and that is faster than making one longer */
    for (int i = 0; i < FRAMES; i++)
        put(fd, i);
    fsync(fd);
    for (int i = 0; i < SYNCS; i++)
        took[i] = sync_once(fd, i);
    close(fd);
    unlink(path);
    median = bench_quantile(took, SYNCS, 0.5);
    return median;
}
