/* Whether a driver's table is what the core can work with. */
#include <stdio.h>

#include "dbal/driver.h"

/* Nothing behind its first two fields is believed before they are right. */
static const char *
of_another_make(const dbal_driver *driver, char *room, size_t size)
{
    if (driver->abi != DBAL_DRIVER_ABI)
        snprintf(room, size,
                 "it was built for another version of dbal/driver.h: its ABI is %u, not %u",
                 driver->abi, DBAL_DRIVER_ABI);
    else if (driver->size < sizeof *driver)
        snprintf(room, size,
                 "it was built for another version of dbal/driver.h: its table has %zu bytes, not "
                 "%zu",
                 driver->size, sizeof *driver);
    else
        return NULL;
    return room;
}

static const char *
of_faces(const dbal_driver *driver)
{
    const dbal_blocking *blocking = driver->blocking;
    if (blocking == NULL)
        return "it cannot open and close";
    if (blocking->size < sizeof *blocking)
        return "its blocking face was built for another version of dbal/driver.h";
    if (blocking->open == NULL || blocking->close == NULL)
        return "it cannot open and close";
    if ((blocking->share_begin == NULL) != (blocking->share_end == NULL))
        return "it can begin to share a transaction, or end it, but not both";
    if ((blocking->upkeep_wanted == NULL) != (blocking->upkeep == NULL))
        return "it can want upkeep, or do it, but not both";
    if (driver->native == NULL && (blocking->run == NULL || blocking->in_transaction == NULL))
        return "it has neither a whole blocking face nor a native one";
    if (driver->native != NULL && driver->native->size < sizeof *driver->native)
        return "its native face was built for another version of dbal/driver.h";
    return NULL;
}

const char *
dbal__driver_complaint(const dbal_driver *driver, char *room, size_t size)
{
    const char *wrong = of_another_make(driver, room, size);
    if (wrong != NULL)
        return wrong;
    if (driver->name == NULL || driver->schemes == NULL || driver->schemes[0] == NULL)
        return "it has no name or no URL scheme";
    if (driver->configure == NULL || driver->configure_free == NULL || driver->classify == NULL ||
        driver->begin == NULL || driver->capabilities == NULL || driver->version == NULL)
        return "a function is missing";
    return of_faces(driver);
}

bool
dbal__driver_can_share(const dbal_driver *driver, unsigned capabilities)
{
    const dbal_blocking *blocking = driver->blocking;
    bool any = (capabilities & (DBAL_CAN_SHARE_SNAPSHOT | DBAL_CAN_SHARE_COMMIT)) != 0;
    bool commits = (capabilities & DBAL_CAN_SHARE_COMMIT) != 0;
    return (!any || blocking->share_begin != NULL) && (!commits || blocking->share_holds != NULL);
}
