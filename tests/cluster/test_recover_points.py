"""Every crash point of `logflumed store recover --execute`: the n-th call of each kind on the disk is the process's last
one, with or without the power. Each group is then as it was, or goes on alone, nothing between; those that were said to be
done are; and a second run does what is left.

    test_recover_points.py [EVERY]      visit each EVERY-th point [1]
"""
import json
import os
import shutil
import subprocess
import sys

from harness import BIN, Cluster, Failure
from test_power_cuts import cut, shim
from workload import Publisher, run

CALLS = ("open", "write", "pwrite", "fsync", "fdatasync", "rename", "unlink", "ftruncate", "fallocate")


def tool(data, *options, environment=None):
    """The exit code, what it printed, by group, and what it said."""
    done = subprocess.run([os.path.join(BIN, "logflumed"), "store", "recover", "--lost-majority", "--json", "-q", *options,
                           data], capture_output=True, text=True, timeout=60, env=dict(os.environ, **(environment or {})))
    lines = [line for line in done.stdout.splitlines() if line.endswith("}")]
    return done.returncode, {g["group"]: g for g in map(json.loads, lines)}, done.stderr


def visit(node, original, before, call, number, power):
    """One point. False: there are not so many calls."""
    shutil.rmtree(node.data, ignore_errors=True)
    shutil.rmtree(node.data + ".shim", ignore_errors=True)
    shutil.copytree(original, node.data)
    place = "%s %d%s" % (call, number, " with the power" if power else "")
    code, said, words = tool(node.data, "--execute", environment={
        "LD_PRELOAD": shim(), "DISK_SHIM_ROOT": node.data, "DISK_SHIM_STATE": node.data + ".shim",
        "DISK_SHIM_FAIL": "%s:%d:kill" % (call, number)})
    if code == 0:
        return False
    if code != -9:
        raise Failure("%s: it ended with %d: %s" % (place, code, words))
    if power:
        cut(node, number)
    code, seen, words = tool(node.data)
    if code != 0:
        raise Failure("%s: afterwards: %d: %s" % (place, code, words))
    for number_, group in seen.items():
        was = before[number_]
        alone = group["verdict"] == "alone"
        wanted = was["last_index"] + (2 if alone else 0)
        if group["last_index"] != wanted or group["verdict"] not in ("alone", "recover"):
            raise Failure("%s: group %d: %r, was %r" % (place, number_, group, was))
        if said.get(number_, {}).get("done") and not alone:
            raise Failure("%s: group %d was done, and is not" % (place, number_))
    code, _, words = tool(node.data, "--execute")
    if code != 0 or any(g["verdict"] != "alone" for g in tool(node.data)[1].values()):
        raise Failure("%s: a second run: %d: %s" % (place, code, words))
    done = subprocess.run([os.path.join(BIN, "logflumed"), "store", "verify", "-q", node.data], capture_output=True, text=True)
    if done.returncode != 0:
        raise Failure("%s: verify: %s%s" % (place, done.stdout, done.stderr))
    return True


def every_crash_point_of_a_recovery_is_recovered_from(every):
    with Cluster(3) as cluster:
        cluster.start()
        cluster.create("points", 3, 3)
        Publisher(cluster, "points", 2000, 1500).finish()
        for node in cluster.nodes:
            node.kill()
        node = cluster.node(2)
        original = node.data + ".original"
        os.rename(node.data, original)
        before = tool(original)[1]
        points = 0
        for call in CALLS:
            number = 1 + points % every
            while visit(node, original, before, call, number, points % 2 == 0):
                points += 1
                number += every
        print("%d points" % points, flush=True)
        if points < 40 // every:
            raise Failure("only %d points" % points)


def recovery_points():
    every_crash_point_of_a_recovery_is_recovered_from(int(sys.argv[1]) if len(sys.argv) > 1 else 1)


if __name__ == "__main__":
    run(recovery_points)
