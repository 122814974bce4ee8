#!/bin/bash
# Checks the demonstration from outside: what it prints for programs, what it leaves behind, and
# what a signal in the middle does.
#
#   check-demo.sh DEMO sqlite|URL [--quick]
#
# sqlite: in a file of its own and in one that is named; else at a PostgreSQL or MariaDB server.
set -euo pipefail

demo=$(realpath "$1")
database=$2
shift 2
if [ "$database" = sqlite ]; then
    own=()
    named=sqlite:bank.db
    driver=sqlite gate=thread level=1
else
    own=("$database")
    named=$database
    driver=postgres gate=loop level=2
    [[ $database != mariadb:* ]] || driver=mariadb gate=thread level=1
fi
# filling memory, which a test runner may ask the C library for, is no work of dbal's
unset MALLOC_PERTURB_
scratch=$(mktemp -d)
child=
cleanup()
{
    [ -z "$child" ] || kill -KILL "$child" 2>/dev/null || true
    rm -rf "$scratch"
}
trap cleanup EXIT
cd "$scratch"
mkdir tmp
export TMPDIR=$scratch/tmp

fail()
{
    echo "$*" >&2
    exit 1
}

# nothing_left: no folder of its own, and in the given database no table
nothing_left()
{
    local left=
    [ -z "$(ls -A tmp)" ] || fail "left behind: $(ls -A tmp)"
    case "$driver" in
    postgres) left=$(psql -XAtc '\d' "$database" 2>/dev/null) ;;
    # no client's program need be there: each table is a file beside the socket
    mariadb) left=$(find "$(dirname "${database##*socket=}")/data/test" -name '*.frm') ;;
    esac
    [ -z "$left" ] || fail "left behind: $left"
    [ ! -e bank.db ] || python3 -c '
import sqlite3, sys
left = sqlite3.connect("bank.db").execute("select name from sqlite_master").fetchall()
sys.exit(f"left behind: {left}" if left else 0)
'
}

"$demo" --json "${own[@]}" "$@" >output || fail "the demonstration failed: $(cat output)"
tail -n 1 output | python3 -c '
import json, sys
seen = json.loads(sys.stdin.read())
keys = ("url driver threadlevel gate rows queries queries_per_second max_lateness_ms "
        "max_inside_ms blocked errors").split()
assert list(seen) == keys, seen
assert [seen["driver"], seen["gate"], str(seen["threadlevel"])] == sys.argv[1:], seen
assert seen["queries"] == 600 and seen["errors"] == 0 and seen["rows"] >= 5000, seen
assert seen["queries_per_second"] > 0 and seen["max_inside_ms"] > 0, seen
' "$driver" "$gate" "$level"
grep -q 'GREEK SMALL LETTER ALPHA' output || fail "it did not show its rows"
nothing_left

# A URL keeps its password to itself, also one that cannot be opened.
! "$demo" --json "$@" 'nothing://me:secret@host/x?password=secret' >output 2>errors ||
    fail "a URL of no driver was taken"
! grep -q secret output errors || fail "the password was shown"
tail -n 1 output | grep -q '"url": "nothing://me:\*\*\*@host/x?password=\*\*\*"' ||
    fail "the URL was not shown: $(cat output)"

# run_into SIGNAL TEXT: sends it when the demonstration has said so much; its status is the status
run_into()
{
    local line status=0
    mkfifo progress
    "$demo" "$named" >output 2>progress &
    child=$!
    exec 3<progress
    while read -r line <&3 && [[ $line != *$2* ]]; do :; done
    kill -s "$1" "$child"
    cat <&3 >/dev/null
    exec 3<&-
    wait "$child" || status=$?
    child=
    rm progress
    return "$status"
}

# interrupt SIGNAL TEXT: ends by it. Twice it may run to its end, well or too slowly: thread sanitizer
# loses a signal now and then.
interrupt()
{
    local status wanted=$((128 + $(kill -l "$1"))) left=3
    while ((left-- > 0)); do
        status=0
        run_into "$1" "$2" || status=$?
        nothing_left
        [ "$status" -ne "$wanted" ] || return 0
        grep -q ' 600 queries at once answered' output || break
        echo "$1 at '$2' came too late, or not at all" >&2
    done
    fail "$1 at '$2': status $status: $(tail -n 3 output)"
}

# with all the data: the long query leaves time for a signal to arrive
interrupt INT 'loading /'
interrupt TERM 'rows loaded'
interrupt INT '200 of'
