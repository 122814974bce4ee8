#!/bin/bash
# Checks that the program which the README shows is the one that is built and run.
#
#   check-readme.sh README PROGRAM.c
set -euo pipefail

diff -u --label "$1" --label "$2" \
    <(awk '/^```c$/ && !n++ { inside = 1; next } inside && /^```$/ { exit } inside' "$1") "$2"
