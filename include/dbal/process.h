/** @file process.h  Worker processes, for programs that bring drivers of their own. */
#ifndef DBAL_PROCESS_H
#define DBAL_PROCESS_H

#ifdef __cplusplus
extern "C" {
#endif

/**
 * What the installed program `dbal-worker` does: with `pool_gate=process` each connection is such a
 * process, which has the driver and its connection to itself.
 *
 * Only a program that registers drivers of its own needs this: it brings a worker that knows them
 * too, and names it by `DBAL_WORKER` in its environment, as an absolute path, before it opens a pool:
 *
 *     int main(void)
 *     {
 *         dbal_driver_register(&my_driver, NULL);
 *         return dbal_worker_main();
 *     }
 *
 * Its descriptors 3 and 4 are the sockets that the application made; it does nothing else before, and
 * returns when the application closes the connection or has ended. Both must be built with the same
 * version of dbal.
 *
 * @return the exit status
 */
int dbal_worker_main(void);

#ifdef __cplusplus
}
#endif
#endif
