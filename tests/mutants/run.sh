#!/bin/bash
# Do the tests see bugs? Every *.patch beside this script puts one back; each has to be caught.
#
#   tests/mutants/run.sh [NAME...]        all of them, or those named (with or without .patch)
#   tests/mutants/run.sh --apply          only: does each still apply? Takes a second; ctest runs it
#
# For each: a scratch copy of the sources gets the patch and builds what it needs (preset release: one build for all
# patches, then what the patch touches). A patch of the consensus core meets all scenarios first, then raft_sim, then the
# whole-node sim over seeds 1, 2, ...; any other patch meets the sim. The first that sees it ends it; the line printed
# says which. A patch whose head (the lines before "diff") has a line
#   # caught-by: COMMAND
# is given to that command instead: it has to exit non-zero in the scratch copy, where the programs it names under
# build/release/bin are built.
#
# Fails when a patch does not apply or build, or is not caught, or when something is not clean without a patch.
#
# MUTANT_SEEDS (2000) and MUTANT_NODE_SEEDS (300): how many seeds raft_sim and sim get, per number of nodes.
# MUTANT_THOROUGH=1: go on after the first catch, and say what every program sees.
# MUTANT_SCRATCH: the scratch copy (a fresh one under TMPDIR, removed at the end, when unset).
set -u
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
raft_seeds=${MUTANT_SEEDS:-2000}
node_seeds=${MUTANT_NODE_SEEDS:-300}
thorough=${MUTANT_THOROUGH:-}

if [ "${1:-}" = --apply ]; then
    failures=0
    for patch in "$here"/*.patch; do
        patch -d "$root" -p1 --forward --batch --dry-run -r - <"$patch" >/dev/null 2>&1 ||
            { echo "$(basename "$patch"): does not apply" && failures=$((failures + 1)); }
    done
    [ $failures -eq 0 ]
    exit
fi

if [ -n "${MUTANT_SCRATCH:-}" ]; then
    scratch=$MUTANT_SCRATCH
    mkdir -p "$scratch" || exit 1
else
    scratch=$(mktemp -d "${TMPDIR:-/tmp}/logflume-mutants.XXXXXX") || exit 1
    trap 'rm -rf "$scratch"' EXIT
fi
tree=$scratch/tree
bin=$tree/build/release/bin
log=$scratch/log

die() {
    echo "mutants: $*" >&2
    exit 1
}

# Fresh sources, keeping the scratch copy's own build so that only what changed is compiled: files equal to what is
# there keep their time.
copy_sources() {
    rm -rf "$scratch/new" && mkdir -p "$scratch/new" "$tree" || return 1
    tar -C "$root" --exclude=./build --exclude=./.git --exclude=./logflume-dev -cf - . | tar -C "$scratch/new" -xf - ||
        return 1
    rsync_like "$scratch/new" "$tree" && rm -rf "$scratch/new"
}

rsync_like() { # FROM TO: copies what differs
    local file
    (cd "$1" && diff -rq . "$2" --exclude=build --exclude='*.orig' --exclude='*.rej' 2>/dev/null) |
        sed -n "s|^Files \(.*\) and .* differ$|\1|p; s|^Only in \(\.[^:]*\): \(.*\)$|\1/\2|p" | while read -r file; do
        mkdir -p "$2/$(dirname "$file")" && cp -R "$1/$file" "$2/$(dirname "$file")/" && [ -d "$1/$file" ] ||
            touch "$2/$file"
    done
}

# Takes the patch back, so that the next one begins with the shipped sources.
unpatch() { # FILE
    local file
    sed -n 's|^+++ b/\([^\t]*\).*|\1|p' "$1" | while read -r file; do
        cp "$root/$file" "$tree/$file" && touch "$tree/$file"
    done
}

build_targets() { # TARGET...
    local arguments=()
    for target in "$@"; do arguments+=(--target "$target"); done
    cmake --build "$tree/build/release" "${arguments[@]}" >"$log" 2>&1 || {
        tail -30 "$log" >&2
        return 1
    }
}

# The first scenario that fails, of its own entry if possible, and why.
scenarios() { # ENTRY [--outcomes-only]
    local entry=$1 line
    shift
    (cd "$tree/tests/sim/scenarios" && timeout 300 "$bin/scenario" "$@" *.txt) >"$log" 2>&1 && return 1
    line=$(grep -aE '\.txt:[0-9]+: ' "$log" | grep -aiE "^$entry[-.]" | head -1)
    [ -n "$line" ] || line=$(grep -aE '\.txt:[0-9]+: ' "$log" | head -1)
    echo "${line:-a scenario (no line)}"
}

# hunt SIMULATOR SEEDS [ARGUMENT...]: "SIMULATOR --nodes N at seed S" for the first size that fails; both sizes run at once
hunt() {
    local simulator=$1 seeds=$2 nodes status seed why jobs=() found=1
    shift 2
    [ "$simulator" = sim ] && jobs=(--jobs 1)
    for nodes in 3 5; do
        (timeout 900 "$bin/$simulator" --no-shrink --nodes "$nodes" --seeds "$seeds" "${jobs[@]}" "$@" >"$log.$nodes" 2>&1
            echo $? >"$log.$nodes.status") &
    done
    wait
    for nodes in 3 5; do
        status=$(cat "$log.$nodes.status")
        [ "$status" -eq 0 ] && continue
        seed=$(grep -aoE 'seed[= ][0-9]+' "$log.$nodes" | grep -oE '[0-9]+' | head -1)
        why=$(grep -aE 'FAILED|check failed' "$log.$nodes" | head -1)
        echo "$simulator --nodes $nodes${1:+ $*} at seed ${seed:-?} (exit $status): ${why##*"$tree/"}"
        found=0
        break
    done
    return $found
}

# caught NAME HOW WHAT: prints; whether to stop here
caught=
caught() {
    echo "$1: caught by $2: $3"
    caught=1
    [ -z "$thorough" ]
}

meet_command() { # NAME COMMAND
    local status programs
    programs=$(grep -oE 'build/release/bin/[a-z_]+' <<<"$2" | sed 's|.*/||' | sort -u)
    # shellcheck disable=SC2086
    build_targets ${programs:-all} || { echo "$1: does not build" && return; }
    (cd "$tree" && timeout 900 bash -c "$2") >"$log" 2>&1
    status=$?
    case $status in
    0 | 126 | 127) tail -5 "$log" >&2 && echo "$1: $2 exits with $status" ;;
    *) caught "$1" "$2 (exit $status)" "$(grep -av '^ *$' "$log" | tail -1)" ;;
    esac
}

