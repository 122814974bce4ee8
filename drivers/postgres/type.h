/* PostgreSQL's types, by the numbers that the catalog has given them for ever. */
#ifndef DBAL__POSTGRES_TYPE_H
#define DBAL__POSTGRES_TYPE_H

#include <stdbool.h>

#include <dbal/value.h>

#include "libpq.h"

enum {
    DBAL__POSTGRES_BOOL = 16,
    DBAL__POSTGRES_BYTEA = 17,
    DBAL__POSTGRES_NAME = 19,
    DBAL__POSTGRES_INT8 = 20,
    DBAL__POSTGRES_INT2 = 21,
    DBAL__POSTGRES_INT4 = 23,
    DBAL__POSTGRES_TEXT = 25,
    DBAL__POSTGRES_OID = 26,
    DBAL__POSTGRES_JSON = 114,
    DBAL__POSTGRES_FLOAT4 = 700,
    DBAL__POSTGRES_FLOAT8 = 701,
    DBAL__POSTGRES_UNKNOWN = 705,
    DBAL__POSTGRES_INT8_ARRAY = 1016,
    DBAL__POSTGRES_BPCHAR = 1042,
    DBAL__POSTGRES_VARCHAR = 1043,
    DBAL__POSTGRES_DATE = 1082,
    DBAL__POSTGRES_TIME = 1083,
    DBAL__POSTGRES_TIMESTAMP = 1114,
    DBAL__POSTGRES_TIMESTAMPTZ = 1184,
    DBAL__POSTGRES_NUMERIC = 1700,
    DBAL__POSTGRES_VOID = 2278,
    DBAL__POSTGRES_UUID = 2950,
    DBAL__POSTGRES_JSONB = 3802
};

/* How a cell is read. */
typedef enum dbal__postgres_reader {
    DBAL__POSTGRES_READ_TEXT, /* its bytes are its text */
    DBAL__POSTGRES_READ_NUMERIC,
    DBAL__POSTGRES_READ_JSON,
    /* the wire's text */
    DBAL__POSTGRES_READ_BOOL_TEXT,
    DBAL__POSTGRES_READ_INTEGER_TEXT,
    DBAL__POSTGRES_READ_FLOAT4_TEXT,
    DBAL__POSTGRES_READ_FLOAT8_TEXT,
    DBAL__POSTGRES_READ_BYTEA_TEXT,
    DBAL__POSTGRES_READ_DATE_TEXT,
    DBAL__POSTGRES_READ_TIME_TEXT,
    DBAL__POSTGRES_READ_TIMESTAMP_TEXT,
    DBAL__POSTGRES_READ_UUID_TEXT,
    /* the wire's binary */
    DBAL__POSTGRES_READ_BOOL,
    DBAL__POSTGRES_READ_INT2,
    DBAL__POSTGRES_READ_INT4,
    DBAL__POSTGRES_READ_INT8,
    DBAL__POSTGRES_READ_OID,
    DBAL__POSTGRES_READ_FLOAT4,
    DBAL__POSTGRES_READ_FLOAT8,
    DBAL__POSTGRES_READ_BYTEA,
    DBAL__POSTGRES_READ_DATE,
    DBAL__POSTGRES_READ_TIME,
    DBAL__POSTGRES_READ_TIMESTAMP,
    DBAL__POSTGRES_READ_TIMESTAMPTZ,
    DBAL__POSTGRES_READ_UUID,
    DBAL__POSTGRES_READ_JSONB,
    DBAL__POSTGRES_READ_NOTHING /* binary of a type that is not known: never asked for */
} dbal__postgres_reader;

/* What its cells are, as far as they fit; DBAL_TEXT for a type that dbal does not know. */
dbal_type dbal__postgres_type(Oid oid);
/* How its cells are read when they come in that format (0 text, 1 binary). */
dbal__postgres_reader dbal__postgres_type_reader(Oid oid, int format);
/* Whether its binary form can be read, so that nothing is lost by asking for it. */
bool dbal__postgres_type_is_binary(Oid oid);

#endif
