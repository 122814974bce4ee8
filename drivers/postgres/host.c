#include "host.h"

#include <string.h>

enum { PORT_MOST = 65535 };

static int
count_of(const char *list)
{
    int count = 1;
    for (; *list != '\0'; list++)
        count += *list == ',';
    return count;
}

/* The next of a list: ended where its comma was. */
static const char *
cut(char **list)
{
    char *one = *list, *comma = strchr(one, ',');
    if (comma != NULL)
        *comma++ = '\0';
    *list = comma != NULL ? comma : one + strlen(one);
    return one;
}

static bool
refuse_port(const char *port, dbal_fault *fault)
{
    dbal_fault_set(fault, DBAL_ERROR_INTERFACE, NULL,
                   "the port cannot be \"%.40s\": it is a number from 1 to 65535", port);
    return false;
}

static bool
check_port(const char *port, dbal_fault *fault)
{
    int number = 0;
    if (*port == '\0')
        return true;
    for (const char *digit = port; *digit != '\0'; digit++) {
        if (*digit < '0' || *digit > '9' || number > PORT_MOST)
            return refuse_port(port, fault);
        number = number * 10 + (*digit - '0');
    }
    return number >= 1 && number <= PORT_MOST ? true : refuse_port(port, fault);
}

static bool
check_counts(int count, const char *names, const char *addresses, const char *ports,
             dbal_fault *fault)
{
    const char *what = NULL;
    int other = 0;
    if (*names != '\0' && *addresses != '\0' && count_of(names) != count) {
        what = "hosts";
        other = count_of(names);
    } else if (count_of(ports) != 1 && count_of(ports) != count) {
        what = "ports";
        other = count_of(ports);
    }
    if (what == NULL)
        return true;
    dbal_fault_set(fault, DBAL_ERROR_INTERFACE, NULL, "there are %d %s for %d %s", other, what,
                   count, *addresses != '\0' ? "addresses" : "hosts");
    return false;
}

static bool
out_of_memory(dbal__postgres_hosts *hosts, dbal_fault *fault)
{
    dbal__postgres_hosts_fini(hosts);
    dbal_fault_set(fault, DBAL_ERROR_NO_MEMORY, "53200", "out of memory");
    return false;
}

/* One port stands for all. */
static bool
fill(dbal__postgres_hosts *hosts, char *names, char *addresses, char *ports, dbal_fault *fault)
{
    bool shared = strchr(ports, ',') == NULL;
    for (int i = 0; i < hosts->count; i++) {
        dbal__postgres_host *one = &hosts->items[i];
        one->name = cut(&names);
        one->address = cut(&addresses);
        one->port = shared ? ports : cut(&ports);
        if (!check_port(one->port, fault))
            return false;
    }
    return true;
}

bool
dbal__postgres_hosts_read(dbal__postgres_hosts *hosts, const dbal__postgres_options *options,
                          dbal_fault *fault)
{
    const char *lists[3] = {dbal__postgres_option(options, "host"),
                            dbal__postgres_option(options, "hostaddr"),
                            dbal__postgres_option(options, "port")};
    size_t sizes[3], size = 0;
    *hosts = (dbal__postgres_hosts){0};
    for (int i = 0; i < 3; i++) {
        lists[i] = lists[i] != NULL ? lists[i] : "";
        size += sizes[i] = strlen(lists[i]) + 1;
    }
    hosts->count = count_of(lists[1][0] != '\0' ? lists[1] : lists[0]);
    if (!check_counts(hosts->count, lists[0], lists[1], lists[2], fault))
        return false;
    hosts->memory = dbal_driver_alloc(size);
    hosts->items = dbal_driver_alloc((size_t)hosts->count * sizeof *hosts->items);
    if (hosts->memory == NULL || hosts->items == NULL)
        return out_of_memory(hosts, fault);
    char *names = memcpy(hosts->memory, lists[0], sizes[0]);
    char *addresses = memcpy(names + sizes[0], lists[1], sizes[1]);
    char *ports = memcpy(addresses + sizes[1], lists[2], sizes[2]);
    if (fill(hosts, names, addresses, ports, fault))
        return true;
    dbal__postgres_hosts_fini(hosts);
    return false;
}

void
dbal__postgres_hosts_fini(dbal__postgres_hosts *hosts)
{
    dbal_driver_free(hosts->memory);
    dbal_driver_free(hosts->items);
    *hosts = (dbal__postgres_hosts){0};
}
