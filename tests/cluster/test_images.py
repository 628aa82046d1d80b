"""A topic that was trimmed, and is published to all the while, gets a new replica by a move, and one whose disk was wiped:
both are filled by images, though they, and the leader, are killed in the middle. What was acknowledged is there on each."""
import json
import os
import shutil
import urllib.request

from harness import Cluster, Failure, wait_until
from workload import Publisher, run

OLD = 20000
MESSAGES = 30000


def metric(node, name):
    """Sum of a metric's lines whose name and labels begin so; 0 while the node does not answer."""
    try:
        page = urllib.request.urlopen("http://127.0.0.1:%d/metrics" % node.admin_port, timeout=2).read().decode()
    except OSError:
        return 0
    return sum(float(line.split()[-1]) for line in page.splitlines() if line.startswith("logflume_" + name))


def installed(node):
    return metric(node, 'images_total{what="installed"')


def fetched(node):
    return metric(node, 'image_bytes_total{what="fetched"')


def segments(cluster, node):
    done = cluster.cli("partition", "segments", "kept/0", "--node", str(node.number), "--json")
    if done.returncode != 0:
        return None
    return [s for s in json.loads(done.stdout)["segments"] if not s.get("open")]


def fill(cluster):
    """History, the first half of which is trimmed, so that no log reaches back to its beginning."""
    path = os.path.join(cluster.directory, "old")
    with open(path, "wb") as out:
        for i in range(OLD):
            out.write(b"old-%08d-" % i + os.urandom(1500).hex().encode() + b"\n")
    cluster.cli("pub", "kept", path, check=True, timeout=120)
    cluster.cli("topic", "trim", "kept/0", "--before", str(OLD // 2), "--execute", check=True)
    leader = cluster.leader("kept")
    wait_until("the log to begin later",
               lambda: (segments(cluster, leader) or [{"base_offset": 0}])[0]["base_offset"] > 0, 60)


def killed_in_the_middle(cluster, node):
    """Some of the history has come; then the node ends, then the leader."""
    wait_until("history to come to node %d" % node.number, lambda: fetched(node) > 2e6 or installed(node) > 0, 60)
    node.kill()
    node.start()
    wait_until("history to come again", lambda: fetched(node) > 1e6 or installed(node) > 0, 60)
    leader = cluster.leader("kept")
    leader.kill()
    leader.start()


def whole(cluster, node):
    wait_until("node %d to hold an image" % node.number, lambda: installed(node) > 0, 90)
    wait_until("the cluster to be whole", lambda: cluster.cli("cluster", "check").returncode == 0, 90)


def images():
    with Cluster(3, config="image:\n  bytes_per_s_max: 8MiB\n") as cluster:
        cluster.start()
        wait_until("the topic", lambda: cluster.cli("topic", "create", "kept", "--config", "segment.bytes=1MiB")
                   .returncode == 0, 30)
        fill(cluster)
        new = cluster.join()
        publisher = Publisher(cluster, "kept", MESSAGES, 1000, size=200)
        publisher.wait_acked(500)
        cluster.cli("partition", "move", "kept/0", "--to", "1,2,4", check=True)
        killed_in_the_middle(cluster, new)
        whole(cluster, new)

        wiped = cluster.node(2)
        wiped.kill()
        shutil.rmtree(wiped.data)
        wiped.start(extra=("--replace-store",))
        killed_in_the_middle(cluster, wiped)
        whole(cluster, wiped)
        if publisher.finish(180) != 0:
            raise Failure("the publisher: %s" % open(publisher.log.name).read())
        holders = [cluster.node(1), wiped, new]
        wait_until("equal segments", lambda: (lambda all: all[0] and all[0] == all[1] == all[2])(
            [segments(cluster, node) for node in holders]), 60)
        for node in holders:
            publisher.check(brokers=node.address)


if __name__ == "__main__":
    run(images)
