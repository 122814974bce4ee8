#include <stdlib.h>

#include "connect_fixture.h"

int
main(void)
{
    SRunner *runner = srunner_create(connect_config_suite());
    srunner_add_suite(runner, connect_reason_suite());
    srunner_add_suite(runner, connect_fake_suite());
    srunner_add_suite(runner, connect_login_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
