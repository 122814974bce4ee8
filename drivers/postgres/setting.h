/* Whether a statement's text sets statement_timeout, as far as it tells. */
#ifndef DBAL__POSTGRES_SETTING_H
#define DBAL__POSTGRES_SETTING_H

typedef enum dbal__postgres_sets {
    DBAL__POSTGRES_SETS_NOT,
    DBAL__POSTGRES_SETS_LOCAL, /* until the transaction ends */
    DBAL__POSTGRES_SETS        /* until the session is made as new */
} dbal__postgres_sets;

/* SET, RESET, DISCARD, set_config(), and DO with one of these; not what a function does inside. */
dbal__postgres_sets dbal__postgres_sets_of(const char *sql);

#endif
