#include <stdlib.h>

#include "fixture.h"

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
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
