/**
 * @file drivers.h  The drivers that a program has, and those that it could load.
 *
 * The shared library loads a driver when the first pool with its URL scheme is opened, and with it the
 * client library of its database; what no URL asks for stays on the disk. A driver for `csv:` is
 * `dbal-csv.so` in one of these folders, the first that has such a file:
 *
 * 1. those of the environment variable `DBAL_DRIVER_PATH`, a list with `:` between. Each must be
 *    there, absolute, and not writable for everybody; one that is not is an error whenever
 *    something is to be loaded. The variable is ignored in programs with raised privileges
 *    (set-user-ID and the like, see secure_getenv(3)).
 * 2. the folder of the install, which `pkg-config --variable=driverdir dbal` says.
 *
 * Drivers that are built in or were registered (dbal_driver_register()) come first. The static library
 * has its drivers built in and loads none.
 *
 * Loading reads files and runs constructors of shared objects, in the calling thread; it blocks for
 * as long as that takes, some milliseconds at most places. Each driver is loaded once, in whatever
 * thread comes first, and stays until the process ends.
 */
#ifndef DBAL_DRIVERS_H
#define DBAL_DRIVERS_H

#include <stdbool.h>
#include <stddef.h>

#include <dbal/error.h>
#include <dbal/pool.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Loads the driver of a URL scheme, unless it is here already: what dbal_pool_open() would do, but
 * before the loop runs, so that opening a pool later does not stall it.
 *
 * @param scheme     "sqlite", in any case
 * @param ret_error  may be NULL; set, owned by the caller, when false is returned. It says where the
 *                   driver was looked for, or names the folder or file and what is wrong with it
 * @return whether there is such a driver. Any thread.
 */
bool dbal_driver_load(const char *scheme, dbal_error **ret_error);

/**
 * What is known of one driver. Its texts are good until dbal_drivers_free().
 */
typedef struct dbal_driver_info {
    size_t size;         /**< sizeof(dbal_driver_info) of the library */
    const char *name;    /**< "sqlite"; of a file that is of no use, the scheme in its name */
    const char *version; /**< of its client library, "3.40.1"; NULL when the file is of no use */
    const char *const *schemes; /**< of URLs, NULL at the end; none when the file is of no use */
    const char *file;    /**< it was loaded from; NULL: built in or registered */
    const char *problem; /**< why pools cannot use it, naming the file when that is the reason; NULL: they can */
    int threadlevel;     /**< that it declares for a URL without parameters, 0 to 3 */
    dbal_gate_kind gate; /**< that such a pool would have; DBAL_GATE_AUTO when there is a problem */
    unsigned gates;      /**< that it could have: `1 << DBAL_GATE_THREAD` and so on */
    unsigned capabilities; /**< of dbal_capability, see driver.h, for a URL without parameters */
} dbal_driver_info;

/** Which drivers are listed. */
typedef enum dbal_drivers_which {
    DBAL_DRIVERS_HERE, /**< those built in, registered and loaded so far: nothing is read from the disk */
    DBAL_DRIVERS_ALL   /**< and those in the folders, each of which is loaded for it, with its client library, and stays */
} dbal_drivers_which;

/**
 * Lists the drivers, by name. A file in a folder that cannot be loaded is listed with its problem.
 *
 * @param which      which
 * @param ret_error  may be NULL; set, owned by the caller, when NULL is returned
 * @return pointers with NULL at the end, owned, freed with dbal_drivers_free(); NULL when a folder is
 *         not to be trusted, or without memory. Any thread.
 */
const dbal_driver_info *const *dbal_drivers(dbal_drivers_which which, dbal_error **ret_error);
/** Frees the list, not the drivers. @param drivers may be NULL */
void dbal_drivers_free(const dbal_driver_info *const *drivers);

#ifdef __cplusplus
}
#endif
#endif
