"""Two of three brokers are gone: outcomes are the right ones; when they are back, everything goes on."""
from harness import Cluster, Failure, read_acks, wait_until
from workload import Publisher, run


def two_of_three_down_and_back():
    with Cluster(3) as cluster:
        cluster.start()
        cluster.create("down")
        first = Publisher(cluster, "down", 1000, rate=2000, name="first")
        assert first.finish() == 0
        leader = cluster.leader("down")
        for node in cluster.nodes:
            if node is not leader:
                node.kill()
        # Nothing can be acknowledged now; every outcome is *not done* or *unknown*, in bounded time.
        second = Publisher(cluster, "down", 50, rate=500, name="second", extra=("--delivery-timeout", "3000"))
        code = second.finish(30)
        if code not in (1, 3, 4):
            raise Failure("exit code %d without a majority" % code)
        outcomes = {status for _, _, _, status in read_acks(second.acks_path)}
        if "ok" in outcomes:
            raise Failure("acknowledged without a majority")
        print("without a majority: %s, exit %d" % (", ".join(sorted(outcomes)), code))
        for node in cluster.nodes:
            if not node.alive():
                node.start()
        for node in cluster.nodes:
            cluster.serving(node)
        third = Publisher(cluster, "down", 1000, rate=2000, name="third")
        assert third.finish() == 0
        first.check()
        third.check()
        second.check(expect_all=False)


if __name__ == "__main__":
    run(two_of_three_down_and_back)
