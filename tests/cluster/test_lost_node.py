"""A node that is lost for ever is replaced under load; its old disk counts for nothing and is told so; its id comes back
with an empty one."""
import shutil

from harness import Cluster, Failure, wait_until
from test_membership import PARTITIONS, Load, Outcomes
from workload import run


def old_disk_is_refused(node):
    """Started as if nothing had happened, it ends by itself and says what to do."""
    node.start()
    wait_until("node %d to end" % node.number, lambda: not node.alive(), 20)
    code, words = node.process.returncode, node.log_tail(3)
    if code != 7 or "removed from the cluster" not in words or "--join" not in words:
        raise Failure("a removed node ends with %s: %s" % (code, words))


def comes_back_empty(cluster, node):
    shutil.rmtree(node.data)
    wait_until("node %d added again" % node.number, lambda: cluster.cli(
        "cluster", "add", str(node.number), "--host", "127.0.0.1", "--client-port", str(node.client_port), "--peer-port",
        str(node.peer_port)).returncode == 0, 20)
    node.first_start = "--join"
    node.start()
    wait_until("node %d to join" % node.number, lambda: cluster.state(node.number) == "active", 20)


def lost_node_is_replaced():
    with Cluster(3) as cluster:
        cluster.start()
        cluster.create("members", PARTITIONS, 3)
        load = Load(cluster, "members", 2000, cluster.brokers)
        lost = cluster.node(1)
        load.step("node 1 is lost")
        lost.kill()
        cluster.join()
        load.step("drain node 1")
        cluster.cli("cluster", "drain", "1", "--wait=60", timeout=90, check=True)
        cluster.cli("cluster", "remove", "1", check=True)
        old_disk_is_refused(lost)
        load.step("node 1 joins with an empty disk")
        comes_back_empty(cluster, lost)
        cluster.cli("partition", "move", "members/0", "--to", "1,2,3", "--wait=60", timeout=90, check=True)
        wait_until("the cluster to be healthy", lambda: cluster.cli("cluster", "check").returncode == 0, 60)
        load.stop()
        outcomes = Outcomes(load)
        for node in cluster.nodes:
            outcomes.check(cluster, "members", node)
        print("%d messages, all there once and in order; gaps: %s" % (outcomes.count, outcomes.gaps), flush=True)


if __name__ == "__main__":
    run(lost_node_is_replaced)
