#!/bin/bash
# Runs an example in an empty folder twice, so that it meets both a new database and its own.
#
#   run-example.sh PROGRAM [argument …]
set -euo pipefail

program=$(realpath "$1")
shift
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
"$program" "$@"
"$program" "$@"
