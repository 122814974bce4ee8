#!/bin/bash
# Runs an example on a database that cannot do what it shows: it must say so, and end with 1.
#
#   check-refused.sh TEXT PROGRAM [argument …]
set -euo pipefail

text=$1 program=$(realpath "$2")
shift 2
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
status=0
"$program" "$@" 2>said || status=$?
cat said >&2
[ "$status" -eq 1 ] && grep -qF "$text" said
