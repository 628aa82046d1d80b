#!/bin/bash
# Does the simulation see bugs? Every *.patch beside this script puts one back; each has to be caught.
#
#   tests/mutants/run.sh [NAME...]        all of them, or those named (with or without .patch)
#
# For each: a scratch copy of the sources gets the patch, the simulators are built there (preset release, so one build
# for all patches, then what the patch touches), and run over seeds 1, 2, ... The line printed says which simulator
# caught it at which seed. A patch whose head (the lines before "diff") has a line
#   # caught-by: COMMAND
# is given to that command instead: run in the scratch copy with everything built, it has to exit non-zero.
#
# Fails when a patch does not apply or build, or is not caught, or when the simulators are not clean without a patch.
#
# MUTANT_SEEDS (2000) and MUTANT_NODE_SEEDS (300): how many seeds raft_sim and the whole-node sim get, per size.
# MUTANT_SCRATCH: the scratch copy (a fresh one under TMPDIR, removed at the end, when unset).
set -u
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
raft_seeds=${MUTANT_SEEDS:-2000}
node_seeds=${MUTANT_NODE_SEEDS:-300}

if [ -n "${MUTANT_SCRATCH:-}" ]; then
    scratch=$MUTANT_SCRATCH
    mkdir -p "$scratch" || exit 1
else
    scratch=$(mktemp -d "${TMPDIR:-/tmp}/logflume-mutants.XXXXXX") || exit 1
    trap 'rm -rf "$scratch"' EXIT
fi
tree=$scratch/tree
build=$tree/build/release
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
    (cd "$scratch/new" && find . -type f) | while read -r file; do
        cmp -s "$scratch/new/$file" "$tree/$file" || { mkdir -p "$tree/$(dirname "$file")" &&
            cp -p "$scratch/new/$file" "$tree/$file" && touch "$tree/$file"; } || return 1
    done
    rm -rf "$scratch/new"
}

build_targets() { # TARGET... ; none: all
    local arguments=()
    for target in "$@"; do arguments+=(--target "$target"); done
    cmake --build "$build" "${arguments[@]}" >"$log" 2>&1 || {
        tail -30 "$log" >&2
        return 1
    }
}

has_target() { cmake --build "$build" --target help 2>/dev/null | grep -q "^$1: phony"; }

# hunt SIMULATOR SEEDS [ARGUMENT...]: prints "SIMULATOR --nodes N at seed S" for the first that fails
hunt() {
    local simulator=$1 seeds=$2 nodes status seed why
    shift 2
    for nodes in 3 5; do
        "$build/bin/$simulator" --nodes "$nodes" --seeds "$seeds" "$@" >"$log" 2>&1
        status=$?
        [ $status -eq 0 ] && continue
        seed=$(grep -aoE 'seed[= ][0-9]+' "$log" | grep -oE '[0-9]+' | head -1)
        why=$(grep -aE 'FAILED|check failed' "$log" | head -1)
        echo "$simulator --nodes $nodes${1:+ $*} at seed ${seed:-?} (exit $status): ${why##*"$tree/"}"
        return 0
    done
    return 1
}

check_mutant() { # FILE
    local patch=$1 name command caught=1
    name=$(basename "$patch" .patch)
    copy_sources || die "cannot copy the sources"
    patch -d "$tree" -p1 --forward --batch <"$patch" >"$log" 2>&1 || {
        cat "$log" >&2
        echo "$name: does not apply"
        return 1
    }
    find "$tree" -name '*.orig' -newer "$patch" -delete
    command=$(sed -n '/^diff /q; s/^#* *caught-by: *//p' "$patch" | head -1)
    if [ -n "$command" ]; then
        build_targets || { echo "$name: does not build" && return 1; }
        (cd "$tree" && bash -c "$command") >"$log" 2>&1
        status=$?
        if [ $status -eq 0 ] || [ $status -eq 126 ] || [ $status -eq 127 ]; then
            tail -5 "$log" >&2
            echo "$name: NOT caught by: $command (exit $status)"
            return 1
        fi
        echo "$name: caught by: $command (exit $status): $(grep -av '^ *$' "$log" | tail -1)"
        return 0
    fi
    build_targets "${simulators[@]}" || { echo "$name: does not build" && return 1; }
    for simulator in "${simulators[@]}"; do
        seeds=$raft_seeds
        [ "$simulator" = sim ] && seeds=$node_seeds
        if found=$(hunt "$simulator" "$seeds"); then
            echo "$name: caught by $found"
            caught=0
        else
            echo "$name: not seen by $simulator in $seeds seeds of 3 and 5 nodes"
        fi
        # Besides: do histories get so bad that what came out of them is wrong, even if nobody looked inside?
        if [ "$simulator" = raft_sim ] && found=$(hunt raft_sim "$seeds" --outcomes-only); then
            echo "    and by outcomes alone: $found"
        fi
    done
    [ $caught -eq 0 ] || echo "$name: NOT caught"
    return $caught
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
simulators=(raft_sim)
has_target sim && simulators+=(sim)
build_targets "${simulators[@]}" || die "the simulators do not build without a patch"
for simulator in "${simulators[@]}"; do
    if found=$(hunt "$simulator" 20); then die "not clean without a patch: $found"; fi
done

failures=0
for patch in "${patches[@]}"; do
    check_mutant "$patch" || failures=$((failures + 1))
done
echo "mutants: $((${#patches[@]} - failures)) of ${#patches[@]} caught"
[ $failures -eq 0 ]
