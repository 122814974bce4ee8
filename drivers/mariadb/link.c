#include "link.h"

static const int64_t second = 1000000000;

/* ---- what it is told before ------------------------------------------------------------------- */

static void
set_flag(MYSQL *mysql, enum mysql_option option, bool value)
{
    my_bool flag = value;
    mysql_optionsv(mysql, option, &flag);
}

static void
set_number(MYSQL *mysql, enum mysql_option option, unsigned value)
{
    mysql_optionsv(mysql, option, &value);
}

/* Seconds are all that the library knows: it is a bound for names that are not found. */
static void
set_timeout(MYSQL *mysql, const dbal__mariadb_wait *wait)
{
    int64_t left = (wait->deadline - dbal__mariadb_now() + second - 1) / second;
    set_number(mysql, MYSQL_OPT_CONNECT_TIMEOUT,
               left < 1      ? 1
               : left > 3600 ? 3600
                             : (unsigned)left);
}

static void
set_encryption(MYSQL *mysql, const dbal__mariadb_options *options)
{
    static const struct {
        dbal__mariadb_option ours;
        enum mysql_option theirs;
    } texts[] = {
        {DBAL__MARIADB_SSL_CA, MYSQL_OPT_SSL_CA},
        {DBAL__MARIADB_SSL_CAPATH, MYSQL_OPT_SSL_CAPATH},
        {DBAL__MARIADB_SSL_CERT, MYSQL_OPT_SSL_CERT},
        {DBAL__MARIADB_SSL_CIPHER, MYSQL_OPT_SSL_CIPHER},
        {DBAL__MARIADB_SSL_CRL, MYSQL_OPT_SSL_CRL},
        {DBAL__MARIADB_SSL_CRLPATH, MYSQL_OPT_SSL_CRLPATH},
        {DBAL__MARIADB_SSL_KEY, MYSQL_OPT_SSL_KEY},
        {DBAL__MARIADB_TLS_VERSION, MARIADB_OPT_TLS_VERSION},
    };
    bool encrypt = dbal__mariadb_options_encrypt(options);
    set_flag(mysql, MYSQL_OPT_SSL_ENFORCE, encrypt);
    set_flag(mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT,
             encrypt &&
                 !dbal__mariadb_option_is(options, DBAL__MARIADB_SSL_VERIFY_SERVER_CERT, "off"));
    for (size_t i = 0; encrypt && i < sizeof texts / sizeof texts[0]; i++)
        if (options->value[texts[i].ours] != NULL)
            mysql_optionsv(mysql, texts[i].theirs, options->value[texts[i].ours]);
}

static void
set_options(MYSQL *mysql, const dbal__mariadb_config *config, int host,
            const dbal__mariadb_wait *wait)
{
    const dbal__mariadb_options *options = &config->options;
    /* said in so many words: else "localhost" would mean a socket, whatever the port */
    set_number(mysql, MYSQL_OPT_PROTOCOL,
               config->hosts[host].name != NULL ? MYSQL_PROTOCOL_TCP : MYSQL_PROTOCOL_SOCKET);
    set_number(mysql, MYSQL_OPT_LOCAL_INFILE, 0);
    set_flag(mysql, MYSQL_OPT_RECONNECT, false);
    set_flag(mysql, MYSQL_REPORT_DATA_TRUNCATION, true);
    mysql_optionsv(mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    size_t packet = (size_t)1 << 30;
    mysql_optionsv(mysql, MYSQL_OPT_MAX_ALLOWED_PACKET, &packet);
    if (dbal__mariadb_option_is(options, DBAL__MARIADB_COMPRESS, "on"))
        mysql_optionsv(mysql, MYSQL_OPT_COMPRESS, NULL);
    set_timeout(mysql, wait);
    set_encryption(mysql, options);
    dbal__mariadb_wait_install(mysql);
}

/* ---- connecting --------------------------------------------------------------------------------- */

bool
dbal__mariadb_link(const dbal__mariadb_config *config, int host, const char *address,
                   dbal__mariadb_wait *wait, MYSQL **ret_mysql)
{
    const dbal__mariadb_host *one = &config->hosts[host];
    bool by_name = address == NULL || dbal__mariadb_options_encrypt(&config->options);
    MYSQL *mysql = *ret_mysql = mysql_init(NULL);
    if (mysql == NULL)
        return false;
    set_options(mysql, config, host, wait);
    dbal__mariadb_wait_begin(wait);
    /* an update counts the rows it found, whether they were changed or not, as elsewhere */
    bool ok =
        mysql_real_connect(mysql, by_name ? one->name : address, config->user, config->password,
                           config->database, one->port,
                           one->name == NULL ? config->options.value[DBAL__MARIADB_SOCKET] : NULL,
                           CLIENT_FOUND_ROWS) != NULL;
    dbal__mariadb_wait_end(wait);
    return ok;
}
