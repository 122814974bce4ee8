#!/bin/bash
# What script/postgres, script/mariadb and script/pgbouncer share: a private server with all that is its own in
# $dir, run by an unprivileged user, that is removed with what needed it. Sourced by them; they
# say what $work is, the folder in which its processes stand, and $program, what these run, and
# define find_tools, make_data (in $work.new), configure, start (false: the log says why), is_ready,
# end_processes, forget and print_url.
# shellcheck disable=SC2034,SC2154
set -euo pipefail
umask 077

fail()
{
    echo "script/${self##*/}: $*" >&2
    exit 1
}

usage()
{
    sed -n '2,/^[^#]/{/^[^#]/d;s/^# \{0,1\}//p}' "$self" >&2
    exit 2
}

# ---- as whom ----

as_server=(env)
server_user=$(id -un)
if [ "$(id -u)" -eq 0 ]; then
    server_user=nobody
    # nor may it get to the temporary files of who started it
    as_server=(setpriv --reuid=nobody --regid="$(id -g nobody)" --clear-groups -- env -u TMPDIR)
fi
# what the environment says about other servers is not for this one
unset "${!PG@}"

# ---- its processes ----

# processes: all that work in its folder, also orphans of a killed server; not those of somebody who
# only looks around there
processes()
{
    local at cwd exe
    while IFS= read -r -d '' cwd && IFS= read -r -d '' at; do
        [ "$cwd" = "$work" ] || [ "$cwd" = "$work.new" ] || continue
        exe=$(readlink "$at/exe" 2>/dev/null) || continue
        exe=${exe% (deleted)}
        [ "${exe##*/}" != "$program" ] || echo "${at#/proc/}"
    done < <(find /proc -mindepth 2 -maxdepth 2 -name cwd -printf '%l\0%h\0' 2>/dev/null)
}

# gone SECONDS: waits until no process is left
gone()
{
    local left=$(($1 * 50))
    while [ -n "$(processes)" ]; do
        left=$((left - 1))
        [ "$left" -gt 0 ] || return 1
        sleep 0.02
    done
}

# signal NAME: one that a test has stopped would not hear it
signal()
{
    processes | xargs -r kill -s "$1" 2>/dev/null || true
}

stop_server()
{
    end_processes "$1"
    signal KILL
    gone 10 || fail "processes in $work do not end"
    forget
}

remove_server()
{
    [ -e "$dir/.dbal-${self##*/}" ] || fail "$dir holds no server of this script's"
    stop_server immediate
    rm -rf "$dir"
}

# ---- its folder ----

