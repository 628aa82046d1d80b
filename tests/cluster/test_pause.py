"""The leader is stopped with SIGSTOP and goes on later: it must not believe it still leads."""
from harness import Cluster, wait_until
from workload import Publisher, run


def paused_leader_steps_down():
    with Cluster(3) as cluster:
        cluster.start()
        cluster.create("pause")
        publisher = Publisher(cluster, "pause", 8000, rate=2000)
        publisher.wait_acked(1000)
        leader = cluster.leader("pause")
        leader.pause()
        others = ",".join(n.address for n in cluster.nodes if n is not leader)

        def moved():
            done = cluster.cli("topic", "describe", "pause", "--json", brokers=others)
            return done.returncode == 0 and '"leader": %d,' % leader.number not in done.stdout and \
                '"leader": 0,' not in done.stdout
        wait_until("another leader while %d is paused" % leader.number, moved, 20)
        before = publisher.acked()
        publisher.wait_acked(before + 500)
        leader.resume()
        code = publisher.finish()
        assert code == 0, "the publisher ended with %d" % code
        for node in cluster.nodes:
            cluster.serving(node)
            publisher.check(brokers=node.address)


if __name__ == "__main__":
    run(paused_leader_steps_down)
