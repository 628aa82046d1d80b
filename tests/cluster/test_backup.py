"""Backups of a running cluster: made while it is published to, sharing files with each other, each a whole store."""
import glob
import json
import os
import signal
import subprocess

from harness import BIN, Cluster, Failure, wait_until
from workload import Publisher, run


def store_of(node, name):
    return os.path.join(node.data, "backups", name, "store")


def tables(directory):
    return {os.path.basename(path): os.stat(path).st_ino for path in glob.glob(os.path.join(directory, "*.sst"))}


def verify_store(directory, code=0):
    done = subprocess.run([os.path.join(BIN, "logflumed"), "store", "verify", directory], capture_output=True, timeout=60)
    if done.returncode != code:
        raise Failure("store verify: exit %d: %s %s" % (done.returncode, done.stdout, done.stderr))


def names(cluster):
    said = json.loads(cluster.cli("backup", "list", "--json", check=True).stdout)
    return {entry["node"]: [backup["name"] for backup in entry["backups"]] for entry in said}


def make_while_publishing(cluster):
    """Two of them. Returns the publisher, and how many messages were acknowledged before the second one began."""
    cluster.cli("topic", "create", "orders", "--partitions", "1", "--replicas", "3", "--config", "segment.bytes=64KiB",
                check=True)
    wait_until("a leader of orders", lambda: cluster.leader("orders"), 30)
    publisher = Publisher(cluster, "orders", 12000, 1200, size=400)
    publisher.wait_acked(3000)
    cluster.cli("backup", "create", "first", check=True)
    publisher.wait_acked(6000)
    before = publisher.acked()
    cluster.cli("backup", "create", "second", check=True)
    publisher.finish()
    publisher.check()
    return publisher, before


def look_at(cluster):
    if names(cluster) != {node.number: ["first", "second"] for node in cluster.nodes}:
        raise Failure("backup list says %r" % names(cluster))
    for node in cluster.nodes:
        first, second = tables(store_of(node, "first")), tables(store_of(node, "second"))
        shared = [name for name in first if second.get(name) == first[name]]
        if len(shared) < 3:
            raise Failure("node %d: the backups share %d of %d and %d tables" % (node.number, len(shared), len(first),
                                                                                len(second)))
        for name in ("first", "second"):
            verify_store(store_of(node, name))


def refusals(cluster):
    for name in ("../x", "a/b", ".x", "x" * 65):
        done = cluster.cli("backup", "create", name)
        if done.returncode != 1 or "name" not in done.stderr:
            raise Failure("backup create %s: exit %d: %s" % (name, done.returncode, done.stderr))
    done = cluster.cli("backup", "create", "first")
    if done.returncode != 1 or "already" not in done.stderr:
        raise Failure("a second backup of a name: exit %d: %s" % (done.returncode, done.stderr))
    done = cluster.cli("backup", "delete", "nothing")
    if done.returncode != 5:
        raise Failure("deleting nothing: exit %d: %s" % (done.returncode, done.stderr))


def leftovers_go_at_the_next_start(cluster):
    node = cluster.node(1)
    left = os.path.join(node.data, "backups", ".third.making", "store.tmp")
    os.makedirs(left)
    node.kill(signal.SIGKILL)
    cluster.start()
    cluster.serving(node)
    if os.path.exists(os.path.dirname(left)):
        raise Failure("what was left of a backup is still there")
    if names(cluster)[1] != ["first", "second"]:
        raise Failure("backup list says %r" % names(cluster))


def files_in(directory):
    return sum(1 + len(files) for _, _, files in os.walk(directory)) - 1


def killed_in_the_middle_leaves_all_or_nothing(cluster):
    """At any moment: a backup is there whole, or not at all."""
    node = cluster.node(2)
    folder = os.path.join(node.data, "backups")
    outcomes = []
    for round_ in range(12):
        name = "k%d" % round_
        client = cluster.popen("backup", "create", name, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        making = os.path.join(folder, "." + name + ".making")  # a little further each time
        wait_until("it to have begun, or to be done", lambda: client.poll() is not None or os.path.exists(
            os.path.join(folder, name)) or files_in(making) >= round_, 20)
        node.kill()
        client.wait(timeout=60)
        cluster.start()
        cluster.serving(node)
        left = [entry for entry in os.listdir(folder) if entry not in ("first", "second", name)]
        if left:
            raise Failure("round %d: left of a killed backup: %r" % (round_, left))
        outcomes.append(os.path.exists(os.path.join(folder, name)))
        if outcomes[-1]:
            verify_store(store_of(node, name))
        cluster.cli("backup", "delete", name, check=True)
    print("killed in the middle: %d of %d backups were there, whole" % (sum(outcomes), len(outcomes)), flush=True)


def a_node_that_is_down_is_said(cluster):
    cluster.node(3).kill()
    done = cluster.cli("backup", "create", "third")
    if done.returncode == 0 or "node 3" not in done.stderr:
        raise Failure("a backup without node 3: exit %d: %s" % (done.returncode, done.stderr))
    cluster.start()
    cluster.serving(cluster.node(3))
    if names(cluster) != {1: ["first", "second", "third"], 2: ["first", "second", "third"], 3: ["first", "second"]}:
        raise Failure("backup list says %r" % names(cluster))
    cluster.cli("backup", "delete", "third", check=True)


def backups_of_a_running_cluster():
    with Cluster(3) as cluster:
        cluster.start()
        make_while_publishing(cluster)
        look_at(cluster)
        refusals(cluster)
        leftovers_go_at_the_next_start(cluster)
        killed_in_the_middle_leaves_all_or_nothing(cluster)
        a_node_that_is_down_is_said(cluster)
        cluster.cli("backup", "delete", "first", check=True)
        for node in cluster.nodes:
            if os.listdir(os.path.join(node.data, "backups")) != ["second"]:
                raise Failure("node %d has %r" % (node.number, os.listdir(os.path.join(node.data, "backups"))))
            verify_store(store_of(node, "second"))


if __name__ == "__main__":
    run(backups_of_a_running_cluster)
