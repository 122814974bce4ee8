#include <stdlib.h>

#include "values.h"

int
main(void)
{
    SRunner *runner = srunner_create(bind_suite());
    srunner_add_suite(runner, begin_suite());
    srunner_add_suite(runner, failure_suite());
    srunner_add_suite(runner, meaning_suite());
    srunner_add_suite(runner, rows_suite());
    srunner_add_suite(runner, spell_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
