#include "version.h"

#include <stddef.h>

/* The first release of each line that has it right; 0: the line never had it wrong. */
static const struct {
    int fixed[4]; /* 15, 16, 17, 18 */
    bool tls;
    const char *what;
} faults[] = {
    {{6, 2, 0, 0}, false, "a lost connection can leave a pipeline waiting for ever"},
    {{8, 4, 0, 0}, false, "its error texts are not safe between threads"},
    {{14, 10, 6, 0}, true, "a statement in a pipeline over TLS can fail with \"bad length\""},
    {{15, 11, 7, 1}, false, "very large values can overrun its memory"},
};

const char *
dbal__postgres_version_note(int version, bool tls)
{
    int line = version / 10000 - 15, release = version % 10000;
    if (line < 0 || line > 3)
        return NULL;
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
        if ((tls || !faults[i].tls) && release < faults[i].fixed[line])
            return faults[i].what;
    return NULL;
}
