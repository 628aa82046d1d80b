#!/usr/bin/env bash
# The tests.
#
#   scripts/test.sh           the short form, for every day (under 15 minutes on 2 cores from a bare machine)
#   scripts/test.sh --full    the figures too (hours: long fuzzing, a thousand seeds, power cuts, benchmarks)
#
# Installs what is missing through apt-get, saying what. Ends with a line per part and `N passed, N failed`.
set -uo pipefail
cd "$(dirname "$0")/.."
. scripts/packages.sh

full=0
case "${1:-}" in
"") ;;
--full) full=1 ;;
*) sed -n '2,7p' "$0" >&2; exit 2 ;;
esac

# shellcheck disable=SC2086
need $PACKAGES_BUILD $PACKAGES_TEST || exit 1
passed=0 failed=0 summary=""
begin=$SECONDS
part() { # part NAME COMMAND...
    local name=$1 start=$SECONDS
    shift
    echo
    echo "==== $name" >&2
    if "$@"; then
        passed=$((passed + 1)); summary="$summary
  ok      $name ($((SECONDS - start)) s)"
    else
        failed=$((failed + 1)); summary="$summary
  FAILED  $name ($((SECONDS - start)) s)"
    fi
}
ctest_in() { # ctest_in PRESET ARGUMENT...
    local preset=$1
    shift
    ctest --test-dir "build/$preset" --output-on-failure --no-tests=error "$@"
}

part "build with warnings as errors (dev)" build dev
part "build asan-ubsan" build asan-ubsan
part "ground: arrows, purity" ctest_in dev -L ground -j2
part "unit tests under ASan and UBSan" ctest_in asan-ubsan -L unit -j2
part "simulation under ASan and UBSan" ctest_in asan-ubsan -L sim -j2
part "mutants still apply" tests/mutants/run.sh --apply
part "build tsan" build tsan threaded_tests
part "threaded parts under TSan" ctest_in tsan -L threads -j2
part "build release" build release
part "cluster tests, short form" ctest_in release -L cluster -j1
part "build fuzz" build fuzz fuzzers
part "fuzzers, 10 s each" tests/fuzz/run.sh 10 2
if [ "$full" = 1 ]; then
    part "3 nodes, 1000 seeds" build/release/bin/sim --nodes 3 --seeds 1000 --jobs 2
    part "5 nodes, 1000 seeds" build/release/bin/sim --nodes 5 --seeds 1000 --jobs 2
    part "mutants" tests/mutants/run.sh
    part "cluster tests, long form" /usr/bin/python3 tests/cluster/run.py --full
    part "figures" bench/figures.sh
    part "fuzzers, 10 minutes each" tests/fuzz/run.sh 600 2
fi

echo
echo "scripts/test.sh took $((SECONDS - begin)) s:$summary"
echo
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
