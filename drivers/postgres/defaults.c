#include "defaults.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "libpq.h"

static bool
out_of_memory(dbal_fault *fault)
{
    dbal_fault_set(fault, DBAL_ERROR_NO_MEMORY, "53200", "out of memory");
    return false;
}

/* ---- libpq's own ---------------------------------------------------------------------------------- */

/*
 * libpq fills in what is open only when it makes a PGconn. So one is made that cannot come far: with
 * a list that fits to no other, which is the first thing libpq looks at, before names, files of
 * passwords and sockets. What the list stands in for is read in a second one.
 */
enum { MISFIT = 997 };

typedef struct probe {
    PGconn *conn;
    PQconninfoOption *found;
} probe;

static void
probe_fini(probe *one)
{
    PQconninfoFree(one->found);
    PQfinish(one->conn);
}

static const char *
value_of(const PQconninfoOption *found, const char *keyword)
{
    while (found->keyword != NULL && strcmp(found->keyword, keyword) != 0)
        found++;
    return found->keyword != NULL ? found->val : NULL;
}

static bool
refuse(const probe *one, dbal_fault *fault)
{
    const char *message = PQerrorMessage(one->conn);
    size_t size = strcspn(message, "\n");
    if (strstr(message, "out of memory") != NULL)
        return out_of_memory(fault);
    dbal_fault_set(fault, DBAL_ERROR_INTERFACE, NULL, "%.*s", (int)size, message);
    return false;
}

/* False with the fault set, and nothing to end. */
static bool
probe_init(probe *one, const dbal__postgres_options *given, const char *misfit, const char *beside,
           dbal_fault *fault)
{
    dbal__postgres_options options;
    char list[MISFIT + 1];
    memset(list, ',', MISFIT);
    list[MISFIT] = '\0';
    *one = (probe){NULL, NULL};
    if (!dbal__postgres_options_copy(&options, given))
        return out_of_memory(fault);
    if (dbal__postgres_option_set(&options, misfit, list) &&
        (beside == NULL || dbal__postgres_option_set(&options, beside, "none")))
        one->conn = PQconnectStartParams(options.keywords, options.values, 0);
    dbal__postgres_options_fini(&options);
    one->found = one->conn != NULL ? PQconninfo(one->conn) : NULL;
    const char *back = one->found != NULL ? value_of(one->found, misfit) : NULL;
    if (back != NULL && strcmp(back, list) == 0)
        return true;
    if (one->found == NULL)
        out_of_memory(fault);
    else
        refuse(one, fault);
    probe_fini(one);
    return false;
}

static bool
take(dbal__postgres_options *options, const PQconninfoOption *found, const char *but)
{
    for (; found->keyword != NULL; found++)
        if (strcmp(found->keyword, but) != 0 &&
            !dbal__postgres_option_default(options, found->keyword, found->val))
            return false;
    return true;
}

static bool
fill(dbal__postgres_options *options, const dbal__postgres_options *given, dbal_fault *fault)
{
    probe one, other;
    if (!probe_init(&one, given, "port", NULL, fault))
        return false;
    if (!probe_init(&other, given, "hostaddr", "host", fault)) {
        probe_fini(&one);
        return false;
    }
    bool ok = take(options, one.found, "port") &&
              dbal__postgres_option_default(options, "port", value_of(other.found, "port"));
    probe_fini(&one);
    probe_fini(&other);
    return ok || out_of_memory(fault);
}

/* ---- the password file ---------------------------------------------------------------------------- */

/* libpq complains on stderr about a file that it does not trust: it is told of none then. */
static bool
check_passfile(dbal__postgres_options *options, dbal_opening *opening, dbal_fault *fault)
{
    char path[PATH_MAX];
    struct stat status;
    const char *given = dbal__postgres_option(options, "passfile"), *home = getenv("HOME");
    if (dbal__postgres_option(options, "password") != NULL || (given == NULL && home == NULL))
        return true;
    int size = snprintf(path, sizeof path, "%s%s", given != NULL ? given : home,
                        given != NULL ? "" : "/.pgpass");
    if (size >= (int)sizeof path || stat(path, &status) != 0)
        return true;
    const char *why = !S_ISREG(status.st_mode) ? "it is no plain file"
                      : (status.st_mode & (S_IRWXG | S_IRWXO)) != 0
                          ? "others than its owner may use it: its mode should be 0600"
                          : NULL;
    if (why == NULL)
        return true;
    dbal_opening_note(opening, "the password file \"%s\" is not read: %s", path, why);
    return dbal__postgres_option_set(options, "passfile", "/nonexistent/.pgpass") ||
           out_of_memory(fault);
}

