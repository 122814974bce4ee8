/* The database of a trial: the one that the URL names, with {} for a new folder. */
#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "check/place.h"
#include "tests/contract/contract.h"

const char *place_url;
const char *place_settings = "";

static char folder[PATH_MAX - 16];

void
contract_begin(void)
{
}

void
contract_place_make(void)
{
    const char *in = getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp";
    uint64_t number = 0;
    if (getrandom(&number, sizeof number, 0) != sizeof number)
        trial_end(VERDICT_UNASKED, "there is no random number: %s", strerror(errno));
    int size =
        snprintf(folder, sizeof folder, "%s/dbal-check-%016llx", in, (unsigned long long)number);
    if (size >= (int)sizeof folder)
        trial_end(VERDICT_UNASKED, "no folder can be made in %s: %s", in, strerror(ENAMETOOLONG));
    /* told before it is there: this process may be killed at any time, and another one removes it */
    memcpy(trial_report->folder, folder, sizeof folder);
    if (mkdir(folder, 0700) != 0) {
        trial_report->folder[0] = '\0';
        trial_end(VERDICT_UNASKED, "no folder can be made in %s: %s", in, strerror(errno));
    }
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

char *
contract_url(const char *settings)
{
    const char *hole = strstr(place_url, "{}");
    char *url = hole == NULL ? contract_text("%s", place_url)
                             : contract_text("%.*s%s%s", (int)(hole - place_url), place_url, folder,
                                             hole + 2);
    url = contract_url_add(url, target->parameters);
    url = contract_url_add(url, place_settings);
    return contract_url_add(url, settings);
}

const char *
contract_backup_target(void)
{
    static char to[PATH_MAX];
    if (target->sql->backup != NULL)
        return target->sql->backup;
    snprintf(to, sizeof to, "%s/copy", folder);
    return to;
}

const char *
contract_said(const char *sql, const char *what)
{
    if (sql == NULL)
        trial_end(VERDICT_UNASKED, "there are no words for it (%s)", what);
    return sql;
}
