"""Partitions move, leaders are transferred and nodes are drained while brokers are killed at random, under load.

    test_moves_and_kills.py [SECONDS [SEED [unreliable]]]

Whatever was acknowledged is there once, in order, on every node; no command is refused; in the end every move is done and
the cluster is healthy.
"""
import random
import sys
import time

from harness import Cluster, Failure, wait_until
from test_membership import PARTITIONS, Load, Outcomes
from workload import run

TOPIC = "members"


def kill(cluster, generator):
    node = generator.choice(cluster.nodes)
    node.kill()
    wait_until("a leader without node %d" % node.number, lambda: cluster.status() and cluster.status()["controller"], 20)
    node.start()
    wait_until("node %d to answer" % node.number, lambda: cluster.status(node) is not None, 20)
    return []


def move(cluster, generator):
    to = generator.sample([n.number for n in cluster.nodes], 3)
    wait = ["--wait=5"] if generator.random() < 0.5 else []
    return [cluster.cli("partition", "move", "%s/%d" % (TOPIC, generator.randrange(PARTITIONS)), "--to",
                        ",".join(map(str, to)), *wait)]


def transfer(cluster, generator):
    which = generator.randrange(-2, PARTITIONS)
    return [cluster.cli("cluster", "transfer", "--metadata" if which < 0 else "%s/%d" % (TOPIC, which))]


def drain(cluster, generator):
    number = str(generator.choice(cluster.nodes).number)
    return [cluster.cli("cluster", "drain", number, "--wait=5"), cluster.cli("cluster", "drain", number, "--stop")]


def all_moved(cluster):
    partitions = cluster.describe(TOPIC)
    return all("wanted_epoch" in p and p["wanted_epoch"] == p["assignment_epoch"] for p in partitions)


def moves_and_kills(seconds, seed, unreliable):
    generator = random.Random(seed)
    environment = {"LOGFLUME_UNRELIABLE_RPC": "seed=%d,delay=0.1,hold=0.01,drop=0.02,duplicate=0.02,reorder=0.02" % seed}
    with Cluster(3, environment=environment if unreliable else None) as cluster:
        cluster.start()
        cluster.create(TOPIC, PARTITIONS, 3)
        load = Load(cluster, TOPIC, 2000, cluster.brokers)
        cluster.join()
        cluster.join()
        end = time.monotonic() + seconds
        done = {}
        while time.monotonic() < end:
            action = generator.choice([kill, move, move, transfer, drain])
            load.running()
            for command in action(cluster, generator):
                if command.returncode not in (0, 4):  # 4: not done yet, it goes on
                    raise Failure("%s: exit %d: %s" % (action.__name__, command.returncode, command.stderr))
            done[action.__name__] = done.get(action.__name__, 0) + 1
        wait_until("the cluster to be healthy", lambda: cluster.cli("cluster", "check").returncode == 0, 60)
        wait_until("every move to be done", lambda: all_moved(cluster), 60)
        load.stop()
        outcomes = Outcomes(load)
        for node in cluster.nodes:
            outcomes.check(cluster, TOPIC, node)
        print("seed %d: %s; %d messages, all there once and in order; longest gap %d ms"
              % (seed, done, outcomes.count, max((ms for ms, _ in outcomes.gaps.values()), default=0)), flush=True)


def moves_and_kills_of_the_command_line():
    arguments = sys.argv[1:]
    moves_and_kills(int(arguments[0]) if arguments else 15, int(arguments[1]) if len(arguments) > 1 else 1,
                    len(arguments) > 2)


if __name__ == "__main__":
    run(moves_and_kills_of_the_command_line)
