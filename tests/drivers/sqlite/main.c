#include "fixture.h"

#include "tests/lib/suite.h"

int
main(void)
{
    SRunner *runner = srunner_create(config_suite());
    srunner_add_suite(runner, meaning_suite());
    srunner_add_suite(runner, open_suite());
    srunner_add_suite(runner, option_suite());
    srunner_add_suite(runner, types_suite());
    srunner_add_suite(runner, failure_suite());
    srunner_add_suite(runner, statement_suite());
    srunner_add_suite(runner, transaction_suite());
    srunner_add_suite(runner, stop_suite());
    srunner_add_suite(runner, share_suite());
    srunner_add_suite(runner, log_suite());
    srunner_add_suite(runner, backup_suite());
    return suite_run_all(runner);
}
