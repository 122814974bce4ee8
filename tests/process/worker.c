/* A worker that has the driver in trouble.h besides those of the library. */
#include <signal.h>
#include <stdlib.h>

#include "tests/process/lies.h"
#include "tests/process/trouble.h"
#include <dbal/process.h>

int
main(void)
{
    signal(SIGSEGV, SIG_DFL); /* a sanitizer would exit instead */
    if (getenv("DBAL_STRANGER") != NULL)
        greet_as_another();
    if (!dbal_driver_register(&trouble_driver, NULL))
        return 3;
    return dbal_worker_main();
}
