/* URL parameters of the driver: one table tells what each can be. */
#ifndef DBAL__MARIADB_OPTION_H
#define DBAL__MARIADB_OPTION_H

#include <stdbool.h>
#include <stddef.h>

#include <dbal/driver.h>

typedef enum dbal__mariadb_option {
    DBAL__MARIADB_COMPRESS,
    DBAL__MARIADB_CONNECT_TIMEOUT,
    DBAL__MARIADB_INNODB_LOCK_WAIT_TIMEOUT,
    DBAL__MARIADB_LOCK_WAIT_TIMEOUT,
    DBAL__MARIADB_MAX_CONNECTIONS,
    DBAL__MARIADB_MAX_STATEMENT_TIME,
    DBAL__MARIADB_PASSWORD,
    DBAL__MARIADB_SOCKET,
    DBAL__MARIADB_SQL_MODE,
    DBAL__MARIADB_SSL,
    DBAL__MARIADB_SSL_CA,
    DBAL__MARIADB_SSL_CAPATH,
    DBAL__MARIADB_SSL_CERT,
    DBAL__MARIADB_SSL_CIPHER,
    DBAL__MARIADB_SSL_CRL,
    DBAL__MARIADB_SSL_CRLPATH,
    DBAL__MARIADB_SSL_KEY,
    DBAL__MARIADB_SSL_VERIFY_SERVER_CERT,
    DBAL__MARIADB_TINYINT1,
    DBAL__MARIADB_TLS_VERSION,
    DBAL__MARIADB_USER,
    DBAL__MARIADB_OPTIONS
} dbal__mariadb_option;

/* Values as given; NULL: not given. They belong to the configuration. */
typedef struct dbal__mariadb_options {
    const char *value[DBAL__MARIADB_OPTIONS];
} dbal__mariadb_options;

/* Their names, NULL at the end: dbal_driver.settings. */
extern const char *const dbal__mariadb_settings[];

/* False with the fault set. The values are the URL's own. */
bool dbal__mariadb_options_read(const dbal_url *url, dbal__mariadb_options *ret_options,
                                dbal_fault *fault);
/* Whether it is a word that means yes. */
bool dbal__mariadb_option_is(const dbal__mariadb_options *options, dbal__mariadb_option which,
                             const char *word);
/* Whether connections are encrypted: asked for, or a file for it is named. */
bool dbal__mariadb_options_encrypt(const dbal__mariadb_options *options);
/* A number, of seconds say, or 0 when it is not given. */
int dbal__mariadb_option_number(const dbal__mariadb_options *options, dbal__mariadb_option which);

#endif
