/* What a column's cells are, and how they are fetched. */
#ifndef DBAL__MARIADB_TYPE_H
#define DBAL__MARIADB_TYPE_H

#include <stdbool.h>

#include <mysql.h>

#include <dbal/driver.h>

typedef enum dbal__mariadb_kind {
    DBAL__MARIADB_NOTHING, /* NULL alone */
    DBAL__MARIADB_INTEGER,
    DBAL__MARIADB_UNSIGNED, /* of 64 bits: what int64 cannot hold is NUMERIC */
    DBAL__MARIADB_TRUTH,    /* 0 and 1 are BOOL, others INT64 */
    DBAL__MARIADB_SINGLE,
    DBAL__MARIADB_DOUBLE,
    DBAL__MARIADB_DECIMAL,
    DBAL__MARIADB_STRING,
    DBAL__MARIADB_BYTES,
    DBAL__MARIADB_BITS,
    DBAL__MARIADB_JSON,
    DBAL__MARIADB_UUID,
    DBAL__MARIADB_DATE,
    DBAL__MARIADB_TIME,
    DBAL__MARIADB_MOMENT
} dbal__mariadb_kind;

/* @param truth  whether tinyint(1) is a truth value */
dbal__mariadb_kind dbal__mariadb_kind_of(const MYSQL_FIELD *field, bool truth);
/* Whether the server says that its texts are JSON. */
bool dbal__mariadb_is_json(const MYSQL_FIELD *field);
/* What results say of such a column. */
dbal_type dbal__mariadb_type_of(dbal__mariadb_kind kind);
/* As what the library is to give its cells. */
enum enum_field_types dbal__mariadb_buffer_of(dbal__mariadb_kind kind);

#endif
