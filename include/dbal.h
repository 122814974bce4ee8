/** @file dbal.h  All of dbal's public interface for applications; drivers include dbal/driver.h. */
#ifndef DBAL_H
#define DBAL_H

#include <dbal/connection.h>
#include <dbal/copy.h>
#include <dbal/deferred.h>
#include <dbal/drivers.h>
#include <dbal/error.h>
#include <dbal/fanout.h>
#include <dbal/gate.h>
#include <dbal/limit.h>
#include <dbal/loop.h>
#include <dbal/memory.h>
#include <dbal/notification.h>
#include <dbal/outcome.h>
#include <dbal/pool.h>
#include <dbal/process.h>
#include <dbal/query.h>
#include <dbal/result.h>
#include <dbal/stream.h>
#include <dbal/trace.h>
#include <dbal/value.h>
#include <dbal/version.h>

#endif
