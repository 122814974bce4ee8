/*
 * Hashes passwords without stalling the loop, with a function that must not be called by two threads at
 * once, on several processors all the same: each of the gate's workers is a process.
 *
 *     passwords MODULE word …
 *
 * MODULE is the shared object made of module/crypt.c.
 */
#include <dbal.h>
#include <ev.h>
#include <stdio.h>
#include <string.h>

static int failures;

static dbal_outcome
show(dbal_outcome in, void *arg)
{
    dbal_bytes hash = dbal_result_blob(dbal_outcome_result(in), 0, 0);
    printf("%s: %.*s\n", (const char *)arg, (int)hash.size, (const char *)hash.data);
    return in;
}

static dbal_outcome
complain(dbal_outcome in, void *arg)
{
    fprintf(stderr, "%s: %s\n", (const char *)arg, dbal_error_message(dbal_outcome_error(in)));
    failures++;
    return dbal_done();
}

int
main(int argc, char **argv)
{
    struct ev_loop *ev = EV_DEFAULT;
    dbal_loop *loop = dbal_loop_new(ev);
    dbal_error *error = NULL;
    const char *module = argc > 1 ? argv[1] : "crypt.so";
    dbal_gate *gate = dbal_gate_new(loop, 0, DBAL_GATE(.module = module, .threads = 2), &error);
    if (gate == NULL) {
        fprintf(stderr, "%s\n", dbal_error_message(error));
        return 1;
    }
    for (int i = 2; i < argc; i++)
        dbal_deferred_add_callbacks(dbal_gate_call_module(gate, NULL, argv[i], strlen(argv[i])),
                                    show, complain, argv[i]);
    ev_run(ev, 0);
    dbal_loop_free(loop);
    return failures > 0;
}
