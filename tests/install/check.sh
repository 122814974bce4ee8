#!/bin/bash
# Installs into an empty folder and builds the first example against nothing but that and libev,
# once with the shared library and once with the static one. Drivers are loaded from there, and with
# them nothing that the program does not use.
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
unset CFLAGS LDFLAGS LIBRARY_PATH LD_LIBRARY_PATH CPATH C_INCLUDE_PATH PKG_CONFIG_PATH DBAL_DRIVER_PATH

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

drivers=$(ask --variable=driverdir)
for driver in dbal-fake.so dbal-sqlite.so dbal-postgres.so dbal-postgresql.so; do
    [ -f "$drivers/$driver" ] || fail "$driver is not in $drivers"
done

# lean FILE …: no client library of a database is among what it needs
lean()
{
    local file
    for file in "$@"; do
        ! LD_LIBRARY_PATH=$libraries ldd "$file" | grep -E 'libpq|sqlite|odbc' || fail "$file needs it"
    done
}

read -r -a flags <<<"$(ask --cflags --libs)"
"${compiler[@]}" -std=c11 -o "$scratch/shared" "$source/examples/first.c" "${flags[@]}" -lev
readelf -d "$scratch/shared" | grep -q 'NEEDED.*libdbal\.so\.0' || fail "the example is not linked to libdbal.so.0"
[[ "${flags[*]}" != *-lpq* && "${flags[*]}" != *-lsqlite3* ]] || fail "a program is told to link ${flags[*]}"
lean "$scratch/shared" "$libraries/libdbal.so"
shared=(env LD_LIBRARY_PATH="$libraries" "$scratch/shared")
# The program looks where it was configured to, and there nothing was installed.
if "${shared[@]}" nobody: 2>"$scratch/said"; then
    fail "there is a driver for nobody:"
fi
grep -qF "looked for dbal-nobody.so in ${drivers#"$scratch/root"}" "$scratch/said" ||
    fail "it does not look where drivers are installed: $(cat "$scratch/said")"
export DBAL_DRIVER_PATH=$drivers
run with-shared "${shared[@]}"
rm "$drivers"/dbal-postgres*
run without-postgres "${shared[@]}"

# The same through a worker process, which finds its library by the path that it was linked with, or,
# not being there yet, by the environment.
worker=$(find "$scratch/root" -name dbal-worker)
[ -x "$worker" ] || fail "no dbal-worker was installed"
run with-processes env DBAL_WORKER="$worker" "${shared[@]}" "sqlite:bank.db?pool_gate=process"
"$worker" </dev/null >/dev/null 2>&1 && fail "dbal-worker does something by itself"

# A driver of somebody who has nothing but what is installed, as docs/drivers.md has it.
mkdir "$scratch/outside"
"${compiler[@]}" -D_GNU_SOURCE -shared -fPIC -fvisibility=hidden -Wl,-z,defs -o "$scratch/outside/dbal-outside.so" \
    "$source/tests/drivers/load/module.c" "${flags[@]}"
# it has one column, and the example asks for another one too
DBAL_DRIVER_PATH=$scratch/outside "${shared[@]}" outside: >"$scratch/said" 2>&1 || true
grep -q '^42 has' "$scratch/said" || fail "a driver from outside gave no rows: $(cat "$scratch/said")"

# raise FILE: it runs with its owner's rights, and whoever starts it is somebody else
raise()
{
    chown nobody "$1"
    chmod u+s,go+rx "$1"
    chmod go+rx "$scratch"
}

# Such a program does not let the starter choose. Some places know no such programs.
echo '#include <sys/auxv.h>
int main(void) { return getauxval(AT_SECURE) == 0; }' |
    "${compiler[@]}" -o "$scratch/probe" -x c -
if [ "$(id -u)" -eq 0 ] && raise "$scratch/probe" && "$scratch/probe"; then
    "${compiler[@]}" -std=c11 -o "$scratch/raised" "$source/examples/first.c" "${flags[@]}" -lev \
        -Wl,-rpath,"$libraries"
    run not-yet-raised "$scratch/raised"
    raise "$scratch/raised"
    if "$scratch/raised" sqlite::memory: 2>"$scratch/said"; then
        fail "a program with raised rights loaded a driver from DBAL_DRIVER_PATH"
    fi
    grep -qF 'looked for dbal-sqlite.so in' "$scratch/said" || fail "$(cat "$scratch/said")"
    ! grep -qF "$drivers" "$scratch/said" || fail "it looked there: $(cat "$scratch/said")"
fi

rm -r "$libraries"/libdbal.so* "$drivers"
export DBAL_DRIVER_PATH=nowhere
read -r -a flags <<<"$(ask --static --cflags --libs)"
"${compiler[@]}" -std=c11 -o "$scratch/static" "$source/examples/first.c" "${flags[@]}" -lev
run with-static "$scratch/static"
