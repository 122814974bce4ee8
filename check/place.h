/* Where a trial's database is. */
#ifndef CHECK_PLACE_H
#define CHECK_PLACE_H

/* As the command line has it, and what a trial wants besides. */
extern const char *place_url, *place_settings;

/* Removes the folder of a trial that has ended, "" for none. */
void place_remove(const char *made);

#endif
