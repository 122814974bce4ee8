/* The database of a trial: the one that the URL names, with {} for a new folder. */
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check/place.h"
#include "tests/contract/contract.h"

const char *place_url;
const char *place_settings = "";

static char folder[64];

void
contract_begin(void)
{
}

void
contract_place_make(void)
{
    const char *in = getenv("TMPDIR");
    int size = snprintf(folder, sizeof folder, "%s/dbal-check-XXXXXX", in != NULL ? in : "/tmp");
    if (size >= (int)sizeof folder || mkdtemp(folder) == NULL)
        trial_end(VERDICT_UNASKED, "no folder can be made in %s", in != NULL ? in : "/tmp");
    memcpy(trial_report->folder, folder, sizeof folder);
}

static int
remove_one(const char *path, const struct stat *about, int kind, struct FTW *where)
{
    (void)about, (void)kind, (void)where;
    return remove(path);
}

void
place_remove(const char *made)
{
    if (made[0] != '\0')
        nftw(made, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void
contract_place_remove(void)
{
    /* whoever ran the trial does it, however that ended */
}

void
contract_url(char *url, size_t size, const char *settings)
{
    const char *more[] = {target->parameters, place_settings, settings};
    const char *hole = strstr(place_url, "{}");
    size_t used = hole != NULL ? (size_t)snprintf(url, size, "%.*s%s%s", (int)(hole - place_url),
                                                  place_url, folder, hole + 2)
                               : (size_t)snprintf(url, size, "%s", place_url);
    for (int i = 0; i < 3; i++)
        if (more[i][0] != '\0' && used < size)
            used += (size_t)snprintf(url + used, size - used, "%s%s",
                                     strchr(url, '?') != NULL ? "&" : "?", more[i]);
}

void
contract_backup_target(char *to, size_t size)
{
    if (target->sql->backup != NULL)
        snprintf(to, size, "%s", target->sql->backup);
    else
        snprintf(to, size, "%s/copy", folder);
}

const char *
contract_said(const char *sql, const char *what)
{
    if (sql == NULL)
        trial_end(VERDICT_UNASKED, "there are no words for it (%s)", what);
    return sql;
}
