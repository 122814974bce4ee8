#include "values.h"

#include "tests/lib/suite.h"

int
main(void)
{
    SRunner *runner = srunner_create(bind_suite());
    srunner_add_suite(runner, begin_suite());
    srunner_add_suite(runner, failure_suite());
    srunner_add_suite(runner, meaning_suite());
    srunner_add_suite(runner, rows_suite());
    srunner_add_suite(runner, spell_suite());
    return suite_run_all(runner);
}
