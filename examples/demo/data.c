/* The data: a line for each character, fields separated by semicolons. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "demo.h"

enum { COLUMNS = 6, ROWS_PER_INSERT = 50, INSERTS_PER_GROUP = 32, QUICK_ROWS = 5000 };

/* The whole file with a NUL behind it; NULL with errno set. */
static char *
slurp(const char *path)
{
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return NULL;
    size_t used = 0, room = (size_t)4 << 20;
    char *text = malloc(room);
    while (text != NULL) {
        used += fread(text + used, 1, room - used - 1, file);
        if (used < room - 1)
            break;
        char *more = realloc(text, room *= 2);
        if (more == NULL)
            free(text);
        text = more;
    }
    if (text != NULL && ferror(file)) {
        free(text);
        text = NULL;
    }
    fclose(file);
    if (text != NULL)
        text[used] = '\0';
    return text;
}

/* Splits a line in place; false when it is none of this table. */
static bool
parse_line(char *line, character *ret_character)
{
    char *fields[13];
    for (int i = 0; i < 13; i++) {
        fields[i] = strsep(&line, ";");
        if (fields[i] == NULL)
            return false;
    }
    char *end;
    *ret_character = (character){.code = strtol(fields[0], &end, 16),
                                 .name = fields[1],
                                 .category = fields[2],
                                 .combining = strtol(fields[3], NULL, 10),
                                 .direction = fields[4],
                                 .upper = -1};
    if (fields[12][0] != '\0')
        ret_character->upper = strtol(fields[12], NULL, 16);
    return end != fields[0] && *end == '\0';
}

bool
demo_read(demo *self)
{
    size_t room = 0;
    self->text = slurp(self->data);
    if (self->text == NULL) {
        perror(self->data);
        fprintf(stderr, "Debian's package unicode-data has it\n");
        return false;
    }
    for (char *rest = self->text, *line; (line = strsep(&rest, "\n")) != NULL && *line != '\0';) {
        if (self->count == room) {
            room = room > 0 ? 2 * room : 65536;
            character *more = realloc(self->characters, room * sizeof *more);
            if (more == NULL)
                return false;
            self->characters = more;
        }
        if (!parse_line(line, &self->characters[self->count])) {
            fprintf(stderr, "%s, line %zu: not Unicode's character table\n", self->data,
                    self->count + 1);
            return false;
        }
        self->count++;
    }
    if (self->quick && self->count > QUICK_ROWS)
        self->count = QUICK_ROWS;
    if (self->count == 0)
        fprintf(stderr, "%s is empty\n", self->data);
    return self->count > 0;
}

dbal_outcome
demo_create(dbal_connection *connection, void *arg)
{
    demo *self = arg;
    char sql[300];
    snprintf(sql, sizeof sql,
             "create table %s(code integer primary key, name text not null, category text not "
             "null, combining integer not null, direction text not null, upper integer)",
             self->table);
    self->created = true;
    return dbal_wait(dbal_connection_query(connection, sql, DBAL_NO_PARAMS));
}

/* One INSERT of the next rows. */
static dbal_deferred *
insert(demo *self)
{
    char sql[ROWS_PER_INSERT * 32 + 128];
    dbal_value values[ROWS_PER_INSERT * COLUMNS], *value = values;
    size_t rows = self->count - self->sent, at;
    if (rows > ROWS_PER_INSERT)
        rows = ROWS_PER_INSERT;
    at = (size_t)snprintf(sql, sizeof sql,
                          "insert into %s(code, name, category, combining, direction, upper) "
                          "values ",
                          self->table);
    for (size_t i = 0; i < rows; i++) {
        const character *c = &self->characters[self->sent + i];
        int n = (int)(value - values);
        at += (size_t)snprintf(sql + at, sizeof sql - at, "%s($%d,$%d,$%d,$%d,$%d,$%d)",
                               i > 0 ? "," : "", n + 1, n + 2, n + 3, n + 4, n + 5, n + 6);
        *value++ = dbal_int64(c->code);
        *value++ = dbal_text(c->name);
        *value++ = dbal_text(c->category);
        *value++ = dbal_int64(c->combining);
        *value++ = dbal_text(c->direction);
        *value++ = c->upper < 0 ? dbal_null() : dbal_int64(c->upper);
    }
    self->sent += rows;
    return dbal_connection_query(self->connection, sql,
                                 (dbal_params){(size_t)(value - values), values});
}

/*
 * Many statements at once would all be copied at once; so a group is sent, and the next when it
 * is done. They run in their order, and the first failure ends the transaction.
 */
static dbal_outcome
insert_group(dbal_outcome in, void *arg)
{
    demo *self = arg;
    dbal_deferred *group[INSERTS_PER_GROUP];
    size_t count = 0, before = self->sent;
    (void)in;
    if (self->sent == self->count)
        return dbal_done();
    while (self->sent < self->count && count < INSERTS_PER_GROUP)
        group[count++] = insert(self);
    if (before / 10000 != self->sent / 10000)
        fprintf(stderr, "loading: %zu of %zu rows\n", self->sent, self->count);
    return dbal_wait(dbal_deferred_add_callback(
        dbal_gather(self->loop, DBAL_GATHER_OR_FAIL, count, group), insert_group, self));
}

static dbal_outcome
fill(dbal_connection *connection, void *arg)
{
    demo *self = arg;
    self->connection = connection;
    self->sent = 0; /* the work may run again */
    return insert_group(dbal_done(), self);
}

dbal_outcome
demo_load(dbal_outcome in, void *arg)
{
    demo *self = arg;
    (void)in;
    return dbal_wait(dbal_pool_transaction(
        self->pool, DBAL_TRANSACTION(.retries = 2, .label = "loading"), fill, self));
}
