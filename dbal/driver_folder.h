/* Where drivers are looked for. */
#ifndef DBAL__DRIVER_FOLDER_H
#define DBAL__DRIVER_FOLDER_H

#include <stdbool.h>

#include <dbal/error.h>

/*
 * The folders in the order in which they are searched: those of DBAL_DRIVER_PATH, then the install's
 * own. One block, NULL at its end; owned. NULL with the error set when one of them is not to be
 * trusted. None at all in the static library.
 */
const char **dbal__driver_folders(dbal_error **ret_error);

/* "FOLDER/dbal-SCHEME.so"; owned, NULL without memory. */
char *dbal__driver_folder_file(const char *folder, const char *scheme);

/*
 * For each file in the folder that has such a name, in no order; `scheme` is good for the call. Ends
 * when the function gives false, and gives false then.
 */
bool dbal__driver_folder_each(const char *folder, bool (*fn)(void *arg, const char *scheme),
                              void *arg);

#endif
