/* How fast the disk is that the database files are on. */
#ifndef BENCH_DISK_H
#define BENCH_DISK_H

/* What a target for synchronous commits supposes of a disk: seconds for one fsync(), at least. */
extern const double bench_disk_slow;

/* Seconds for one fsync() after a write as long as a frame of SQLite's log; measured once. */
double bench_disk_sync(void);

#endif
