/* The text of cells that are not kept as text, as PostgreSQL itself would have written it. */
#ifndef DBAL__POSTGRES_SPELL_H
#define DBAL__POSTGRES_SPELL_H

#include <stddef.h>
#include <stdint.h>

#include <dbal/driver.h>

/* A dbal_speller; `kind` is the column's OID. */
size_t dbal__postgres_spell(char *to, size_t room, uint32_t kind, dbal_value value);

#endif
