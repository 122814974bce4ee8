#!/bin/bash
# Each public header must compile by itself, as C and as C++, with gcc and with clang, and dbal must
# be usable from C++.
#
#   check.sh SOURCE-FOLDER BUILD-FOLDER
set -euo pipefail

source=$1
build=$2
here=$(dirname "${BASH_SOURCE[0]}")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
strict=(-pedantic -Wall -Wextra -Wshadow -Werror -I"$source/include")
status=0

# alone HEADER LANGUAGE COMPILER …: twice, so that a missing include guard shows
alone()
{
    local header=$1 language=$2
    shift 2
    printf '#include <%s>\n#include <%s>\nint main(void);\nint main(void) { return 0; }\n' \
        "$header" "$header" >"$scratch/alone.$language"
    if ! "$@" "${strict[@]}" -fsyntax-only "$scratch/alone.$language"; then
        echo "$header does not compile alone with $*" >&2
        status=1
    fi
}

compilers=(gcc)
if command -v clang >/dev/null; then
    compilers+=(clang)
elif [ "${CI:-}" = true ]; then
    echo "clang is not here" >&2
    exit 77
fi
for compiler in "${compilers[@]}"; do
    cpp=${compiler/gcc/g++}
    cpp=${cpp/%clang/clang++}
    for header in "$source"/include/dbal.h "$source"/include/dbal/*.h; do
        header=${header#"$source/include/"}
        alone "$header" c "$compiler" -std=c11 -Wstrict-prototypes
        alone "$header" cpp "$cpp" -std=c++11
    done
    "$cpp" -std=c++11 "${strict[@]}" -o "$scratch/program" "$here/program.cpp" \
        -L"$build" -ldbal -Wl,-rpath,"$build" -lev -pthread
    "$scratch/program" || {
        echo "the C++ program that $cpp built failed" >&2
        status=1
    }
    "$compiler" -std=c11 "${strict[@]}" -fsyntax-only "$here/layout.c" || status=1
done
exit "$status"
