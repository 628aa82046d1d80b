#!/usr/bin/env bash
# The figures of the project, one after another. Data on the disk beside the build; random payloads, codec none.
set -uo pipefail
cd "$(dirname "$0")/.."
bin=build/release/bin
failed=0
run() {
    echo
    echo "== $*"
    "$@" || failed=1
}
run $bin/bench_publish --messages 1000000 --bytes 256
run $bin/bench_failover --kills 20
run $bin/bench_restart --kills 50
run $bin/bench_latency --seconds 60
run $bin/bench_groups --partitions 1000 --seconds 60
exit $failed
