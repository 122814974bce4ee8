#!/bin/bash
# Checks that the pieces of code in a page of documentation compile, all in one file.
#
#   check-guide.sh PAGE.md INCLUDE-FOLDER COMPILER …
set -euo pipefail

page=$1
headers=$2
shift 2
{
    printf '#include <%s>\n' dbal.h ev.h stdio.h stdlib.h string.h
    awk -v page="$page" '/^```c$/ { inside = 1; print "#line " NR + 1 " \"" page "\""; next }
        /^```$/ { inside = 0 } inside' "$page"
} | "$@" -std=gnu11 -Wall -Wextra -Wno-unused-function -Werror -fsyntax-only -I "$headers" -x c -
