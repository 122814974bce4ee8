#!/bin/bash
# Whether each word gets a hash that is its own.
#
#   check-passwords.sh PROGRAM MODULE
set -euo pipefail

shown=$("$1" "$2" one two three one | sort)
[ "$(wc -l <<<"$shown")" -eq 4 ]
[ "$(sort -u <<<"$shown" | wc -l)" -eq 4 ]
[ "$(grep -cE '^(one|two|three): \$6\$rounds=50000\$.*\$.{86}$' <<<"$shown")" -eq 4 ]
