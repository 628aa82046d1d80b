"""A node whose store is damaged ends and names the file; with --replace-store it comes back under load with a new one,
however often it is killed on the way, and the old one is kept. Not while another node is needed for a majority."""
import glob
import os
import random
import shutil

from harness import Cluster, Failure, wait_until
from test_membership import PARTITIONS, Load, Outcomes
from workload import run


def damage(node):
    """One byte in the middle of the newest write-ahead log, which was synced."""
    path = max(glob.glob(os.path.join(node.data, "store", "*.log")), key=os.path.getsize)
    size = os.path.getsize(path)
    with open(path, "r+b") as file:
        file.seek(size // 2)
        byte = file.read(1)
        file.seek(size // 2)
        file.write(bytes([byte[0] ^ 0x10]))
    return path


def ends_with(node, code, *words):
    wait_until("node %d to end" % node.number, lambda: not node.alive(), 30)
    said = node.log_tail(2)
    if node.process.returncode != code or not all(w in said for w in words):
        raise Failure("node %d ended with %d: %s" % (node.number, node.process.returncode, said))


def whole_again(cluster, seconds=60):
    wait_until("the cluster to be whole", lambda: cluster.cli("cluster", "check").returncode == 0, seconds)


def damaged_store_is_replaced(cluster, node, load):
    load.step("node %d is damaged" % node.number)
    node.kill()
    path = damage(node)
    node.start()
    ends_with(node, 6, os.path.basename(path))
    node.start(extra=("--replace-store",))
    generator = random.Random(7)
    for _ in range(6):  # started as always from then on
        wait_until("a while", lambda: generator.random() < 0.05, 30)
        node.kill()
        node.start()
    whole_again(cluster)
    if not glob.glob(os.path.join(node.data, "store.replaced.1", "*.log")):
        raise Failure("the damaged store is not kept")
    node.kill()
    node.start(extra=("--replace-store",))  # does nothing to a store that is well
    whole_again(cluster)
    if os.path.exists(os.path.join(node.data, "store.replaced.2")):
        raise Failure("a store was replaced that was well")


def lost_store_is_replaced_only_on_request(cluster, node, load):
    load.step("node %d is lost" % node.number)
    node.kill()
    shutil.rmtree(node.data)
    node.start(extra=("--store.replace=auto",))
    ends_with(node, 2, "--replace-store")
    node.start(extra=("--replace-store",))
    whole_again(cluster)
    marker = os.path.join(node.data, "replacement")
    wait_until("the replacement to be over", lambda: not os.path.exists(marker), 20)
    load.step("node %d is lost again" % node.number)
    node.kill()
    shutil.rmtree(os.path.join(node.data, "store"))
    node.start()  # what was asked for once is not asked for for ever
    ends_with(node, 2, "--replace-store")
    node.start(extra=("--replace-store",))
    whole_again(cluster)


def needed_store_is_not_given_up(cluster, first, second, load):
    load.step("nodes %d and %d are down" % (first.number, second.number))
    first.kill()
    second.kill()
    damage(second)
    second.start(extra=("--store.replace=auto",))
    wait_until("node %d to wait" % second.number, lambda: "waits to be taken" in second.log_tail(200), 20)
    first.start()
    whole_again(cluster)


def stores_are_replaced():
    with Cluster(3) as cluster:
        cluster.start()
        cluster.create("members", PARTITIONS, 3)
        load = Load(cluster, "members", 1000, cluster.brokers)
        damaged_store_is_replaced(cluster, cluster.node(2), load)
        lost_store_is_replaced_only_on_request(cluster, cluster.node(1), load)
        needed_store_is_not_given_up(cluster, cluster.node(1), cluster.node(3), load)
        load.stop()
        outcomes = Outcomes(load)
        for node in cluster.nodes:
            outcomes.check(cluster, "members", node)
        print("%d messages, all there once and in order; gaps: %s" % (outcomes.count, outcomes.gaps), flush=True)


if __name__ == "__main__":
    run(stores_are_replaced)
