#!/bin/bash
# Installs into an empty folder and builds the first example against nothing but that and libev,
# once with the shared library and once with the static one.
#
#   check.sh BUILD-FOLDER SOURCE-FOLDER COMPILER …
set -euo pipefail

build=$1
source=$2
shift 2
compiler=("$@")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

fail()
{
    echo "$*" >&2
    exit 1
}

# What a caller has set must not help.
unset CFLAGS LDFLAGS LIBRARY_PATH LD_LIBRARY_PATH CPATH C_INCLUDE_PATH PKG_CONFIG_PATH

DESTDIR=$scratch/root meson install -C "$build" --no-rebuild --quiet
pc=$(find "$scratch/root" -name dbal.pc)
[ -n "$pc" ] || fail "no dbal.pc was installed"
libraries=$(dirname "$(dirname "$pc")")
configured=$(sed -n 's/^prefix=//p' "$pc")
prefix=$scratch/root$configured

# asks dbal.pc alone, at the place where it now is
ask()
{
    PKG_CONFIG_LIBDIR=$(dirname "$pc") pkg-config --define-variable=prefix="$prefix" "$@" dbal
}

[ "$(ask --modversion)" = "$(sed -n 's/^#define DBAL_VERSION "\(.*\)"/\1/p' "$prefix/include/dbal/version.h")" ] ||
    fail "dbal.pc and version.h name different versions"
for header in "$source"/include/dbal.h "$source"/include/dbal/*.h; do
    cmp "$header" "$prefix/include/${header#"$source/include/"}" || fail "$header is not installed"
done

# The example wants a table of accounts in bank.db.
database()
{
    python3 -c '
import sqlite3
bank = sqlite3.connect("bank.db")
bank.execute("create table account (id integer primary key, name text not null, balance integer not null)")
bank.executemany("insert into account (name, balance) values (?, ?)", [("Ada", 250), ("Grace", 90)])
bank.commit()
'
}

# run NAME PROGRAM …: the output must be the rows that are there
run()
{
    local name=$1
    shift
    mkdir "$scratch/$name"
    cd "$scratch/$name"
    database
    "$@" >output || fail "$name: the example failed"
    grep -q 'Ada has 250' output || fail "$name: the example did not show its rows: $(cat output)"
    ! grep -q 'Grace' output || fail "$name: the example showed a row too many"
}

read -r -a flags <<<"$(ask --cflags --libs)"
"${compiler[@]}" -std=c11 -o "$scratch/shared" "$source/examples/first.c" "${flags[@]}" -lev
run with-shared env LD_LIBRARY_PATH="$libraries" "$scratch/shared"
readelf -d "$scratch/shared" | grep -q 'NEEDED.*libdbal\.so\.0' || fail "the example is not linked to libdbal.so.0"

rm "$libraries"/libdbal.so*
read -r -a flags <<<"$(ask --static --cflags --libs)"
"${compiler[@]}" -std=c11 -o "$scratch/static" "$source/examples/first.c" "${flags[@]}" -lev
run with-static "$scratch/static"