make_folder()
{
    local mark=$dir/.dbal-${self##*/}
    mkdir -p "$dir"
    if [ ! -e "$mark" ] && [ -n "$(ls -A "$dir")" ]; then
        fail "$dir is not empty"
    fi
    # the kernel takes 107 bytes of a socket's path
    [ "${#dir}" -le 90 ] || fail "$dir is too long a name for a folder with a socket"
    touch "$mark"
    chown "$server_user" "$dir"
    chmod 700 "$dir"
    "${as_server[@]}" test -w "$dir" ||
        fail "the user $server_user cannot get to $dir: choose a folder below /tmp"
}

# encoded TEXT: as a part of a URL
encoded()
{
    local LC_ALL=C text=$1 i c
    for ((i = 0; i < ${#text}; i++)); do
        c=${text:i:1}
        case "$c" in
        [A-Za-z0-9/._~-]) printf %s "$c" ;;
        *) printf %%%02X "'$c" ;;
        esac
    done
}

# ---- starting it ----

# listens SOCKET: it is there before anybody listens on it
listens()
{
    socket=" $1" awk 'BEGIN { name = ENVIRON["socket"] }
        $4 == "00010000" && substr($0, length - length(name) + 1) == name { found = 1 }
        END { exit !found }' /proc/net/unix
}

# launch COMMAND …: its first process; false when it ends before it is ready, the reason is in
# its log
launch()
{
    local id left=3000 bound=(setsid)
    # a session of its own: a signal from the keyboard is for others
    [ "$supervised" = no ] || bound=(setsid setpriv --pdeathsig QUIT --)
    : >>"$dir/log"
    chown "$server_user" "$dir/log"
    "${as_server[@]}" "${bound[@]}" "$@" >>"$dir/log" 2>&1 </dev/null &
    id=$!
    launched=$id
    # bash shall not report how it ended
    disown
    while kill -0 "$id" 2>/dev/null; do
        ! is_ready || return 0
        left=$((left - 1))
        [ "$left" -gt 0 ] || fail "the server in $dir is not ready after a minute: $(cat "$dir/log")"
        sleep 0.02
    done
    return 1
}

start_server()
{
    find_tools
    make_folder
    [ -z "$(processes)" ] || fail "a server works in $dir already"
    ours=yes
    forget
    # what is half made has the other name
    if [ ! -e "$work" ]; then
        rm -rf "$work.new"
        make_data
        mv -T "$work.new" "$work"
    fi
    configure
    : >"$dir/log"
    start || fail "the server in $dir does not start: $(cat "$dir/log")"
}

stop_launched()
{
    stop_server immediate
    # it may not have come to its folder yet
    kill -s KILL "$launched" 2>/dev/null || true
}

# A server that nobody is told of is of no use: it stops with a start that fails or is interrupted.
start_or_stop()
{
    trap 'trap "" HUP INT TERM
        [ -z "$launched" ] || stop_launched' EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
    "$@"
    print_url
    launched=
}

restart_server()
{
    find_tools
    stop_server "$1"
    start || fail "the server in $dir does not start: $(tail -n 20 "$dir/log")"
}

# ---- together with something else ----

# The end of the input is how the end of another process is seen, whatever ended it.
serve()
{
    trap 'trap "" HUP INT TERM
        if [ "$ours" = yes ]; then remove_server; else rmdir "$dir" 2>/dev/null || true; fi' EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
    supervised=yes
    start_server
    print_url
    exec >&-
    while read -r _; do :; done
}

# The server's own supervisor outlives this script: it sees the end of its input even when this
# script is killed.
run()
{
    local url child status signal=''
    coproc SERVER { exec setsid "$self" serve "$dir" "${options[@]}"; }
    local supervisor=$SERVER_PID hold=${SERVER[1]}
    trap 'trap "" HUP INT TERM
        exec {hold}>&-
        wait "$supervisor" 2>/dev/null || true
        [ "$ours" = no ] || [ ! -e "$dir" ] || remove_server' EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
    read -r url <&"${SERVER[0]}" || exit 1
    ours=yes
    case "$url" in
    mariadb:*) export DBAL_MARIADB_URL=$url ;;
    *) export DBAL_POSTGRES_URL=$url ;;
    esac
    # in a group of its own, so that each signal reaches it once
    set -m
    setpriv --pdeathsig TERM -- "${command[@]//\{\}/"$url"}" <&0 {hold}>&- &
    child=$!
    set +m
    trap 'signal=HUP; kill -s HUP -- "-$child"' HUP
    trap 'signal=INT; kill -s INT -- "-$child"' INT
    trap 'signal=TERM; kill -s TERM -- "-$child"' TERM
    while :; do
        signal='' status=0
        wait -f "$child" || status=$?
        [ -n "$signal" ] || break
    done
    exit "$status"
}

# ---- the command line ----

# main VERB DIR …
main()
{
    local verb=$1 how=fast
    shift 2
    while [ "$#" -gt 0 ]; do
        case "$verb $1" in
        "run --")
            shift
            command=("$@")
            break
            ;;
        "run --tcp" | "serve --tcp" | "start --tcp") tcp=yes ;;
        run\ [a-z]*=* | serve\ [a-z]*=* | start\ [a-z]*=*) settings+=("$1") ;;
        "stop fast" | "stop immediate" | "restart fast" | "restart immediate") how=$1 ;;
        *) usage ;;
        esac
        options+=("$1")
        shift
    done
    case "$verb" in
    start) start_or_stop start_server ;;
    stop) stop_server "$how" ;;
    restart) start_or_stop restart_server "$how" ;;
    remove) remove_server ;;
    serve) serve ;;
    run)
        [ "${#command[@]}" -gt 0 ] || usage
        run
        ;;
    *) usage ;;
    esac
}

self=$(realpath "$0")
[ "$#" -ge 2 ] || usage
if [ "$2" = - ]; then
    # what is below root's own folder is out of the server's reach
    base=${TMPDIR:-/tmp}
    if [ "$(id -u)" -eq 0 ] || [ "${#base}" -gt 60 ]; then
        base=/tmp
    fi
    dir=$(mktemp -d "$base/dbal-${self##*/}-XXXXXX")
else
    dir=$(realpath -m "$2")
fi
tcp=no
supervised=no
ours=no
launched=
settings=()
options=()
command=()
