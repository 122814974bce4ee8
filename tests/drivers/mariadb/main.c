#include "session.h"

int
main(void)
{
    Suite *suite = suite_create("mariadb");
    add_meaning(suite);
    add_config(suite);
    add_older(suite);
    add_opening(suite);
    add_types(suite);
    add_errors(suite);
    add_statements(suite);
    add_transactions(suite);
    add_stops(suite);
    add_limits(suite);
    add_loss(suite);
    return session_main(suite);
}
