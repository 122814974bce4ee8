#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* bytes: of a record, and between two looks at whether it is still wanted */
enum { LARGEST_RECORD = 64 << 20, LOOK = 64 << 10 };

static bool
fail(csv_file *file, dbal_fault *fault, const char *what)
{
    if (!file->stopped)
        dbal_fault_set(fault, DBAL_ERROR_DATA, "22P04", "%s, line %lu: %s", file->name, file->line,
                       what);
    return false;
}

static bool
fail_memory(dbal_fault *fault)
{
    dbal_fault_set(fault, DBAL_ERROR_NO_MEMORY, "53200", "out of memory");
    return false;
}

/* Opening a pipe would wait for somebody who writes to it, and nobody could interrupt that. */
static FILE *
open_regular(const char *path, dbal_fault *fault)
{
    struct stat about;
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool good = descriptor >= 0 && fstat(descriptor, &about) == 0;
    FILE *from = good && S_ISREG(about.st_mode) ? fdopen(descriptor, "r") : NULL;
    if (from != NULL)
        return from;
    bool absent = descriptor < 0 && errno == ENOENT;
    const char *why = good && !S_ISREG(about.st_mode) ? "it is no file" : strerror(errno);
    dbal_fault_set(fault, absent ? DBAL_ERROR_PROGRAMMING : DBAL_ERROR_OPERATIONAL,
                   absent ? "42P01" : "58030", "%s: %s", path, why);
    if (descriptor >= 0)
        close(descriptor);
    return NULL;
}

bool
csv_file_open(csv_file *file, const char *path, const char *name, dbal_fault *fault)
{
    *file = (csv_file){.name = name, .line = 1};
    file->from = open_regular(path, fault);
    if (file->from == NULL)
        return false;
    static const unsigned char mark[] = {0xef, 0xbb, 0xbf};
    unsigned char begin[3];
    if (fread(begin, 1, 3, file->from) != 3 || memcmp(begin, mark, 3) != 0)
        rewind(file->from);
    return true;
}

void
csv_file_close(csv_file *file)
{
    fclose(file->from);
    dbal_driver_free(file->bytes);
    dbal_driver_free(file->fields);
}

/* ---- a record ---- */

/* EOF, too, when it is no longer wanted. */
static int
next(csv_file *file)
{
    if (++file->unlooked >= LOOK && file->is_wanted != NULL) {
        file->unlooked = 0;
        file->stopped = !file->is_wanted(file->arg);
    }
    return file->stopped ? EOF : getc(file->from);
}

static bool
put(csv_file *file, int c, dbal_fault *fault)
{
    if (file->used == file->room) {
        size_t room = file->room != 0 ? 2 * file->room : 1024;
        char *bytes = room <= LARGEST_RECORD ? dbal_driver_realloc(file->bytes, room) : NULL;
        if (bytes == NULL)
            return room <= LARGEST_RECORD ? fail_memory(fault)
                                          : fail(file, fault, "a record of more than 64 MiB");
        file->bytes = bytes;
        file->room = room;
    }
    file->bytes[file->used++] = (char)c;
    return true;
}

/* How long the UTF-8 character is that begins here, 0 for none. */
static size_t
character(const unsigned char *at, size_t left)
{
    size_t size = at[0] < 0x80 ? 1 : at[0] < 0xc2 ? 0 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
    if (size == 0 || size > left || at[0] > 0xf4)
        return 0;
    for (size_t i = 1; i < size; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    bool wrong = (at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] > 0x9f) ||
                 (at[0] == 0xf0 && at[1] < 0x90) || (at[0] == 0xf4 && at[1] > 0x8f);
    return wrong ? 0 : size;
}

/* A text of dbal's is UTF-8. */
static bool
is_utf8(const char *text, size_t size)
{
    size_t at = 0, step;
    while (at < size) {
        step = character((const unsigned char *)text + at, size - at);
        if (step == 0)
            return false;
        at += step;
    }
    return true;
}

static bool
end_field(csv_file *file, size_t start, bool quoted, dbal_fault *fault)
{
    size_t size = file->used - start;
    if (size > 0 && !is_utf8(file->bytes + start, size))
        return fail(file, fault, "a field that is not UTF-8");
    if (file->count == file->field_room) {
        size_t room = file->field_room != 0 ? 2 * file->field_room : 16;
        if (room * sizeof *file->fields > LARGEST_RECORD)
            return fail(file, fault, "a record of too many fields");
        csv_field *fields = dbal_driver_realloc(file->fields, room * sizeof *fields);
        if (fields == NULL)
            return fail_memory(fault);
        file->fields = fields;
        file->field_room = room;
    }
    file->fields[file->count++] = (csv_field){start, size, size == 0 && !quoted};
    return true;
}

/* What ends a field; a line's end may be CR LF or LF. */
static bool
is_end(csv_file *file, int *c)
{
    if (*c == '\r') {
        int behind = next(file);
        if (behind == '\n')
            *c = behind;
        else if (behind != EOF)
            ungetc(behind, file->from);
    }
    return *c == ',' || *c == '\n' || *c == EOF;
}

/* Behind the first quote, up to what stands behind the last one. */
static bool
read_quoted(csv_file *file, int *ret_end, dbal_fault *fault)
{
    unsigned long began = file->line;
    for (;;) {
        int c = next(file);
        if (c == EOF) {
            file->line = began;
            return fail(file, fault, "a quote that is never closed");
        }
        if (c == '"' && (c = next(file)) != '"') {
            *ret_end = c;
            return is_end(file, ret_end) || fail(file, fault, "something behind a closing quote");
        }
        file->line += c == '\n';
        if (!put(file, c, fault))
            return false;
    }
}

static bool
read_plain(csv_file *file, int c, int *ret_end, dbal_fault *fault)
{
    while (!is_end(file, &c)) {
        if (c == '"')
            return fail(file, fault, "a quote within a field that does not begin with one");
        if (!put(file, c, fault))
            return false;
        c = next(file);
    }
    *ret_end = c;
    return true;
}

csv_step
csv_file_next(csv_file *file, dbal_fault *fault)
{
    int c = next(file);
    file->used = file->count = 0;
    file->record_line = file->line;
    if (c == EOF && !ferror(file->from))
        return file->stopped ? CSV_FAILED : CSV_END;
    for (bool first = true; first || c == ','; first = false) {
        size_t start = file->used;
        if (!first)
            c = next(file);
        bool quoted = c == '"';
        bool ok = quoted ? read_quoted(file, &c, fault) : read_plain(file, c, &c, fault);
        if (!ok || !end_field(file, start, quoted, fault))
            return CSV_FAILED;
    }
    file->line += c == '\n';
    if (file->stopped)
        return CSV_FAILED;
    if (!ferror(file->from))
        return CSV_RECORD;
    dbal_fault_set(fault, DBAL_ERROR_OPERATIONAL, "58030", "%s: it cannot be read", file->name);
    return CSV_FAILED;
}
