#include "tests/lib/suite.h"

#include <stdlib.h>

#include "tests/lib/scratch.h"

void
suite_add(Suite *suite, const TTest *test, void (*before)(void), void (*after)(void))
{
    TCase *one = tcase_create(test->name);
    tcase_set_timeout(one, 150); /* longer than loop_fixture_until(), which can say what hangs */
    if (before != NULL || after != NULL)
        tcase_add_checked_fixture(one, before, after);
    tcase_add_test(one, test);
    suite_add_tcase(suite, one);
}

int
suite_run_all(SRunner *runner)
{
    scratch_begin();
    srunner_run_all(runner, CK_ENV);
    scratch_end();
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int
suite_run(Suite *suite)
{
    return suite_run_all(srunner_create(suite));
}