/* ---- ours ------------------------------------------------------------------------------------------ */

/*
 * GSSAPI encryption looks into files, caches and the network before anything is sent. libpq's
 * default cannot be told from the same word in a service file; it does no more there than here.
 */
static bool
choose_gss(const dbal__postgres_config *config, dbal__postgres_options *options)
{
    const char *mode = dbal__postgres_option(options, "gssencmode");
    if (mode == NULL || strcmp(mode, "prefer") != 0 || getenv("PGGSSENCMODE") != NULL ||
        dbal__postgres_option(&config->options, "gssencmode") != NULL)
        return true;
    return dbal__postgres_option_set(options, "gssencmode", "disable");
}

typedef struct text {
    char *to;
    size_t used, room;
} text;

static void
append(text *out, const char *from, bool escaped)
{
    for (; *from != '\0'; from++) {
        bool escape =
            escaped && (*from == '\\' || *from == ' ' || (*from >= '\t' && *from <= '\r'));
        if (escape && out->used + 1 < out->room)
            out->to[out->used++] = '\\';
        if (out->used + 1 < out->room)
            out->to[out->used++] = *from;
    }
    out->to[out->used] = '\0';
}

static void
append_setting(text *out, const char *name, const char *value)
{
    append(out, out->used > 0 ? " -c " : "-c ", false);
    append(out, name, false);
    append(out, "=", false);
    append(out, value, true);
}

/* How texts look that the driver reads; what the program asks for goes over that. */
static bool
add_settings(const dbal__postgres_config *config, dbal__postgres_options *options,
             dbal_opening *opening)
{
    const dbal__postgres_options *settings = &config->settings;
    const char *given = dbal__postgres_option(options, "options");
    if (config->pooler) {
        /* it would let nobody in who sends any */
        if (given != NULL)
            dbal_opening_note(opening, "options of the environment or a service do not go with "
                                       "pool_pooler=transaction");
        return dbal__postgres_option_set(options, "options", NULL);
    }
    size_t room = 256 + (given != NULL ? strlen(given) : 0);
    for (int i = 0; i < settings->count; i++)
        room += strlen(settings->keywords[i]) + 2 * strlen(settings->values[i]) + 8;
    text out = {dbal_driver_alloc(room), 0, room};
    if (out.to == NULL)
        return false;
    append_setting(&out, "DateStyle", "ISO");
    append_setting(&out, "IntervalStyle", "postgres");
    append_setting(&out, "TimeZone", "UTC");
    if (given != NULL) {
        append(&out, " ", false);
        append(&out, given, false);
    }
    for (int i = 0; i < settings->count; i++)
        append_setting(&out, settings->keywords[i], settings->values[i]);
    bool ok = dbal__postgres_option_set(options, "options", out.to);
    dbal_driver_free(out.to);
    return ok;
}

static bool
add_ours(const dbal__postgres_config *config, dbal__postgres_options *options,
         dbal_opening *opening)
{
    return dbal__postgres_option_set(options, "client_encoding", "UTF8") &&
           dbal__postgres_option_default(options, "keepalives_idle", "30") &&
           dbal__postgres_option_default(options, "keepalives_interval", "10") &&
           dbal__postgres_option_default(options, "keepalives_count", "3") &&
           dbal__postgres_option_default(options, "tcp_user_timeout", "30000") &&
           dbal__postgres_option_default(options, "fallback_application_name",
                                         program_invocation_short_name) &&
           /* without one, OpenSSL asks on the terminal for the password of a key that has one */
           dbal__postgres_option_default(options, "sslpassword", " ") &&
           choose_gss(config, options) && add_settings(config, options, opening);
}

bool
dbal__postgres_defaults(const dbal__postgres_config *config, dbal__postgres_options *options,
                        dbal_opening *opening, dbal_fault *fault)
{
    *options = (dbal__postgres_options){0};
    bool ok = fill(options, &config->options, fault) && check_passfile(options, opening, fault) &&
              (add_ours(config, options, opening) || out_of_memory(fault));
    if (!ok)
        dbal__postgres_options_fini(options);
    return ok;
}
