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
    channel->opening.stop = &channel->opening_ended;
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

void
dbal__channel_stop_opening(dbal__channel *channel)
{
    atomic_store_explicit(&channel->opening_ended, true, memory_order_release);
}

bool
dbal_opening_stopped(const dbal_opening *opening)
{
    const atomic_bool *stop = opening->stop;
    return stop != NULL && atomic_load_explicit(stop, memory_order_acquire);
}

bool
dbal__channel_enter_open(dbal__channel *channel, dbal_fault *fault)
{
    dbal__driver_entry *entry = channel->driver;
    const dbal_driver *driver = entry->driver;
    int level = channel->threadlevel;
    if (!dbal__driver_use(entry, level, fault))
        return false;
    dbal__entry_open_begin(&entry->entry, &channel->entry, level, driver->name);
    bool ok = driver->blocking->open(channel->connection, &channel->opening, fault);
    dbal__entry_open_end(&entry->entry, &channel->entry, level, ok);
    if (!ok)
        dbal__driver_unuse(entry, level);
    return ok;
}

void
dbal__channel_enter_close(dbal__channel *channel)
{
    dbal__driver_entry *entry = channel->driver;
    const dbal_driver *driver = entry->driver;
    int level = channel->threadlevel;
    dbal__entry_close_begin(&entry->entry, &channel->entry, level, driver->name);
    driver->blocking->close(channel->connection);
    dbal__entry_close_end(&entry->entry, &channel->entry, level);
    dbal__driver_unuse(entry, level);
}
