#include <stdlib.h>

#include "connect_servers.h"

int
main(void)
{
    /* what the environment says of servers is not for these; and no file of this user's */
    static const char *const names[] = {"PGHOST",     "PGHOSTADDR", "PGPORT",     "PGUSER",
                                        "PGPASSWORD", "PGDATABASE", "PGOPTIONS",  "PGSERVICE",
                                        "PGSSLMODE",  "PGTZ",       "PGDATESTYLE"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        unsetenv(names[i]);
    setenv("HOME", "/nonexistent", 1);
    connect_servers_start();
    SRunner *runner = srunner_create(connect_server_suite());
    srunner_add_suite(runner, connect_tls_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    connect_servers_remove();
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
