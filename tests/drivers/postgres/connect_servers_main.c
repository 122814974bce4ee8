#include "connect_servers.h"

#include "tests/lib/suite.h"

int
main(void)
{
    dial_forget_environment();
    connect_servers_start();
    SRunner *runner = srunner_create(connect_server_suite());
    srunner_add_suite(runner, connect_tls_suite());
    int status = suite_run_all(runner);
    connect_servers_remove();
    return status;
}
