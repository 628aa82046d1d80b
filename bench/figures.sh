#!/usr/bin/env bash
# The figures of the project, one after another. Data on the disk beside the build; random payloads, codec none.
#
#   bench/figures.sh              speed and latency, failures, many groups: some 10 minutes
#   bench/figures.sh storage      data that lives long, on up to 35 GB of disk: about an hour
#   bench/figures.sh all
set -uo pipefail
cd "$(dirname "$0")/.."
bin=build/release/bin
failed=0
run() {
    echo
    echo "== $*"
    "$@" || failed=1
}
usual() {
    run $bin/bench_publish --messages 1000000 --bytes 256
    run $bin/bench_failover --kills 20
    run $bin/bench_restart --kills 50
    run $bin/bench_latency --seconds 60
    run $bin/bench_groups --partitions 1000 --seconds 60
}
storage() {
    run $bin/bench_latency --seconds 60 --retention 64000000
    run $bin/bench_bytes
    run $bin/bench_retention
    run $bin/bench_cold
    run $bin/bench_history --megabytes 8192
    run $bin/bench_compaction
}
case "${1:-usual}" in
usual) usual ;;
storage) storage ;;
all)
    usual
    storage
    ;;
*)
    echo "usage: $0 [usual|storage|all]" >&2
    exit 2
    ;;
esac
exit $failed
