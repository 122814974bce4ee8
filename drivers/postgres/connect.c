#include "connect.h"

#include <locale.h>
#include <string.h>
#include <sys/random.h>

#include "address.h"
#include "attempt.h"
#include "defaults.h"
#include "host.h"
#include "parameter.h"
#include "reasons.h"
#include "settle.h"
#include "version.h"

/* One opening: over all hosts and their addresses, until one lets in. */
typedef struct walk {
    const dbal__postgres_config *config;
    dbal_opening *opening;
    dbal__postgres_attempts attempts;
    dbal__postgres_options options;
    dbal__postgres_hosts hosts;
    dbal__postgres_reasons reasons;
    dbal__postgres_reason reason; /* of the last attempt */
    const char *target;           /* target_session_attrs of this pass */
    bool prefer;                  /* any will do, if there is none of those */
    bool random;
    uint64_t chance;
    int64_t limit; /* of one attempt, 0: none */
    struct spare {
        const dbal__postgres_host *host;
        char address[DBAL__POSTGRES_ADDRESS];
    } * spares; /* that let in, but are not what is preferred */
    int spare_count;
} walk;

/* ---- what is asked for ------------------------------------------------------------------------------ */

/* What is ours is taken out: each attempt gets its own, and libpq keeps to no time here. */
static const char *const ours[] = {
    "host", "hostaddr", "port", "target_session_attrs", "load_balance_hosts", "connect_timeout",
    NULL};

static bool
read_limit(walk *self, dbal_fault *fault)
{
    const char *text = dbal__postgres_option(&self->options, "connect_timeout");
    if (text == NULL || text[0] == '-' || dbal__postgres_parameter_seconds(text, &self->limit))
        return true;
    dbal_fault_set(fault, DBAL_ERROR_INTERFACE, NULL,
                   "connect_timeout cannot be \"%.80s\": it is a number of seconds", text);
    return false;
}

static bool
read_words(walk *self, dbal_fault *fault)
{
    const char *target = dbal__postgres_option(&self->options, "target_session_attrs");
    const char *balance = dbal__postgres_option(&self->options, "load_balance_hosts");
    if (self->config->balance != NULL)
        balance = self->config->balance;
    if (target == NULL)
        target = "any";
    if (!dbal__postgres_parameter_check("target_session_attrs", target, fault) ||
        (balance != NULL && !dbal__postgres_parameter_check("load_balance_hosts", balance, fault)))
        return false;
    self->target = dbal__postgres_parameter_word("target_session_attrs", target);
    self->prefer = strcmp(target, "prefer-standby") == 0;
    if (self->prefer)
        self->target = "standby";
    self->random = balance != NULL && strcmp(balance, "random") == 0;
    return true;
}

static bool
walk_init(walk *self, dbal_fault *fault)
{
    if (!dbal__postgres_reasons_init(&self->reasons, fault) ||
        !dbal__postgres_defaults(self->config, &self->options, self->opening, fault) ||
        !read_limit(self, fault) || !read_words(self, fault) ||
        !dbal__postgres_hosts_read(&self->hosts, &self->options, fault))
        return false;
    for (const char *const *one = ours; *one != NULL; one++)
        dbal__postgres_option_set(&self->options, *one, NULL);
    self->attempts.options = &self->options;
    self->attempts.opening = self->opening;
    if (self->random &&
        getrandom(&self->chance, sizeof self->chance, GRND_NONBLOCK) != sizeof self->chance)
        self->chance = (uint64_t)dbal__postgres_now();
    return true;
}

static void
walk_fini(walk *self)
{
    dbal_driver_free(self->spares);
    dbal__postgres_hosts_fini(&self->hosts);
    dbal__postgres_options_fini(&self->options);
    dbal__postgres_reasons_fini(&self->reasons);
}

/* ---- order -------------------------------------------------------------------------------------------- */

static void
shuffle(walk *self, void *items, int count, size_t size)
{
    char swap[DBAL__POSTGRES_ADDRESS], *base = items;
    for (int i = count - 1; self->random && i > 0; i--) {
        self->chance = self->chance * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        size_t with = (size_t)((self->chance >> 33) % (uint64_t)(i + 1));
        memcpy(swap, base + (size_t)i * size, size);
        memcpy(base + (size_t)i * size, base + with * size, size);
        memcpy(base + with * size, swap, size);
    }
}

/* A part of the time that is left, so that one that hangs leaves some for those behind it. */
static int64_t
share(const walk *self, int parts)
{
    int64_t now = dbal__postgres_now(), left = self->opening->deadline - now;
    return left > 0 ? now + left / parts : now;
}

