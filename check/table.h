/* What is printed in the end. */
#ifndef CHECK_TABLE_H
#define CHECK_TABLE_H

#include "check/list.h"

void table_print(const item *items, unsigned count, const report *known, const char *url);
void table_print_markdown_head(void);
void table_print_markdown(const item *items, unsigned count, const report *known);

#endif
