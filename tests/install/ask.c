/* ask URL SQL [PARAMETER …]: prints the rows, or what went wrong. NULL is a dash. */
#include <dbal.h>
#include <ev.h>
#include <stdio.h>

enum { MOST = 8 };

static int status = 1;

static dbal_outcome
show(dbal_outcome in, void *arg)
{
    dbal_result *rows = dbal_outcome_result(in);
    (void)arg;
    for (size_t row = 0; row < dbal_result_row_count(rows); row++)
        for (size_t column = 0; column < dbal_result_column_count(rows); column++)
            printf("%s=%s%s", dbal_result_column_name(rows, column),
                   dbal_result_is_null(rows, row, column) ? "-"
                                                          : dbal_result_text(rows, row, column),
                   column + 1 < dbal_result_column_count(rows) ? " " : "\n");
    status = 0;
    return dbal_done();
}

static dbal_outcome
complain(dbal_outcome in, void *arg)
{
    dbal_error *error = dbal_outcome_error(in);
    (void)arg;
    printf("%s at %d: %s\n", dbal_error_sqlstate(error), dbal_error_position(error),
           dbal_error_message(error));
    return dbal_done();
}

int
main(int argc, char **argv)
{
    struct ev_loop *ev = ev_loop_new(EVFLAG_AUTO);
    dbal_loop *loop = dbal_loop_new(ev);
    dbal_error *error = NULL;
    dbal_value values[MOST];
    size_t count = 0;
    for (; argc > 3 && count < MOST && count + 3 < (size_t)argc; count++)
        values[count] = dbal_text(argv[count + 3]);
    dbal_pool *pool = argc > 2 ? dbal_pool_open(loop, argv[1], NULL, &error) : NULL;
    if (pool == NULL) {
        printf("%s\n", argc > 2 ? dbal_error_message(error) : "ask URL SQL [PARAMETER …]");
        dbal_error_unref(error);
    } else {
        dbal_deferred_add_callbacks(dbal_pool_query(pool, argv[2], (dbal_params){count, values}),
                                    show, complain, NULL);
        ev_run(ev, 0);
    }
    dbal_loop_free(loop);
    ev_loop_destroy(ev);
    return status;
}
