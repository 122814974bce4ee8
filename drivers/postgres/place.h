/* Where in the data of a copy the server has found something wrong. */
#ifndef DBAL__POSTGRES_PLACE_H
#define DBAL__POSTGRES_PLACE_H

#include <stdbool.h>
#include <stddef.h>

/* Of the server's context, `COPY t, line 7, column n: "x"`, what is in front of the value. */
bool dbal__postgres_place(const char *context, char *to, size_t room);
/* Puts "…" in a message where it quotes that value. */
void dbal__postgres_place_hide(const char *context, char *message, size_t room);

#endif
