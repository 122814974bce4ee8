#include "dbal/channel.h"

#include "dbal/alloc.h"

bool
dbal__channel_init(dbal__channel *channel, const dbal__channel_ops *ops, dbal_loop *loop,
                   dbal__driver_entry *driver)
{
    channel->ops = ops;
    channel->loop = loop;
    channel->driver = driver;
    channel->opening.size = sizeof channel->opening;
    channel->opening.notes = &channel->notes;
    channel->connection = dbal__zalloc(driver->driver->connection_size);
    if (channel->connection == NULL)
        return false;
    channel->inbox = dbal__inbox_ref(loop->inbox);
    return true;
}

void
dbal__channel_fini(dbal__channel *channel)
{
    dbal__notes_fini(&channel->notes);
    dbal__free(channel->connection);
    dbal__inbox_unref(channel->inbox);
}
