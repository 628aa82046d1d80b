#!/usr/bin/env bash
# Three brokers on this machine take a real file as messages, lose their leader to kill -9 in the middle, and give every
# acknowledged message back, byte for byte, in order.
#
#   scripts/demo.sh [FILE]      FILE: any file; default /var/log/dpkg.log, repeated if short
#
# Installs what is missing through apt-get, builds, runs, and ends with a summary. Exit 0: everything held.
# LOGFLUME_DEMO_MESSAGES: how many lines the default input has at least [60000]; LOGFLUME_DEMO_RATE: per second [12000].
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/packages.sh

input=${1:-}
messages_min=${LOGFLUME_DEMO_MESSAGES:-60000}
rate=${LOGFLUME_DEMO_RATE:-12000}

if [ -n "$input" ] && [ ! -r "$input" ]; then
    echo "demo: cannot read $input" >&2
    exit 2
fi
# shellcheck disable=SC2086
need $PACKAGES_BUILD
build release logflumed logflume
bin=$PWD/build/release/bin

work=$(mktemp -d "$PWD/build/demo.XXXXXX") # on the disk, not in memory
declare -A pid=()
finish() {
    for node in "${!pid[@]}"; do kill -9 "${pid[$node]}" || true; done 2>/dev/null
    { wait || true; } 2>/dev/null
    rm -rf "$work"
}
trap finish EXIT
fail() {
    echo "demo: FAILED: $*" >&2
    for node in 1 2 3; do [ -f "$work/$node.log" ] && { echo "-- last lines of broker $node:"; tail -n 5 "$work/$node.log"; } >&2; done
    exit 1
}

# wait_for SECONDS WORDS COMMAND...: until the command succeeds
wait_for() {
    local deadline=$(($(date +%s) + $1)) words=$2
    shift 2
    until "$@" 2>/dev/null; do
        [ "$(date +%s)" -lt "$deadline" ] || fail "waited too long for $words"
        sleep 0.05
    done
}

# ---- the input -------------------------------------------------------------------------------------------------------
if [ -z "$input" ]; then
    source_file=/var/log/dpkg.log
    [ -s "$source_file" ] || source_file=/var/lib/dpkg/status
    input=$work/input
    while [ "$(cat "$input" 2>/dev/null | wc -l)" -lt "$messages_min" ]; do cat "$source_file" >>"$input"; done
    echo "== input: $source_file, repeated to $(wc -l <"$input") lines, $(stat -c %s "$input") bytes" >&2
fi
# A last line without a newline is a message too.
total=$(awk 'END { print NR }' "$input")
[ "$total" -ge 10 ] || fail "the input has only $total lines; too few to lose a leader in the middle"
# Long enough for a kill in the middle, not longer than needed.
[ "$rate" -le $((total / 4 + 1)) ] || rate=$((total / 4 + 1))

# ---- three brokers ---------------------------------------------------------------------------------------------------
base=$((20000 + RANDOM % 20000))
nodes=""
for node in 1 2 3; do
    nodes="$nodes
    - {id: $node, host: 127.0.0.1, client_port: $((base + node)), peer_port: $((base + 10 + node)), admin_port: $((base + 20 + node))}"
done
brokers=127.0.0.1:$((base + 1)),127.0.0.1:$((base + 2)),127.0.0.1:$((base + 3))
export LOGFLUME_BROKERS=$brokers
start() { # start NODE [FLAG...]
    local node=$1
    shift
    "$bin/logflumed" -c "$work/$node.yaml" "$@" 2>>"$work/$node.log" &
    pid[$node]=$!
}
for node in 1 2 3; do
    printf 'node:\n  id: %s\n  data: %s\ncluster:\n  name: demo\n  nodes:%s\n' "$node" "$work/data$node" "$nodes" >"$work/$node.yaml"
    start "$node" --bootstrap
done
wait_for 20 "the cluster to be founded" "$bin/logflume" topic create demo --partitions 1 --replicas 3
echo "== three brokers run: $brokers" >&2

leader_of() { "$bin/logflume" topic describe demo --json 2>/dev/null | grep -o '"leader": *[0-9]*' | head -n 1 | grep -o '[0-9]*$'; }
has_leader() { local node; node=$(leader_of) && [ "${node:-0}" -gt 0 ]; }
wait_for 10 "a leader" has_leader

# ---- publish, and kill the leader in the middle ----------------------------------------------------------------------
acks=$work/acks
: >"$acks"
begin=$(date +%s%N)
"$bin/logflume" pub demo "$input" --rate "$rate" --acks "$acks" 2>"$work/pub.log" &
publisher=$!
acked() { wc -l <"$acks"; }
reached() { [ "$(acked)" -ge $((total * 45 / 100)) ]; }
wait_for 120 "45 % of the acknowledgements" reached
leader=$(leader_of)
[ -n "${pid[$leader]:-}" ] || fail "no leader is known in the middle"
at_kill=$(acked)
kill -9 "${pid[$leader]}"
{ wait "${pid[$leader]}" || true; } 2>/dev/null # and not a word of the shell about it
percent=$((at_kill * 100 / total))
echo "== leader (broker $leader) killed with SIGKILL after $at_kill of $total acknowledgements ($percent %)" >&2
code=0
wait "$publisher" || code=$?
end=$(date +%s%N)
unset "pid[$leader]"
[ "$percent" -ge 30 ] && [ "$percent" -le 70 ] || fail "the kill fell at $percent % of the acknowledgements"
[ "$code" = 0 ] || { cat "$work/pub.log" >&2; fail "the publisher ended with exit code $code"; }
ok=$(awk '$4 == "ok"' "$acks" | wc -l)
[ "$ok" = "$total" ] || fail "$ok of $total messages were acknowledged"

# ---- read everything back --------------------------------------------------------------------------------------------
"$bin/logflume" sub demo -o start -e >"$work/output" 2>"$work/sub.log" || { cat "$work/sub.log" >&2; fail "the subscriber failed"; }
awk 1 "$input" >"$work/expected" # ends the last line
if cmp -s "$work/expected" "$work/output"; then same="identical, byte for byte"; else fail "what was read differs from the file"; fi

# The killed broker comes back and serves the same.
start "$leader"
back() { LOGFLUME_BROKERS=127.0.0.1:$((base + leader)) "$bin/logflume" cluster status >/dev/null; }
wait_for 10 "broker $leader to come back" back

# Longest silence between two acknowledgements: the last column is milliseconds since the publisher began.
failover=$(awk 'NR > 1 && $5 - last > gap { gap = $5 - last } { last = $5 } END { print gap + 0 }' "$acks")
seconds=$(((end - begin) / 1000000))
cat <<SUMMARY

  messages             $total
  acknowledged         $ok
  leader killed at     $percent % of the acknowledgements
  failover             $failover ms (longest silence between two acknowledgements)
  rate                 $((ok * 1000 / (seconds > 0 ? seconds : 1))) messages/s (asked for $rate/s)
  read back            $(wc -l <"$work/output") messages: $same

demo: everything held
SUMMARY
