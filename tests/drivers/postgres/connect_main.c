#include "connect_fixture.h"

#include "tests/lib/suite.h"

int
main(void)
{
    SRunner *runner = srunner_create(connect_config_suite());
    srunner_add_suite(runner, connect_reason_suite());
    srunner_add_suite(runner, connect_fake_suite());
    srunner_add_suite(runner, connect_login_suite());
    return suite_run_all(runner);
}
