/* Which way a pool's calls enter its driver. */
#include "dbal/error.h"
#include "dbal/process.h"
#include "pool/pool.h"

/* The driver runs in processes: what stands for it here takes its place. */
static dbal_error *
move_out(dbal_pool *pool, const char *url)
{
    const dbal_driver *driver = pool->driver->driver;
    dbal_error *error = NULL;
    if ((pool->capabilities & DBAL_LIVES_HERE) != 0)
        return dbal__error_make(DBAL_ERROR_INTERFACE, NULL, DBAL_EXECUTION_NOT_SENT,
                                "gate process is not for this database of driver %s: it is in the "
                                "memory of whoever opens it, and would be gone with its process",
                                driver->name);
    dbal__driver_entry *outside = dbal__process_driver(pool->driver);
    if (outside == NULL)
        return dbal__error_constant(DBAL_ERROR_NO_MEMORY, DBAL_EXECUTION_NOT_SENT);
    void *config = pool->config;
    pool->config = NULL; /* taken over */
    bool pooler = pool->settings.pooler == DBAL_POOLER_TRANSACTION;
    dbal__process_config *moved = dbal__process_configure(driver, config, url, pooler, &error);
    if (moved == NULL)
        return error;
    moved->max_statements = pool->settings.max_statements;
    moved->max_memory = pool->settings.max_memory;
    pool->config = moved;
    pool->driver = outside;
    pool->entry_level = outside->driver->threadlevel(moved);
    pool->capabilities = outside->driver->capabilities(moved);
    return NULL;
}

/* The driver's one thread. */
static dbal_error *
get_driver_thread(dbal_pool *pool)
{
    const char *driver = pool->driver->driver->name;
    bool hung = false;
    pool->worker = dbal__driver_thread(driver, &hung);
    if (pool->worker != NULL)
        return NULL;
    return hung ? dbal__error_make(DBAL_ERROR_CLOSED, NULL, DBAL_EXECUTION_NOT_SENT,
                                   "the one thread of driver %s hangs and was given up", driver)
                : dbal__error_make(DBAL_ERROR_OPERATIONAL, "53000", DBAL_EXECUTION_NOT_SENT,
                                   "no thread could be started for driver %s", driver);
}

/* ---- threads ---- */

/* Its statements may be in several threads at once. */
static bool
runs_parallel(const dbal_pool *pool)
{
    return pool->threadlevel == 3 && (pool->capabilities & DBAL_CAN_PARALLEL_STATEMENTS) != 0;
}

dbal_error *
dbal__pool_check_threads(const dbal_pool *pool, int max_size)
{
    int threads = pool->settings.threads;
    if (threads == 0 || threads >= max_size || pool->threadlevel >= 2)
        return NULL;
    return dbal_error_new(DBAL_ERROR_INTERFACE,
                          "threads %d must not be below max_size %d: connections of driver %s do "
                          "not move between threads at threadlevel %d",
                          threads, max_size, pool->driver->driver->name, pool->threadlevel);
}

static dbal_error *
check_surplus(const dbal_pool *pool)
{
    int threads = pool->settings.threads, max_size = pool->settings.max_size;
    if (threads <= max_size || runs_parallel(pool))
        return NULL;
    return dbal_error_new(DBAL_ERROR_INTERFACE,
                          "threads %d is above max_size %d: driver %s runs one statement of a "
                          "connection at a time",
                          threads, max_size, pool->driver->driver->name);
}

dbal_error *
dbal__pool_set_threads(dbal_pool *pool)
{
    int threads = pool->settings.threads;
    dbal_error *error = check_surplus(pool);
    if (error == NULL)
        error = dbal__pool_check_threads(pool, pool->settings.max_size);
    bool moves = pool->gate == DBAL_GATE_THREAD && threads > 0 && pool->threadlevel >= 2;
    pool->pulls = pool->gate == DBAL_GATE_THREAD && !moves;
    /* moving is not running in parallel: each entry is held to what was promised */
    if (pool->entry_level == 3 && !runs_parallel(pool))
        pool->entry_level = 2;
    if (error == NULL && pool->pulls &&
        !dbal__crew_limit(&pool->crew, pool->settings.memory_budget))
        error = dbal__error_constant(DBAL_ERROR_NO_MEMORY, DBAL_EXECUTION_NOT_SENT);
    if (error != NULL || !moves)
        return error;
    pool->width = runs_parallel(pool) ? (unsigned)threads : 1;
    pool->threads = dbal__threads_new(pool->loop, threads, dbal__slots_thread_freed,
                                      dbal__slots_thread_failed, pool);
    return pool->threads != NULL
               ? NULL
               : dbal__error_constant(DBAL_ERROR_NO_MEMORY, DBAL_EXECUTION_NOT_SENT);
}

dbal_error *
dbal__pool_choose_gate(dbal_pool *pool, const char *url)
{
    const dbal_driver *driver = pool->driver->driver;
    const char *why = NULL;

    pool->threadlevel = driver->threadlevel != NULL ? driver->threadlevel(pool->config) : 0;
    if (pool->threadlevel < 0 || pool->threadlevel > 3)
        return dbal_error_new(DBAL_ERROR_INTERNAL, "driver %s declares threadlevel %d: 0 to 3 are",
                              driver->name, pool->threadlevel);
    pool->capabilities = driver->capabilities(pool->config);
    if (!dbal__driver_can_share(driver, pool->capabilities))
        return dbal_error_new(DBAL_ERROR_INTERNAL,
                              "driver %s says that it can share a transaction, and has no function "
                              "for it",
                              driver->name);
    if (pool->settings.pooler != DBAL_POOLER_NONE && (pool->capabilities & DBAL_CAN_POOLER) == 0)
        return dbal_error_new(DBAL_ERROR_INTERFACE,
                              "pooler: nothing stands between driver %s and its database",
                              driver->name);
    pool->gate =
        dbal__gate_choose(pool->threadlevel, driver->native != NULL, pool->settings.gate, &why);
    if (pool->gate == DBAL_GATE_AUTO)
        return dbal_error_new(
            DBAL_ERROR_INTERFACE, "gate %s is not for driver %s at threadlevel %d: %s",
            dbal__gate_kind_name(pool->settings.gate), driver->name, pool->threadlevel, why);
    if (pool->gate != DBAL_GATE_LOOP && driver->blocking->run == NULL)
        return dbal_error_new(DBAL_ERROR_INTERFACE, "driver %s has no blocking face for gate %s",
                              driver->name, dbal__gate_kind_name(pool->gate));
    pool->entry_level = pool->threadlevel;
    if (pool->gate == DBAL_GATE_PROCESS)
        return move_out(pool, url);
    return pool->gate == DBAL_GATE_DRIVER_THREAD ? get_driver_thread(pool) : NULL;
}
