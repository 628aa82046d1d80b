#!/usr/bin/env bash
# Runs every fuzzer that the fuzz preset built.
#
#   tests/fuzz/run.sh SECONDS [JOBS [NAME...]]
#
# Each runs for SECONDS on its seeds and what earlier runs found (build/fuzz/corpus). Prints executions and coverage per
# fuzzer. Fails when one crashed, ran into its limits, or did not run at all; the input is then kept in build/fuzz/crashes
# and the line says how to run it again. LOGFLUME_FUZZ_BUILD names another build directory.
set -uo pipefail
cd "$(dirname "$0")/../.."
[ $# -ge 1 ] || { sed -n '2,8p' "$0" >&2; exit 2; }
seconds=$1 jobs=${2:-1}
shift; [ $# -gt 0 ] && shift
only=" $* "
build=${LOGFLUME_FUZZ_BUILD:-build/fuzz}
crashes=$build/crashes logs=$build/fuzz-logs
mkdir -p "$crashes" "$logs"

# One fuzzer; its report goes to $logs/NAME.line, beginning with ok or FAILED.
one() {
    local program=$1 name log found status runs
    name=$(basename "$program")
    log=$logs/$name.log
    found=$build/corpus/$name
    mkdir -p "$found"
    local seeds=()
    [ -d "tests/fuzz/corpus/$name" ] && seeds=("tests/fuzz/corpus/$name")
    ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=0 UBSAN_OPTIONS=print_stacktrace=1 \
        "$program" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -max_len=65536 -print_final_stats=1 \
        -artifact_prefix="$crashes/$name-" "$found" "${seeds[@]}" >"$log" 2>&1
    status=$?
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    local cover inputs
    cover=$(grep -oE 'cov: [0-9]+' "$log" | tail -n 1)
    inputs=$(grep -oE 'corp: [0-9]+' "$log" | tail -n 1)
    if [ $status = 0 ] && [ "${runs:-0}" -gt 0 ] && [ -n "$cover" ]; then
        echo "ok      $name: $runs executions in $seconds s, $cover, $inputs" >"$logs/$name.line"
    else
        {
            echo "FAILED  $name: exit $status after ${runs:-0} executions; $log ends with"
            grep -vE '^#[0-9]+|^(NEW|INFO)' "$log" | head -n 60 | sed 's/^/        /'
            for input in "$crashes/$name"-*; do
                [ -e "$input" ] && echo "        again: $program $input"
            done
        } >"$logs/$name.line"
    fi
    cat "$logs/$name.line"
}

programs=()
for program in "$build"/bin/fuzz_*; do
    name=$(basename "$program")
    [ -x "$program" ] || continue
    [ "$only" = "  " ] || [[ "$only" == *" $name "* ]] || continue
    programs+=("$program")
    rm -f "$logs/$name.line"
done
missing=0
for source in tests/fuzz/fuzz_*.c; do
    name=$(basename "$source" .c)
    [ "$only" = "  " ] || [[ "$only" == *" $name "* ]] || continue
    [ -x "$build/bin/$name" ] || { echo "FAILED  $name: not built in $build"; missing=$((missing + 1)); }
done
[ ${#programs[@]} -gt 0 ] || { echo "no fuzzers in $build/bin: cmake --preset fuzz && ninja -C build/fuzz fuzzers" >&2; exit 1; }

for program in "${programs[@]}"; do
    while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do wait -n; done
    one "$program" &
done
wait
failed=$missing
for program in "${programs[@]}"; do
    grep -q '^ok ' "$logs/$(basename "$program").line" || failed=$((failed + 1))
done
echo "${#programs[@]} fuzzers, $failed failed"
[ "$failed" = 0 ]
