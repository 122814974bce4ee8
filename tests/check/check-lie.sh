#!/bin/bash
# Runs a program on a driver that lies, and wants the lie to be told: exactly what stands in a line of
# what is broken. Without a text the driver tells the truth, and nothing may be broken.
#
#   check-lie.sh PROGRAM FOLDER WORDS LIE AREA TEXT
set -uo pipefail

program=$1
words=$3
lie=$4
area=$5
text=$6
export DBAL_DRIVER_PATH=$2

said=$(timeout 200 "$program" --patience 4 --spelling "$words" --only "$area" "lie-$lie:test?level=2" 2>&1 </dev/null)
status=$?
if [ -z "$text" ]; then
    [ "$status" -eq 0 ] || { echo "$said" "exit status $status" >&2; exit 1; }
    exit 0
fi
if [ "$status" -ne 1 ] || ! grep -A3 '^BROKEN:' <<<"$said" | grep -qF -- "$text"; then
    echo "$said" >&2
    echo "exit status $status; it does not say: $text" >&2
    exit 1
fi
