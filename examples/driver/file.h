/* Reads a CSV file, RFC 4180, one record after the other. */
#ifndef CSV_FILE_H
#define CSV_FILE_H

#include <dbal/driver.h>
#include <stdio.h>

typedef struct csv_field {
    size_t start, size; /* in the record's bytes */
    bool is_null;       /* empty, and not in quotes */
} csv_field;

typedef struct csv_file {
    FILE *from;
    const char *name; /* for messages */
    unsigned long line, record_line;
    char *bytes; /* of the record, without quotes */
    size_t used, room;
    csv_field *fields;
    size_t count, field_room;
    /* asked now and then, however long a record is; false, with the fault set: it is read no further */
    bool (*is_wanted)(void *arg);
    void *arg;
    size_t unlooked; /* bytes since then */
    bool stopped;
} csv_file;

typedef enum csv_step { CSV_RECORD, CSV_END, CSV_FAILED } csv_step;

/* Opens it, behind a byte order mark. False with the fault set; nothing is to be closed then. A pipe, say, is no file. */
bool csv_file_open(csv_file *file, const char *path, const char *name, dbal_fault *fault);
void csv_file_close(csv_file *file);
/* The next record, good until the next call. CSV_FAILED: the fault says what is wrong in which line. */
csv_step csv_file_next(csv_file *file, dbal_fault *fault);

static inline const char *
csv_field_text(const csv_file *file, size_t index)
{
    return file->bytes + file->fields[index].start;
}

#endif
