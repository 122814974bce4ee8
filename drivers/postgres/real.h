/* The shortest decimal that still means the same floating-point number, as PostgreSQL prints it. */
#ifndef DBAL__POSTGRES_REAL_H
#define DBAL__POSTGRES_REAL_H

#include <stdbool.h>
#include <stddef.h>

/* Room for any of them, with its NUL. */
enum { DBAL__POSTGRES_REAL_MAX = 32 };

/* `small`: the number is a float4, and told apart from its neighbours there. Gives back the length. */
size_t dbal__postgres_real_write(char *to, double real, bool small);

#endif
