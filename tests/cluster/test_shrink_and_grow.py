"""A cluster of five shrinks to one and grows again, under load, while brokers are killed, paused and restarted.

    test_shrink_and_grow.py [SEED [unreliable]]

Every node that was removed is stopped as soon as the removal is answered, some at once and hard: who is left must do without
it, down to the last one. No publish fails, and everything is there once and in order.
"""
import random
import signal
import sys
import time

from harness import Cluster, Failure, wait_until
from test_membership import PARTITIONS, Load, Outcomes
from workload import run

TOPIC = "members"


class Shrinking(Cluster):
    """Its commands go to the brokers that are meant to run."""

    @property
    def brokers(self):
        return ",".join(n.address for n in self.nodes if n.process is not None)


def hurt(generator, nodes):
    if len(nodes) < 3:
        return
    node = generator.choice(nodes)
    how = generator.choice(["pause", "kill", "stop"])
    if how == "pause":
        node.pause()
        time.sleep(generator.uniform(0.2, 1.5))  # not for something to happen: it is away this long
        node.resume()
        return
    node.kill(signal.SIGKILL if how == "kill" else signal.SIGTERM)
    node.start()


def spread(cluster, generator, nodes):
    """Every partition goes to at most three of these."""
    for partition in range(PARTITIONS):
        to = generator.sample([n.number for n in nodes], min(3, len(nodes)))
        cluster.cli("partition", "move", "%s/%d" % (TOPIC, partition), "--to", ",".join(map(str, to)), check=True)


def healthy(cluster):
    wait_until("the cluster to be healthy", lambda: cluster.cli("cluster", "check").returncode == 0, 60)


def leave(cluster, load, generator, node, staying):
    load.step("node %d leaves" % node.number)
    if len(staying) < 3:
        spread(cluster, generator, staying)
    drain = cluster.popen("cluster", "drain", str(node.number), "--wait=60", "-q")
    hurt(generator, [*staying, node])
    if drain.wait(timeout=90) != 0:
        raise Failure("drain %d: exit %d" % (node.number, drain.returncode))
    # Refused while the other voters have not caught up after what was done to them.
    wait_until("node %d to be removed" % node.number,
               lambda: cluster.cli("cluster", "remove", str(node.number)).returncode == 0, 40)
    node.kill(generator.choice([signal.SIGKILL, signal.SIGTERM]))
    healthy(cluster)


def shrink_and_grow(seed, unreliable):
    generator = random.Random(seed)
    environment = {"LOGFLUME_UNRELIABLE_RPC": "seed=%d,delay=0.1,hold=0.01,drop=0.02,duplicate=0.02,reorder=0.02" % seed}
    with Shrinking(5, environment=environment if unreliable else None) as cluster:
        cluster.start()
        cluster.create(TOPIC, PARTITIONS, 3)
        load = Load(cluster, TOPIC, 1000, cluster.brokers)
        staying = list(cluster.nodes)
        while len(staying) > 1:
            node = generator.choice(staying)
            staying.remove(node)
            leave(cluster, load, generator, node, staying)
        for _ in range(2):
            load.step("node %d joins" % (len(cluster.nodes) + 1))
            staying.append(cluster.join())
            spread(cluster, generator, staying)
            hurt(generator, staying)
        load.step("rest")
        healthy(cluster)
        wait_until("every move to be done", lambda: all(
            "wanted_epoch" in p and p["wanted_epoch"] == p["assignment_epoch"] for p in cluster.describe(TOPIC)), 60)
        load.stop()
        outcomes = Outcomes(load)
        for node in staying:
            outcomes.check(cluster, TOPIC, node)
        print("seed %d: %d messages, all there once and in order; longest gap %d ms"
              % (seed, outcomes.count, max((ms for ms, _ in outcomes.gaps.values()), default=0)), flush=True)


def shrink_and_grow_of_the_command_line():
    shrink_and_grow(int(sys.argv[1]) if len(sys.argv) > 1 else 1, len(sys.argv) > 2)


if __name__ == "__main__":
    run(shrink_and_grow_of_the_command_line)
