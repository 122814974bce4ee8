/* A pool's settings: defaults, the program's options, the URL's pool_ parameters, all checked. */
#ifndef DBAL__SETTINGS_H
#define DBAL__SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "dbal/url.h"
#include <dbal/driver.h>
#include <dbal/pool.h>

enum { DBAL__NAME_ROOM = 64 };

/* Every value is final: no zero stands for a default any more; times are seconds, negative: none. */
typedef struct dbal__settings {
    int min_size;
    int max_size; /* 0: by the gate */
    int threads;  /* 0: one for each connection */
    dbal_gate_kind gate;
    dbal_pooler pooler;
    int pipeline_depth;
    double acquire_timeout, connect_timeout, query_timeout, cancel_timeout, close_timeout;
    int max_waiting;
    int statement_cache, prepare_after;
    int64_t max_result_bytes;
    int64_t memory_budget;
    int max_statements; /* 0: no end */
    int64_t max_memory;
    double pipeline_wait;
    double idle_timeout, max_lifetime, backoff, leak_after;
    double validate_after;
    bool fail_fast;
    double slow_query, slow_acquire;
    bool histograms;
    dbal_reset reset;
    char name[DBAL__NAME_ROOM]; /* "": it has none */
    dbal_before_connect
        *before_connect; /* or NULL; this and what follows is of the options alone */
    void *before_connect_arg;
    dbal_work *on_connect; /* or NULL */
    void *on_connect_arg;
    dbal_connection_hook *on_acquire, *on_release, *on_close; /* or NULL */
    void *hook_arg;
    dbal_trace_fn *trace; /* or NULL */
    void *trace_arg;
    dbal_limit *limit; /* or NULL; of the options alone, a reference of the program's */
} dbal__settings;

/* False with *ret_error set, which names the setting and lists the known ones. */
bool dbal__settings_read(dbal__settings *settings, const dbal_pool_options *options,
                         const dbal_url *url, dbal_error **ret_error);
/* Says in a driver's refusal, a fresh error, when what it refused is a setting without its `pool_`. */
void dbal__settings_explain(const dbal_driver *driver, const dbal_url *url, dbal_error *error);
/* NULL, or what is wrong with sizes given later. */
dbal_error *dbal__settings_check_sizes(int min_size, int max_size);

#endif
