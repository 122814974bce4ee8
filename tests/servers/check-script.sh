#!/bin/bash
# A script for a server keeps to what is its own, and leaves nothing half done.
#
#   check-script.sh SCRIPT PROGRAM
# shellcheck disable=SC2154 # what a trap sets
set -uo pipefail

script=$1
program=$2
scratch=$(mktemp -d /tmp/dbal-scripts-XXXXXX)
chmod 755 "$scratch"
beside=
trap 'for dir in "$scratch"/*/; do "$script" remove "$dir" 2>/dev/null; done
    [ -z "$beside" ] || kill "$beside"
    rm -rf "$scratch"' EXIT
trap 'exit 1' HUP INT TERM

fail()
{
    echo "$*" >&2
    exit 1
}

# of DIR: its processes
of()
{
    local one
    for one in /proc/[0-9]*; do
        [ "$(readlink "$one/cwd")" != "$1/data" ] || [[ $(readlink "$one/exe") != */$program* ]] || echo "${one#/proc/}"
    done
}

until_it()
{
    local left=1500
    until "$@"; do
        left=$((left - 1))
        [ "$left" -gt 0 ] || fail "it did not come to: $*"
        sleep 0.02
    done
}

runs()
{
    [ -n "$(of "$1")" ]
}

# a tool that fails in the middle of making data
tools=$scratch/.tools
mkdir "$tools"
if [ "$program" = postgres ]; then
    found=$(printf '%s\n' /usr/lib/postgresql/*/bin/postgres | sort -V | tail -n 1)
    ln -s "$found" "$tools/postgres"
    # shellcheck disable=SC2016
    printf '#!/bin/sh\nmkdir "$2"\ntouch "$2/PG_VERSION"\nexit 1\n' >"$tools/initdb"
    chmod +x "$tools/initdb"
    broken=(env DBAL_POSTGRES_TEMPLATE= DBAL_POSTGRES_BIN="$tools")
else
    found=$(PATH=$PATH:/usr/sbin:/usr/local/sbin command -v "$program")
    # shellcheck disable=SC2016
    printf '#!/bin/sh\ncase "$*" in *--bootstrap*) exit 1 ;; esac\nexec "%s" "$@"\n' "$found" >"$tools/$program"
    chmod +x "$tools/$program"
    broken=(env DBAL_MARIADB_TEMPLATE= PATH="$tools:$PATH")
fi
chmod 755 "$tools"

"${broken[@]}" "$script" start "$scratch/one" >/dev/null 2>&1 && fail "it started without data"
"$script" start "$scratch/one" >/dev/null || fail "data that are half made are taken for whole ones"

# somebody else stands in its folder
(cd "$scratch/one/data" && exec sleep 1000) &
beside=$!
"$script" start "$scratch/o*e" >/dev/null || fail "it does not start in a folder whose name is a pattern"
"$script" start "$scratch/o*e" >/dev/null 2>&1 && fail "two servers in one folder"
"$script" stop "$scratch/o*e" immediate || fail "it does not stop"
runs "$scratch/o*e" && fail "processes are left"
runs "$scratch/one" || fail "another server was stopped too"
"$script" stop "$scratch/one" || fail "it does not stop"
runs "$scratch/one" && fail "processes are left"
kill -0 "$beside" || fail "somebody else was killed"

# one that does not get ready, and is interrupted
if [ "$program" = postgres ]; then
    touch "$scratch/one/data/standby.signal"
    chown --reference="$scratch/one/data" "$scratch/one/data/standby.signal"
    "$script" start "$scratch/one" hot_standby=off restore_command=false >/dev/null 2>&1 &
    until_it runs "$scratch/one"
    kill -s TERM $!
    wait $! && fail "it did not hear the signal"
    runs "$scratch/one" && fail "a server is left that nobody was told of"
fi
exit 0
