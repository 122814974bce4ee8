#include "kill.h"

#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <errmsg.h>
#include <mysqld_error.h>

#include "link.h"
#include "wait.h"

/* nanoseconds; the server is given up when it could not be told for so long */
static const int64_t pause_first = 20000000, pause_most = 500000000, patience = INT64_C(5000000000);

/* A name may have several addresses, with a server each: a KILL at another would hit somebody else. */
typedef struct peer {
    char text[NI_MAXHOST]; /* "": it has none, as a socket of this machine */
} peer;

static void
read_peer(MYSQL *mysql, peer *ret)
{
    struct sockaddr_storage storage = {.ss_family = AF_UNSPEC};
    struct sockaddr *at = (struct sockaddr *)&storage;
    socklen_t size = sizeof storage;
    bool known = getpeername(mysql_get_socket(mysql), at, &size) == 0 &&
                 (at->sa_family == AF_INET || at->sa_family == AF_INET6);
    if (!known || getnameinfo(at, size, ret->text, sizeof ret->text, NULL, 0, NI_NUMERICHOST) != 0)
        ret->text[0] = '\0';
}

static bool
is_where(MYSQL *mysql, const peer *first)
{
    peer second;
    read_peer(mysql, &second);
    return first->text[0] == '\0' || strcmp(first->text, second.text) == 0;
}

static bool
is_same_server(const dbal__mariadb_kill *self, int64_t deadline)
{
    dbal__mariadb_wait wait = dbal__mariadb_wait_until(deadline);
    dbal__mariadb_wait_begin(&wait);
    bool same = dbal__mariadb_identity_is(&self->identity, self->mysql);
    dbal__mariadb_wait_end(&wait);
    return same;
}

static bool
connect_second(dbal__mariadb_kill *self, int64_t deadline)
{
    peer first;
    dbal__mariadb_wait wait = dbal__mariadb_wait_until(deadline);
    if (self->mysql != NULL)
        return true;
    read_peer(self->first, &first);
    const char *address = first.text[0] != '\0' ? first.text : NULL;
    if (dbal__mariadb_link(self->config, self->host, address, &wait, &self->mysql) &&
        is_where(self->mysql, &first) && is_same_server(self, deadline))
        return true;
    if (self->mysql != NULL)
        mysql_close(self->mysql);
    self->mysql = NULL;
    return false;
}

/* Whether it was done. That the first connection is not there any more will be seen by itself. */
static bool
send_one(dbal__mariadb_kill *self, int64_t deadline)
{
    dbal__mariadb_wait wait = dbal__mariadb_wait_until(deadline);
    char text[48];
    int size = snprintf(text, sizeof text, "kill query %lu", self->identity.id);
    dbal__mariadb_wait_begin(&wait);
    bool done = mysql_real_query(self->mysql, text, (unsigned long)size) == 0;
    dbal__mariadb_wait_end(&wait);
    unsigned code = done ? 0 : mysql_errno(self->mysql);
    self->sent = true;
    if (code != CR_SERVER_LOST && code != CR_SERVER_GONE_ERROR)
        return done;
    self->doubts = self->doubts || code == CR_SERVER_LOST;
    mysql_close(self->mysql);
    self->mysql = NULL;
    return false;
}

int64_t
dbal__mariadb_kill_send(dbal__mariadb_kill *self)
{
    int64_t now = dbal__mariadb_now();
    if (self->since == 0) {
        self->since = now;
        self->pause = pause_first;
    }
    int64_t deadline = self->since + patience;
    bool told =
        !self->doubts && connect_second(self, now + patience) && send_one(self, now + patience);
    now = dbal__mariadb_now();
    if (told)
        self->since = now;
    else if (self->doubts || now >= deadline)
        return -1;
    int64_t again = now + self->pause;
    self->pause = self->pause * 2 < pause_most ? self->pause * 2 : pause_most;
    return again;
}

bool
dbal__mariadb_kill_end(dbal__mariadb_kill *self)
{
    bool sent = self->sent;
    if (self->mysql != NULL)
        mysql_close(self->mysql);
    self->mysql = NULL;
    self->sent = false;
    self->since = 0;
    return sent;
}
