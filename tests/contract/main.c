/* contract TARGET: proves one target; without one, lists them. */
#include <stdio.h>
#include <string.h>

#include "tests/contract/contract.h"
#include "tests/lib/suite.h"

int
main(int argc, char **argv)
{
    for (target = contract_targets; target->name != NULL; target++) {
        if (argc < 2)
            printf("%s\n", target->name);
        else if (strcmp(target->name, argv[1]) == 0)
            break;
    }
    if (argc < 2)
        return 0;
    if (target->name == NULL) {
        fprintf(stderr, "there is no target %s\n", argv[1]);
        return 2;
    }
    contract_begin();
    Suite *suite = suite_create(target->name);
    add_statements(suite);
    add_values(suite);
    add_transactions(suite);
    add_batches(suite);
    add_backups(suite);
    add_copies(suite);
    add_notifications(suite);
    add_stops(suite);
    add_streams(suite);
    add_pools(suite);
    add_memory(suite);
    add_schedules(suite);
    return suite_run(suite);
}
