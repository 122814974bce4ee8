/* Another program at the same file: faults-visitor PATH SQL opens it, runs the SQL and closes it. */
#include <sqlite3.h>
#include <stdio.h>

int
main(int argc, char **argv)
{
    sqlite3 *db = NULL;
    char *message = NULL;
    if (argc != 3 || sqlite3_open(argv[1], &db) != SQLITE_OK)
        return 2;
    sqlite3_busy_timeout(db, 10000);
    int code = sqlite3_exec(db, argv[2], NULL, NULL, &message);
    if (code != SQLITE_OK)
        fprintf(stderr, "%s: %s\n", argv[2], message);
    sqlite3_free(message);
    return sqlite3_close(db) == SQLITE_OK && code == SQLITE_OK ? 0 : 1;
}
