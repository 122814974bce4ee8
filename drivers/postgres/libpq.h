/* The one place that includes libpq. */
#ifndef DBAL__POSTGRES_LIBPQ_H
#define DBAL__POSTGRES_LIBPQ_H

#include <libpq-fe.h>

#endif