static bool
is_over(const walk *self)
{
    return dbal_opening_stopped(self->opening) || dbal__postgres_now() >= self->opening->deadline;
}

/* ---- one after the other ---------------------------------------------------------------------------- */

static void
keep_spare(walk *self, const dbal__postgres_host *host, const char *address)
{
    size_t size = (size_t)(self->spare_count + 1) * sizeof *self->spares;
    struct spare *spares = dbal_driver_realloc(self->spares, size);
    if (spares == NULL)
        return;
    self->spares = spares;
    spares[self->spare_count].host = host;
    strcpy(spares[self->spare_count++].address, address);
}

static PGconn *
try_address(walk *self, const dbal__postgres_host *host, const char *address, int parts)
{
    const dbal__postgres_place place = {host->name, address, host->port, self->target};
    int64_t deadline = share(self, parts), now = dbal__postgres_now();
    if (self->limit > 0 && deadline - now > self->limit)
        deadline = now + self->limit;
    PGconn *conn = dbal__postgres_attempt(&self->attempts, &place, deadline, &self->reason);
    if (conn != NULL &&
        dbal__postgres_settle(conn, self->config, deadline, self->opening, &self->reason))
        return conn;
    PQfinish(conn);
    dbal__postgres_reasons_add(&self->reasons, &self->reason);
    if (self->prefer && self->reason.unfit)
        keep_spare(self, host, address);
    return NULL;
}

static PGconn *
try_host(walk *self, const dbal__postgres_host *host, int behind)
{
    dbal__postgres_addresses addresses;
    PGconn *conn = NULL;
    if (!dbal__postgres_addresses_find(&addresses, host, share(self, behind + 1), self->opening,
                                       &self->reason)) {
        dbal__postgres_reasons_add(&self->reasons, &self->reason);
        return NULL;
    }
    shuffle(self, addresses.items, addresses.count, sizeof *addresses.items);
    for (int i = 0; conn == NULL && i < addresses.count; i++) {
        if (is_over(self) || self->reasons.decided)
            break;
        conn = try_address(self, host, addresses.items[i],
                           addresses.count - i + behind + (self->spare_count > 0));
    }
    dbal__postgres_addresses_fini(&addresses);
    return conn;
}

static PGconn *
try_hosts(walk *self)
{
    PGconn *conn = NULL;
    shuffle(self, self->hosts.items, self->hosts.count, sizeof *self->hosts.items);
    for (int i = 0; conn == NULL && i < self->hosts.count; i++) {
        if (is_over(self) || self->reasons.decided)
            break;
        conn = try_host(self, &self->hosts.items[i], self->hosts.count - i - 1);
    }
    return conn;
}

static PGconn *
try_spares(walk *self)
{
    PGconn *conn = NULL;
    self->target = "any";
    self->prefer = false;
    for (int i = 0; conn == NULL && i < self->spare_count; i++) {
        if (is_over(self) || self->reasons.decided)
            break;
        conn =
            try_address(self, self->spares[i].host, self->spares[i].address, self->spare_count - i);
    }
    return conn;
}

static PGconn *
connect_in_english(const dbal__postgres_config *config, dbal_opening *opening,
                   dbal__postgres_notices *notices, dbal_fault *fault)
{
    walk self = {.config = config, .opening = opening, .attempts = {.notices = notices}};
    PGconn *conn = NULL;
    if (walk_init(&self, fault)) {
        conn = try_hosts(&self);
        if (conn == NULL)
            conn = try_spares(&self);
        if (conn == NULL)
            dbal__postgres_reasons_tell(&self.reasons, fault);
    }
    walk_fini(&self);
    return conn;
}

PGconn *
dbal__postgres_connect(const dbal__postgres_config *config, dbal_opening *opening,
                       dbal__postgres_notices *notices, dbal_fault *fault)
{
    /* this thread's alone: what libpq says is to be understood here, whatever the program speaks */
    locale_t english = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    locale_t before = english != (locale_t)0 ? uselocale(english) : (locale_t)0;
    PGconn *conn = connect_in_english(config, opening, notices, fault);
    if (english != (locale_t)0) {
        uselocale(before);
        freelocale(english);
    }
    if (conn == NULL) {
        dbal_fault_set_execution(fault, DBAL_EXECUTION_NOT_SENT);
        return NULL;
    }
    PQsetErrorVerbosity(conn, PQERRORS_DEFAULT);
    const char *note = dbal__postgres_version_note(PQlibVersion(), PQsslInUse(conn) == 1);
    if (note != NULL)
        dbal_opening_note(opening, "libpq %d.%d is old: %s", PQlibVersion() / 10000,
                          PQlibVersion() % 10000, note);
    return conn;
}
