"""A client that knows only one broker, which then vanishes, carries on with what it learned from it."""
import os

from harness import Cluster
from workload import Publisher, run


def client_carries_on_without_its_broker():
    with Cluster(3) as cluster:
        cluster.start()
        cluster.create("vanish")
        only = cluster.leader("vanish")
        publisher = Publisher(cluster, "vanish", 6000, rate=2000, extra=("-b", only.address))
        subscriber_out = os.path.join(cluster.directory, "sub.out")
        with open(subscriber_out, "wb") as out:
            subscriber = cluster.popen("sub", "vanish", "-b", only.address, "-o", "start", "-c", "6000", stdout=out)
        publisher.wait_acked(1500)
        only.kill()
        code = publisher.finish()
        assert code == 0, "the publisher ended with %d" % code
        assert subscriber.wait(timeout=60) == 0
        with open(subscriber_out, "rb") as out:
            assert out.read() == b"\n".join(publisher.sent) + b"\n", "the subscriber saw something else"
        others = ",".join(n.address for n in cluster.nodes if n is not only)
        publisher.check(brokers=others)


if __name__ == "__main__":
    run(client_carries_on_without_its_broker)
