#include "dbal/note.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "dbal/alloc.h"

enum { NOTE_SIZE = 512 };

bool
dbal__notes_add(dbal_notes *notes, const char *text)
{
    for (size_t i = 0; i < notes->count; i++)
        if (strcmp(notes->texts[i], text) == 0)
            return false;
    char *copy = notes->count < DBAL__NOTES ? dbal__strdup(text) : NULL;
    if (copy == NULL)
        return false;
    notes->texts[notes->count++] = copy;
    return true;
}

void
dbal__notes_fini(dbal_notes *notes)
{
    while (notes->count > 0)
        dbal__free(notes->texts[--notes->count]);
}

void
dbal_opening_note(dbal_opening *opening, const char *format, ...)
{
    char text[NOTE_SIZE];
    va_list arguments;
    if (opening->notes == NULL)
        return;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    dbal__notes_add(opening->notes, text);
}
