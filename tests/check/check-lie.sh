#!/bin/bash
# Runs a program on a driver that lies, and wants the lie to be told: exactly what stands in a line of
# what is broken. Without a text, or with a quirk, the driver tells the truth, and nothing may be broken.
#
#   check-lie.sh PROGRAM FOLDER WORDS LIE AREA TEXT
set -uo pipefail

program=$1
words=$3
lie=$4
area=$5
text=$6
export DBAL_DRIVER_PATH=$2

# a machine may be slow; but one that is deaf, and what waits behind another in a pipeline, is given up in time
patience=10
settings='&pool_cancel_timeout=30'
[[ $lie != native* && $lie != deaf ]] || settings=

said=$(timeout 200 "$program" --patience "$patience" --spelling "$words" --only "$area" \
    "lie-$lie://ada:geheim99@nowhere/test?level=2$settings" 2>&1 </dev/null)
status=$?
if [[ $said == *geheim99* ]]; then
    echo "$said" "it shows the password" >&2
    exit 1
fi
if [ -z "$text" ] || [[ $text == quirk:* ]]; then
    if [ "$status" -eq 0 ] && [[ $said == *"$text"* ]]; then
        exit 0
    fi
    echo "$said" "exit status $status; $text" >&2
    exit 1
fi
if [ "$status" -ne 1 ] || ! grep -A3 '^BROKEN:' <<<"$said" | grep -qF -- "$text"; then
    echo "$said" >&2
    echo "exit status $status; it does not say: $text" >&2
    exit 1
fi
