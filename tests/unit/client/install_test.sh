#!/bin/bash
# What a user of the installed library does: compile the examples by pkg-config and by find_package, include the header
# from C++, link. And what the library shows: lf_* symbols that its headers declare, and nothing else.
#   install_test.sh SOURCE_DIR BUILD_DIR CMAKE
set -eu
source_dir=$1 build_dir=$2 cmake=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() {
    echo "install_test: $*" >&2
    exit 1
}

"$cmake" --install "$build_dir" --prefix "$work/prefix" --component client >/dev/null
library=$(find "$work/prefix" -name liblogflume.so) && [ -n "$library" ] || fail "no liblogflume.so installed"
libdir=$(dirname "$library")
[ -L "$library" ] && [ -e "$libdir/liblogflume.so.0" ] || fail "liblogflume.so.0 is not what programs would load"
export PKG_CONFIG_PATH=$libdir/pkgconfig LD_LIBRARY_PATH=$libdir

if [ -x "$work/prefix/bin/logflume" ]; then
    env -u LD_LIBRARY_PATH "$work/prefix/bin/logflume" --version >/dev/null || fail "the installed program does not find its library"
fi

echo "== pkg-config"
mkdir "$work/pc"
for example in "$source_dir"/client/examples/*.c; do
    name=$(basename "$example" .c)
    # shellcheck disable=SC2046
    cc -std=c11 -Wall -Wextra -Werror "$example" $(pkg-config --cflags --libs logflume) -o "$work/pc/$name"
    code=0
    "$work/pc/$name" 2>/dev/null || code=$?
    [ "$code" = 2 ] || fail "$name without arguments: exit $code instead of 2"
done
[ "$(pkg-config --modversion logflume)" = "$(sed -n 's/.*LOGFLUME_VERSION "\(.*\)"/\1/p' "$source_dir/client/include/logflume.h")" ] ||
    fail "logflume.pc and logflume.h name different versions"

echo "== find_package"
mkdir "$work/project"
cat >"$work/project/CMakeLists.txt" <<EOF
cmake_minimum_required(VERSION 3.18)
project(user C)
find_package(logflume 0.1 REQUIRED)
file(GLOB examples "$source_dir/client/examples/*.c")
foreach(example \${examples})
  get_filename_component(name \${example} NAME_WE)
  add_executable(\${name} \${example})
  target_link_libraries(\${name} PRIVATE logflume::logflume)
endforeach()
EOF
"$cmake" -S "$work/project" -B "$work/project/build" -DCMAKE_PREFIX_PATH="$work/prefix" >/dev/null
"$cmake" --build "$work/project/build" >/dev/null

echo "== C++"
# shellcheck disable=SC2046
printf '#include <logflume.h>\nint main() { lf_client_options o; lf_client_options_init(&o); return lf_status_name(LF_OK)[0] == 79 ? 0 : 1; }\n' |
    g++ -std=c++11 -Wall -Wextra -Werror -pedantic -x c++ - -x none $(pkg-config --cflags --libs logflume) -o "$work/cxx"
"$work/cxx"

echo "== symbols"
nm -D --defined-only "$library" | awk '{print $3}' | sed 's/@.*//' | sort >"$work/shown"
for symbol in $(cat "$work/shown"); do
    grep -qw "$symbol" "$source_dir/client/include/logflume.h" "$source_dir/base/lf_status.h" ||
        fail "the library shows $symbol, which no installed header declares"
done
grep -ohE '\blf_[a-z0-9_]+\(' "$source_dir/client/include/logflume.h" "$source_dir/base/lf_status.h" | tr -d '(' | sort -u |
    while read -r name; do
        grep -qE "^LF_API.*\b$name\(" "$source_dir/client/include/logflume.h" "$source_dir/base/lf_status.h" || continue
        grep -qx "$name" "$work/shown" || fail "the library lacks $name"
    done
echo "ok: $(wc -l <"$work/shown") symbols"
