#include <dbal/version.h>

const char *
dbal_version(void)
{
    return DBAL_VERSION;
}
