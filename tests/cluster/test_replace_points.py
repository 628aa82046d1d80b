"""Every crash point of `logflumed --replace-store`: the n-th call of each kind on the disk is the process's last one, with
or without the power. The next start, without the flag, finds the damaged store untouched and says so, or goes on with the
replacement by itself; what was on the damaged store is kept in any case.

    test_replace_points.py [EVERY]      visit each EVERY-th point [1]
"""
import glob
import hashlib
import os
import shutil
import subprocess
import sys

from harness import BIN, Cluster, Failure, wait_until
from test_power_cuts import cut, shim
from test_replace_store import damage
from workload import Publisher, run

CALLS = ("open", "write", "pwrite", "fsync", "fdatasync", "rename", "unlink", "mkdir", "ftruncate", "fallocate")


def contents(directory):
    digest = hashlib.sha256()
    for path in sorted(glob.glob(os.path.join(directory, "*.log")) + glob.glob(os.path.join(directory, "*.sst"))
                       + glob.glob(os.path.join(directory, "MANIFEST-*"))):
        with open(path, "rb") as file:
            digest.update(os.path.basename(path).encode() + file.read())
    return digest.hexdigest()


def ended_or_ready(node, words="replacing a lost store"):
    """None while neither; True: ready with a new store; False: it ended."""
    if not node.alive():
        return [False]
    return [True] if words in node.log_tail(400) else None


def start(node, environment, *flags):
    open(node.log, "wb").close()
    node.start(environment=environment, extra=flags)
    return wait_until("node %d to end or be ready: %s" % (node.number, node.log_tail()), lambda: ended_or_ready(node), 30)[0]


def visit(node, original, wanted, call, number, power):
    """One point. False: there are not so many calls."""
    shutil.rmtree(node.data, ignore_errors=True)
    shutil.rmtree(node.data + ".shim", ignore_errors=True)
    shutil.copytree(original, node.data)
    environment = {"LD_PRELOAD": shim(), "DISK_SHIM_ROOT": node.data, "DISK_SHIM_STATE": node.data + ".shim",
                   "DISK_SHIM_FAIL": "%s:%d:kill" % (call, number)}
    place = "%s %d%s" % (call, number, " with the power" if power else "")
    if start(node, environment, "--replace-store"):
        node.kill()
        return False
    if node.process.returncode != -9:
        raise Failure("%s: it ended with %d: %s" % (place, node.process.returncode, node.log_tail(3)))
    if power:
        cut(node, number)
    if not start(node, {}):
        code, words = node.process.returncode, node.log_tail(2)
        if code != 6:
            raise Failure("%s: the next start ends with %d: %s" % (place, code, words))
        if not start(node, {}, "--replace-store"):
            raise Failure("%s: --replace-store does not go on: %s" % (place, node.log_tail(3)))
    node.kill()
    kept = [contents(path) for path in glob.glob(os.path.join(node.data, "store.replaced.*"))]
    if kept.count(wanted) != 1:
        raise Failure("%s: the damaged store is kept %d times among %d" % (place, kept.count(wanted), len(kept)))
    return True


def every_crash_point_of_a_replacement_recovers(every):
    with Cluster(3) as cluster:
        cluster.start()
        cluster.create("points", 1, 3)
        Publisher(cluster, "points", 3000, 1500).finish()
        for node in cluster.nodes:
            node.kill()
        node = cluster.node(2)
        damage(node)
        original = node.data + ".original"
        shutil.copytree(node.data, original)
        wanted = contents(os.path.join(original, "store"))
        counts = {}
        for call in CALLS:
            number = every
            while visit(node, original, wanted, call, number, number // every % 2 == 0):
                counts[call] = counts.get(call, 0) + 1
                number += every
        print("crash points of --replace-store: %d visited, all recover: %s"
              % (sum(counts.values()), ", ".join("%s %d" % item for item in counts.items())), flush=True)


if __name__ == "__main__":
    run(lambda: every_crash_point_of_a_replacement_recovers(int(sys.argv[1]) if len(sys.argv) > 1 else 1))
