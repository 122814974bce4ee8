#include "begin.h"

#define EACH(level)                                                                                \
    {                                                                                              \
        {"begin" level, "begin" level " deferrable"},                                              \
        {                                                                                          \
            "begin" level " read only", "begin" level " read only deferrable"                      \
        }                                                                                          \
    }

const char *
dbal__postgres_begin(const void *config, dbal_isolation isolation, bool read_only, bool deferrable,
                     dbal_fault *fault)
{
    /* what is not said is the session's default */
    static const char *const statements[][2][2] = {
        [DBAL_ISOLATION_DEFAULT] = EACH(""),
        [DBAL_READ_COMMITTED] = EACH(" isolation level read committed"),
        [DBAL_REPEATABLE_READ] = EACH(" isolation level repeatable read"),
        [DBAL_SERIALIZABLE] = EACH(" isolation level serializable"),
    };
    (void)config;
    if ((size_t)isolation >= sizeof statements / sizeof statements[0]) {
        dbal_fault_set(fault, DBAL_ERROR_INTERFACE, NULL, "there is no isolation level %d",
                       (int)isolation);
        return NULL;
    }
    return statements[isolation][read_only][deferrable];
}