meet_everything() { # NAME FILE
    local name=$1 found
    if grep -q '^+++ b/broker/raft/' "$2"; then
        build_targets scenario || { echo "$name: does not build" && return; }
        # What it does first; else how it looks: traces and the core's own invariants.
        if found=$(scenarios "${name%%-*}" --outcomes-only); then
            caught "$name" "what a scenario demands" "$found" && return
        elif found=$(scenarios "${name%%-*}"); then
            caught "$name" "how a scenario looks" "$found" && return
        fi
        build_targets raft_sim || { echo "$name: does not build" && return; }
        if found=$(hunt raft_sim "$raft_seeds"); then caught "$name" "seeds" "$found" && return; fi
    fi
    build_targets sim || { echo "$name: does not build" && return; }
    if found=$(hunt sim "$node_seeds"); then caught "$name" "seeds" "$found" && return; fi
}

check_mutant() { # FILE
    local patch=$1 name command
    name=$(basename "$patch" .patch)
    caught=
    if patch -d "$tree" -p1 --forward --batch --no-backup-if-mismatch -r - <"$patch" >"$log" 2>&1; then
        command=$(sed -n '/^diff /q; s/^#* *caught-by: *//p' "$patch" | head -1)
        if [ -n "$command" ]; then meet_command "$name" "$command"; else meet_everything "$name" "$patch"; fi
        [ -n "$caught" ] || echo "$name: NOT caught"
    else
        cat "$log" >&2
        echo "$name: does not apply"
    fi
    unpatch "$patch"
    [ -n "$caught" ]
}

patches=()
if [ $# -gt 0 ]; then
    for name in "$@"; do
        patches+=("$here/$(basename "$name" .patch).patch")
        [ -f "${patches[-1]}" ] || die "no patch ${patches[-1]}"
    done
else
    patches=("$here"/*.patch)
    [ -f "${patches[0]}" ] || die "no patches in $here"
fi

copy_sources || die "cannot copy the sources"
(cd "$tree" && cmake --preset release) >"$log" 2>&1 || { tail -20 "$log" >&2 && die "cannot configure"; }
build_targets scenario raft_sim sim || die "the tests do not build without a patch"
if found=$(scenarios none); then die "not clean without a patch: $found"; fi
for simulator in raft_sim sim; do
    if found=$(hunt "$simulator" 20); then die "not clean without a patch: $found"; fi
done

failures=0
for patch in "${patches[@]}"; do
    check_mutant "$patch" || failures=$((failures + 1))
done
echo "mutants: $((${#patches[@]} - failures)) of ${#patches[@]} caught"
[ $failures -eq 0 ]
