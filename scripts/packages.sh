# Sourced by the other scripts: installs what is missing, saying what. Recommended packages are never relied on.

# Enough to build and run everything.
PACKAGES_BUILD="build-essential cmake ninja-build pkg-config git
  librocksdb-dev libzmq3-dev libczmq-dev libprotobuf-c-dev protobuf-c-compiler libyaml-dev libjansson-dev libmicrohttpd-dev
  liblz4-dev libzstd-dev libcmocka-dev"
# More for the tests: another implementation of the batch, another client, the fuzzers, the simulator's allocator.
PACKAGES_TEST="libmimalloc-dev python3-kafka python3-lz4 python3-zstandard python3-zmq python3-protobuf protobuf-compiler
  clang-14 libclang-rt-14-dev llvm-14 procps"

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# need PACKAGE...: install those that are not there yet.
need() {
    local missing=""
    for package in "$@"; do
        dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q "ok installed" || missing="$missing $package"
    done
    [ -z "$missing" ] && return 0
    echo "== installing through apt-get:$missing" >&2
    as_root apt-get update -qq
    # shellcheck disable=SC2086
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
}

# build PRESET [TARGET...]
build() {
    local preset="$1" log
    shift
    echo "== building preset $preset" >&2
    log=$(mktemp)
    cmake --preset "$preset" >"$log" 2>&1 || { cat "$log" >&2; rm -f "$log"; return 1; }
    rm -f "$log"
    ninja -C "build/$preset" "$@" | tail -n 3 >&2
}
