"""Power goes on all three nodes at once, under load, again and again: nothing acknowledged is lost, every node starts.

The disk shim (tests/support) keeps what was synced; a cut is kill -9 and then the synced image with a random part of
the rest.
"""
import os
import subprocess
import sys

from harness import BIN, Cluster, Failure, check_history, read_acks, wait_until
from workload import Publisher, run


def shim():
    for place in (os.path.join(os.path.dirname(BIN), "lib"), BIN):
        path = os.path.join(place, "disk_shim.so")
        if os.path.exists(path):
            return path
    raise Failure("disk_shim.so is not built")


def environment_of(node):
    return {"LD_PRELOAD": shim(), "DISK_SHIM_ROOT": node.data, "DISK_SHIM_STATE": node.data + ".shim"}


def cut(node, seed):
    done = subprocess.run([os.path.join(BIN, "disk_cut"), node.data + ".shim", str(seed)], capture_output=True, text=True)
    if done.returncode != 0:
        raise Failure("disk_cut: %s" % done.stderr)
    return done.stdout.strip()


def power_cuts_of_all_nodes_lose_nothing(rounds=3, seed=1, environment=None):
    with Cluster(3, environment=environment) as cluster:
        for node in cluster.nodes:
            os.makedirs(node.data)
            node.start(environment=environment_of(node))
        cluster.create("power")
        sent, acks = [], []
        for i in range(rounds):
            # A client of its own per round: what it was not told yet when the power goes is of unknown outcome.
            publisher = Publisher(cluster, "power", 20000, rate=4000, seed=seed * 1000 + i, name="round%d" % i,
                                  extra=("--delivery-timeout", "30000"))
            publisher.wait_acked(500 + (i * 777) % 2500, 60)
            for node in cluster.nodes:
                node.process.kill()
            for node in cluster.nodes:
                node.kill()
            publisher.process.kill()
            publisher.process.wait()
            told = read_acks(publisher.acks_path)
            sent.append(publisher)
            acks.append(told)
            for node in cluster.nodes:
                words = cut(node, seed * 100000 + i * 10 + node.number)
            for node in cluster.nodes:
                node.start(environment=environment_of(node))
            for node in cluster.nodes:
                cluster.serving(node, 30)
            print("cut %d: %d acknowledged before it; %s" % (i + 1, len(told), words), flush=True)
        for node in cluster.nodes:
            for publisher, told in zip(sent, acks):
                check_history(cluster, "power", publisher.sent, told, brokers=node.address)
        print("%d power cuts of all nodes, %d acknowledged messages, none lost" % (rounds, sum(map(len, acks))))


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    start = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    run(lambda: power_cuts_of_all_nodes_lose_nothing(count, start))
