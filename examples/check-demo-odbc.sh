#!/bin/bash
# Checks that the demonstration runs unchanged through ODBC, with files of unixODBC's of its own.
#
#   check-demo-odbc.sh DEMO sqlite|URL [--quick]
#
# sqlite: in a file of its own; else at the PostgreSQL server of that URL.
set -euo pipefail

demo=$(realpath "$1")
database=$2
shift 2
# filling memory, which a test runner may ask the C library for, is no work of dbal's
unset MALLOC_PERTURB_
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export ODBCSYSINI=$scratch ODBCINI=$scratch/odbc.ini
printf '%s\n' '[SQLite]' 'Driver = libsqlite3odbc.so' 'Threading = 2' \
    '[PostgreSQL]' 'Driver = psqlodbcw.so' 'Threading = 2' >"$scratch/odbcinst.ini"
: >"$ODBCINI"

if [ "$database" = sqlite ]; then
    url="odbc:?driver=SQLite&BigInt=1&JournalMode=WAL&database=$scratch/bank.db"
else
    url=$(python3 - "$database" <<'END'
import sys, urllib.parse
url = urllib.parse.urlsplit(sys.argv[1])
query = dict(urllib.parse.parse_qsl(url.query))
print("odbc:?driver=PostgreSQL&Servername=%s&Port=%s&UID=%s&Database=%s" % (
    query.get("host") or url.hostname, query.get("port") or url.port or 5432,
    query.get("user") or url.username, url.path.strip("/")))
END
)
fi

"$demo" --json "$@" "$url" >"$scratch/output" || {
    cat "$scratch/output" >&2
    exit 1
}
tail -n 1 "$scratch/output" | python3 -c '
import json, sys
seen = json.loads(sys.stdin.read())
assert [seen["driver"], seen["gate"], seen["threadlevel"]] == ["odbc", "thread", 1], seen
assert seen["queries"] == 600 and seen["errors"] == 0 and seen["rows"] >= 5000, seen
'
grep -q 'GREEK SMALL LETTER ALPHA' "$scratch/output"
