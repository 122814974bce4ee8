#!/bin/bash
# The program itself: what it says when there is nothing to try, what it leaves behind, what it hides.
#
#   check-program.sh PROGRAM FOLDER WORDS CASE
#
# FOLDER has the drivers that lie, WORDS is how the fake is asked.
set -uo pipefail

program=$1
lies=$2
words=$3
scratch=$(mktemp -d)
mkdir "$scratch/tmp"
trap 'processes | sed "s|[^0-9]||g" | xargs -r kill -s KILL 2>/dev/null; rm -rf "$scratch"' EXIT
trap 'exit 1' HUP INT TERM

fail()
{
    echo "$*" >&2
    [ ! -e "$scratch/said" ] || cat "$scratch/said" >&2
    exit 1
}

# says STATUS TEXT ARGUMENT …: it ends with that status, and says so
says()
{
    local wanted=$1 text=$2 status=0
    shift 2
    TMPDIR=${TMPDIR:-$scratch/tmp} timeout 100 "$program" "$@" >"$scratch/said" 2>&1 </dev/null || status=$?
    [ "$status" -eq "$wanted" ] || fail "exit status $status, not $wanted"
    grep -qF -- "$text" "$scratch/said" || fail "it does not say: $text"
}

# long COUNT: so many letters
long()
{
    printf "%$1s" '' | tr ' ' x
}

# those that it has started, and itself
processes()
{
    grep -lz "^TMPDIR=$scratch/tmp\$" /proc/[0-9]*/environ 2>/dev/null
}

# until COMMAND …: waits for it, for a minute
until_it()
{
    local left=3000
    until "$@"; do
        left=$((left - 1))
        [ "$left" -gt 0 ] || fail "it did not come to: $*"
        sleep 0.02
    done
}

has_folder()
{
    [ -n "$(ls "$scratch/tmp")" ]
}

are_gone()
{
    [ -z "$(processes)" ]
}

# ends_by SIGNAL: in the middle of a trial that would take long
ends_by()
{
    local status=0
    # shellcheck disable=SC2016
    printf 'like = fake-1\nrows = hang $1\n' >"$scratch/words"
    TMPDIR=$scratch/tmp "$program" --patience 300 --only 'rows come in order' --spelling "$scratch/words" \
        fake:ends >"$scratch/said" 2>&1 </dev/null &
    until_it has_folder
    kill -s "$1" $!
    { wait $! || status=$?; } 2>/dev/null
    [ "$status" -eq $((128 + $(kill -l "$1"))) ] || fail "exit status $status after SIG$1"
    until_it are_gone
}

# tables: of the file db, with how many rows they have
tables()
{
    python3 -c '
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
for name, in db.execute("select name from sqlite_schema where type = \"table\" order by 1").fetchall():
    print(name, db.execute("select count(*) from " + name).fetchone()[0])
' "$scratch/db"
}

case "$4" in
no-folder)
    TMPDIR=/nowhere/at/all says 2 'no pool: no folder can be made in /nowhere/at/all' 'sqlite:{}/db'
    TMPDIR=/$(long 5000) says 2 'no pool: no folder can be made in /xxx' 'sqlite:{}/db'
    ;;
long-folder)
    TMPDIR=$scratch/$(long 150)
    mkdir "$TMPDIR"
    says 0 'promises               1       0' --only 'a write is seen' 'sqlite:{}/db'
    [ -z "$(ls "$TMPDIR")" ] || fail "something is left: $(ls "$TMPDIR")"
    ;;
nothing-tried)
    for patience in '' 0 -1 1e9 nan 10s; do
        says 2 'dbal-check-driver [OPTION' --patience "$patience" 'sqlite:{}/db'
    done
    says 2 'nothing was tried' --only copies 'sqlite:{}/db'
    ;;
long-words)
    printf 'like = fake-1\nget = get /* %s */\nadd_two = add 2 /* %s */\n' "$(long 600)" "$(long 600)" >"$scratch/words"
    says 0 'nothing is broken' --only script --spelling "$scratch/words" "fake:$(long 600)"
    says 0 'nothing is broken' --only 'second statement' --spelling "$scratch/words" fake:long
    ;;
no-child-signal)
    status=0
    TMPDIR=$scratch/tmp timeout 60 env --ignore-signal=CHLD "$program" --only 'a write is seen' 'sqlite:{}/db' \
        >"$scratch/said" 2>&1 || status=$?
    [ "$status" -eq 0 ] || fail "exit status $status"
    ;;
interrupted)
    for by in TERM HUP; do
        ends_by "$by"
        ! has_folder || fail "something is left: $(ls "$scratch/tmp")"
    done
    ;;
killed)
    ends_by KILL
    ;;
tables)
    says 0 'nothing is broken' --only 'a write' "sqlite:$scratch/db"
    [ "$(tables)" = '' ] || fail "tables are left: $(tables)"
    ;;
read-only)
    python3 -c '
import sqlite3, sys
sqlite3.connect(sys.argv[1]).executescript("""create table number(n integer not null); insert into number values (0);
    create table thing(id integer primary key)""")
' "$scratch/db"
    before=$(sha256sum <"$scratch/db")
    says 0 'nothing is broken' --read-only "sqlite:$scratch/db?journal_mode=delete"
    [ "$(tables)" = $'number 1\nthing 0' ] || fail "it wrote: $(tables)"
    [ "$before" = "$(sha256sum <"$scratch/db")" ] || fail "it wrote"
    ;;
same-password)
    # a message may speak of the database
    DBAL_DRIVER_PATH=$lies says 1 'it is there, by password ***' --only 'writers in sessions' \
        --spelling "$words" 'lie-password://ada:geheim99@nowhere/geheim99'
    ! grep -qE 'geheim99|has the password' "$scratch/said" || fail "it shows the password, or says that it is shown"
    ;;
*)
    fail "there is no case $4"
    ;;
esac
