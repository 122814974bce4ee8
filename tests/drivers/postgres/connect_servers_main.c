#include <stdlib.h>

#include "connect_servers.h"

int
main(void)
{
    dial_forget_environment();
    connect_servers_start();
    SRunner *runner = srunner_create(connect_server_suite());
    srunner_add_suite(runner, connect_tls_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    connect_servers_remove();
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
