"""The leader is killed with SIGKILL again and again while a client publishes: nothing acknowledged is lost or doubled."""
import sys

from harness import Cluster
from workload import Publisher, run


def leader_killed_while_publishing(kills=3, environment=None):
    with Cluster(3, environment=environment) as cluster:
        cluster.start()
        cluster.create("kills")
        each = 3000
        publisher = Publisher(cluster, "kills", each * (kills + 1), rate=2000)
        for i in range(kills):
            publisher.wait_acked(each * i + each // 2, 60)
            leader = cluster.leader("kills")
            leader.kill()
            publisher.wait_acked(each * i + each // 2 + each // 4, 60)
            leader.start()
            cluster.serving(leader)
        code = publisher.finish()
        assert code == 0, "the publisher ended with %d" % code
        for node in cluster.nodes:
            publisher.check(brokers=node.address)


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    run(lambda: leader_killed_while_publishing(count))
