#!/bin/bash
# The driver of examples/driver, as somebody would build it who has nothing but what is installed: built by
# its own file against a prefix, proven by the installed program there, and asked through a pool.
#
#   check-driver.sh BUILD-FOLDER SOURCE-FOLDER COMPILER …
# shellcheck disable=SC2016
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

# What a caller has set must not help, nor lead elsewhere.
unset CFLAGS LDFLAGS LIBRARY_PATH CPATH C_INCLUDE_PATH PKG_CONFIG_PATH PKG_CONFIG_SYSROOT_DIR DBAL_DRIVER_PATH
unset CHECK DESTDIR DRIVERS MAKEFLAGS MAKELEVEL MFLAGS
DESTDIR=$scratch/root meson install -C "$build" --no-rebuild --quiet
pc=$(find "$scratch/root" -name dbal.pc)
configured=$(sed -n 's/^prefix=//p' "$pc")
prefix=$scratch/root$configured
# a prefix of its own, as one that was moved: dbal.pc names where it is now
sed "s|^prefix=.*|prefix=$prefix|" "$pc" >"$scratch/dbal.pc"
mv "$scratch/dbal.pc" "$pc"
PKG_CONFIG_LIBDIR=$(dirname "$pc")
LD_LIBRARY_PATH=$(dirname "$PKG_CONFIG_LIBDIR")
export PKG_CONFIG_LIBDIR LD_LIBRARY_PATH

cp -r "$source/examples/driver" "$scratch/driver"
cd "$scratch/driver"
make --silent CC="${compiler[*]}" CFLAGS="-O2 -Werror" || fail "the driver is not built"
make --silent check >"$scratch/said" || fail "something is broken: $(cat "$scratch/said")"
grep -q '^nothing is broken' "$scratch/said" || fail "$(cat "$scratch/said")"
grep -q 'entries into the driver were watched' "$scratch/said" || fail "$(cat "$scratch/said")"
make --silent install
[ -f "$(pkg-config --variable=driverdir dbal)/dbal-csv.so" ] || fail "the driver is not installed"

read -r -a flags <<<"$(pkg-config --cflags --libs dbal)"
"${compiler[@]}" -std=c11 -o "$scratch/ask" "$source/tests/install/ask.c" "${flags[@]}" -lev
export DBAL_DRIVER_PATH=$scratch/driver

# asks EXPECTED SQL PARAMETER …
asks()
{
    local expected=$1
    shift
    timeout 60 "$scratch/ask" "csv:$scratch/driver/data" "$@" >"$scratch/said" || true
    [ "$(cat "$scratch/said")" = "$expected" ] || fail "$*: $(cat "$scratch/said"), not $expected"
}

asks 'name=Ada note=says "hello"' 'select name, note from account where id = 1'
asks 'note=-' 'select note from account where name = $1' Grace
asks 'note=' "select note from account where id = 3.0"
asks 'id=3 name=Hopper, jr. balance=0 note=' 'select * from account where name = $1 and note is not null' 'Hopper, jr.'
asks 'id=1
id=2' 'select id from account limit 2;'
asks '' 'select id from account where note = null'
asks 'value=x n=7' 'select $1, 7 as n' x
asks '42703 at 8: the table account has no column nmae' 'select nmae from account'
asks "42P01 at 15: $scratch/driver/data/acount.csv: No such file or directory" 'select * from acount'
asks '42601 at 23: the statement should end here, not order' 'select * from account order by id'
asks '0A000 at 1: CSV files are only read: select is wanted, not insert' 'insert into account values (1)'
asks '42602 at 15: ../driver/data/account cannot be a table'"'"'s name' 'select * from "../driver/data/account"'
asks '2201W at 30: a limit is a whole number from 0' 'select id from account limit 1.5'

mkfifo data/pipe.csv
asks "58030 at 15: $scratch/driver/data/pipe.csv: it is no file" 'select * from pipe'
mkdir data/folder.csv
asks "58030 at 15: $scratch/driver/data/folder.csv: it is no file" 'select * from folder'

# breaks CONTENT EXPECTED: a file that is no CSV
breaks()
{
    printf '%b' "$1" >data/broken.csv
    asks "22P04 at 0: broken.csv$2" 'select * from broken'
}

breaks '' ' is empty: its first line should name the columns'
breaks 'a,b\n1,2\n3\n' ', line 3: 1 fields, where the first line has 2'
breaks 'a\n"x\ny' ', line 2: a quote that is never closed'
breaks 'a\n"x"y\n' ', line 2: something behind a closing quote'
breaks 'a\nx"y\n' ', line 2: a quote within a field that does not begin with one'
breaks 'a\n"x\ny"\n\xff\n' ', line 4: a field that is not UTF-8'
printf '\xef\xbb\xbfa,b\r\n"1\r\n",""\r\n' >data/windows.csv
asks $'a=1\r\n b=' 'select a, b from windows'
