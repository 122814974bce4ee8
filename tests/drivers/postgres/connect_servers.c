#include "connect_servers.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

connect_servers servers;

static int
port_of(const postgres *server)
{
    const char *colon = strrchr(server->url, ':');
    return atoi(colon + 1);
}

static void
run(const char *format, ...)
{
    char command[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(command, sizeof command, format, arguments);
    va_end(arguments);
    if (system(command) == 0)
        return;
    fprintf(stderr, "it failed: %s\n", command);
    exit(EXIT_FAILURE);
}

static void
make_roles(void)
{
    static const char *const statements[] = {
        "create database bank",
        "create database closed allow_connections false",
        "create role teller login password 'topsecret'",
        "create role tlsonly login password 'topsecret'",
        "create role limited login password 'topsecret' connection limit 1",
        "create role stranger login password 'topsecret'",
        "create role odd login password 'topsecret'",
        "alter role odd set datestyle = 'German'",
        "alter role odd set intervalstyle = 'iso_8601'",
        "alter role odd set timezone = 'Asia/Tokyo'",
        "alter role odd set standard_conforming_strings = off",
        "create role certuser login",
    };
    for (size_t i = 0; i < sizeof statements / sizeof statements[0]; i++)
        postgres_run(servers.bank.url, statements[i]);
}

/* A server that was shut down is a standby for ever, of nobody. */
static void
make_standby(void)
{
    static const char *const settings[] = {"--tcp", NULL};
    postgres_start(&servers.standby, settings);
    postgres_stop(&servers.standby, "fast");
    run("cd %s/data && touch standby.signal && chown --reference=. standby.signal",
        servers.standby.folder);
    postgres_restart(&servers.standby, "fast");
    servers.standby_port = port_of(&servers.standby);
}

void
connect_servers_start(void)
{
    static const char *const settings[] = {"--tcp", NULL};
    postgres_start(&servers.bank, settings);
    servers.bank_port = port_of(&servers.bank);
    make_roles();
    snprintf(servers.files, sizeof servers.files, "/tmp/dbal-files-XXXXXX");
    if (mkdtemp(servers.files) == NULL)
        exit(EXIT_FAILURE);
    run(DBAL_SOURCE_FOLDER "/tests/drivers/postgres/certificates %s %s/data >%s/log 2>&1 || "
                           "{ cat %s/log; false; }",
        servers.files, servers.bank.folder, servers.files, servers.files);
    postgres_restart(&servers.bank, "fast");
    make_standby();
    postgres_bouncer_start(&servers.pooler, &servers.bank, NULL);
}

void
connect_servers_remove(void)
{
    postgres_remove(&servers.pooler);
    postgres_remove(&servers.standby);
    postgres_remove(&servers.bank);
    run("rm -rf %s", servers.files);
}

const char *
connect_servers_file(const char *name, const char *format, ...)
{
    static char path[128];
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    snprintf(path, sizeof path, "%s/%s", servers.files, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ck_assert_int_eq(write(fd, text, (size_t)size), size);
    close(fd);
    return path;
}
