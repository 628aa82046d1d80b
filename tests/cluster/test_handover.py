"""SIGTERM: leadership is handed over, the process exits with 0, and clients hardly notice."""
import signal

from harness import Cluster, Failure
from workload import Publisher, run


def stopped_leader_hands_over():
    with Cluster(3) as cluster:
        cluster.start()
        cluster.create("handover")
        publisher = Publisher(cluster, "handover", 8000, rate=2000)
        for i in range(2):
            publisher.wait_acked(1500 + 2500 * i)
            leader = cluster.leader("handover")
            code = leader.kill(signal.SIGTERM)
            if code != 0:
                raise Failure("a stopped broker exits with %s" % code)
            leader.start()
            cluster.serving(leader)
        code = publisher.finish()
        assert code == 0, "the publisher ended with %d" % code
        publisher.check()


if __name__ == "__main__":
    run(stopped_leader_hands_over)
