/* A worker process of the gate "process": see dbal/process.h. */
#include <dbal/process.h>

int
main(void)
{
    return dbal_worker_main();
}
