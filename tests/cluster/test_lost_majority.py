"""Two of three nodes are lost for ever, with records that the third never had. It goes on alone with what it has, its
offsets far behind; a consumer of the lost records is told; new nodes take the lost ones' places, and all are equal."""
import json
import os
import shutil
import subprocess

from harness import BIN, Cluster, Failure, wait_until
from workload import run

JUMP = 1 << 32
PARTITIONS = 4


def expect(what, got, wanted):
    if got != wanted:
        raise Failure("%s: %r, not %r" % (what, got, wanted))


def publish(cluster, partition, first, count):
    """Messages m-PARTITION-NUMBER, acknowledged."""
    lines = "".join("m-%d-%d\n" % (partition, i) for i in range(first, first + count))
    cluster.cli("pub", "orders", "-p", str(partition), "--linger=0", input=lines, check=True)


def read(cluster, partition, *options, brokers=None):
    """Pairs of offset and message, and what was said."""
    done = cluster.cli("sub", "orders", "-p", str(partition), "-f", "%o %s\\n", *options, brokers=brokers)
    return [(int(o), m) for o, m in (line.split() for line in done.stdout.splitlines())], done


def recover(node, *options, code=0):
    done = subprocess.run([os.path.join(BIN, "logflumed"), "store", "recover", "--lost-majority", "--json", "-q", *options,
                           node.data], capture_output=True, text=True, timeout=60)
    if done.returncode != code:
        raise Failure("recover %s: exit %d: %s" % (options, done.returncode, done.stderr))
    return {g["name"]: g for g in map(json.loads, done.stdout.splitlines())}


def lose_a_majority(cluster):
    """Records 0..49 everywhere, 50..79 on nodes 2 and 3 only, and read by a consumer there. Then both are gone."""
    one, two, three = cluster.nodes
    for partition in range(PARTITIONS):
        publish(cluster, partition, 0, 50)
    for node in cluster.nodes:
        wait_until("node %d to have all" % node.number, lambda: all(
            len(read(cluster, p, "-o", "start", "-e", brokers=node.address)[0]) == 50 for p in range(PARTITIONS)), 20)
    one.kill()
    for partition in range(PARTITIONS):
        wait_until("a leader", lambda: cluster.describe("orders")[partition]["leader"] in (2, 3), 20)
        publish(cluster, partition, 50, 30)
        expect("read before the loss", len(read(cluster, partition, "-o", "start", "-e")[0]), 80)
    two.kill()
    three.kill()
    shutil.rmtree(two.data)
    os.rename(three.data, three.data + ".old")  # it must not come back; what if it does, below


def recover_what_is_left(cluster):
    one = cluster.node(1)
    seen = recover(one)
    expect("verdicts", [g["verdict"] for g in seen.values()], ["recover"] * (1 + PARTITIONS))
    expect("nothing done", any(g["done"] for g in seen.values()), False)
    ends = {}
    for partition in range(PARTITIONS):
        group = seen["orders/%d" % partition]
        ends[partition] = group["kept_offset"]
        expect("kept", group["kept_offset"], 50)
        expect("goes on at", group["next_offset"], 50 + JUMP)
        if not 0 <= group["committed_offset"] <= 50:
            raise Failure("committed: %r" % group)
    recover(one, "--execute")
    again = recover(one, "--execute")
    expect("a second run", [g["verdict"] for g in again.values()], ["alone"] * (1 + PARTITIONS))
    one.start()
    cluster.serving(one)
    expect("in use", recover(one, "--execute", code=8), {})


def consumers_see_it(cluster):
    one = cluster.node(1)
    for partition in range(PARTITIONS):
        publish(cluster, partition, 100, 20)
        wanted = [(i, "m-%d-%d" % (partition, i)) for i in range(50)] + \
                 [(50 + JUMP + i, "m-%d-%d" % (partition, 100 + i)) for i in range(20)]
        expect("from the start", read(cluster, partition, "-o", "start", "-e")[0], wanted)
        expect("from the last kept", read(cluster, partition, "-o", "49", "-e")[0], wanted[49:])
        expect("across the gap", read(cluster, partition, "-o", "50", "-e")[0], wanted[50:])
        expect("behind it", read(cluster, partition, "-o", str(50 + JUMP), "-e")[0], wanted[50:])
        expect("the last ones", read(cluster, partition, "-o", "-25", "-e")[0], wanted[45:])
        records, said = read(cluster, partition, "-o", "80", "-e")
        expect("beyond what is kept", records, [])
        if said.returncode == 0 or "lost with a majority" not in said.stderr or str(50 + JUMP) not in said.stderr:
            raise Failure("a lost position is answered with %d: %s" % (said.returncode, said.stderr))
        records, said = read(cluster, partition, "-o", "80", "-e", "--skip-dropped")
        expect("gone on by itself", records, wanted[50:])
        if "going on at %d" % (50 + JUMP) not in said.stderr:
            raise Failure("it goes on without a word: %s" % said.stderr)
    expect("node", one.alive(), True)


def others_take_their_places(cluster):
    for _ in range(2):
        cluster.join()
    for options in ((), ("--wait=60",)):  # all of them before any is waited for: one cannot be filled for another
        for lost in ("2", "3"):
            cluster.cli("cluster", "drain", lost, *options, timeout=90, check=True)
    for lost in ("2", "3"):
        cluster.cli("cluster", "remove", lost, timeout=60, check=True)
    wait_until("the cluster to be healthy", lambda: cluster.cli("cluster", "check").returncode == 0, 60)
    for partition in cluster.describe("orders"):
        expect("replicas", sorted(r if isinstance(r, int) else r["node"] for r in partition["replicas"]), [1, 4, 5])


def an_old_disk_counts_for_nothing(cluster):
    three = cluster.node(3)
    os.rename(three.data + ".old", three.data)
    three.start()
    wait_until("node 3 to end", lambda: not three.alive(), 30)
    expect("the code", three.process.returncode, 7)


def all_are_equal(cluster):
    for partition in range(PARTITIONS):
        publish(cluster, partition, 200, 10)
        wanted = read(cluster, partition, "-o", "start", "-e")[0]
        expect("records", len(wanted), 80)
        for number in (1, 4, 5):
            node = cluster.node(number)
            expect("node %d" % number, read(cluster, partition, "-o", "start", "-e", brokers=node.address)[0], wanted)
            records, said = read(cluster, partition, "-o", "60", "-e", brokers=node.address)
            if said.returncode == 0 or "lost with a majority" not in said.stderr:
                raise Failure("node %d does not know of the gap: %s" % (number, said.stderr))
    for number in (1, 4, 5):
        cluster.node(number).kill()
        done = subprocess.run([os.path.join(BIN, "logflumed"), "store", "verify", "-q", cluster.node(number).data],
                              capture_output=True, text=True, timeout=60)
        expect("verify of node %d: %s%s" % (number, done.stdout, done.stderr), done.returncode, 0)


def the_lost_come_back_empty():
    """Under their old ids: the partitions are moved to the one that is left, and back."""
    with Cluster(3) as cluster:
        cluster.start()
        cluster.create("orders", PARTITIONS, 3)
        lose_a_majority(cluster)
        recover_what_is_left(cluster)
        for partition in range(PARTITIONS):
            cluster.cli("partition", "move", "orders/%d" % partition, "--to", "1", "--wait=30", timeout=60, check=True)
        for number in (2, 3):
            node = cluster.node(number)
            cluster.cli("cluster", "remove", str(number), timeout=60, check=True)
            shutil.rmtree(node.data, ignore_errors=True)
            cluster.cli("cluster", "add", str(number), "--host", "127.0.0.1", "--client-port", str(node.client_port),
                        "--peer-port", str(node.peer_port), check=True)
            node.first_start = "--join"
            node.start()
            wait_until("node %d to join" % number, lambda: cluster.state(number) == "active", 30)
        for partition in range(PARTITIONS):
            cluster.cli("partition", "move", "orders/%d" % partition, "--to", "1,2,3", "--wait=60", timeout=90, check=True)
        wait_until("the cluster to be healthy", lambda: cluster.cli("cluster", "check").returncode == 0, 60)
        for partition in range(PARTITIONS):
            publish(cluster, partition, 100, 10)
            wanted = read(cluster, partition, "-o", "start", "-e")[0]
            expect("records", len(wanted), 60)
            for node in cluster.nodes:
                expect("node %d" % node.number,
                       read(cluster, partition, "-o", "start", "-e", brokers=node.address)[0], wanted)
        print("both lost nodes are back, empty, and filled", flush=True)


def new_nodes_take_their_places():
    with Cluster(3) as cluster:
        cluster.start()
        cluster.create("orders", PARTITIONS, 3)
        lose_a_majority(cluster)
        recover_what_is_left(cluster)
        consumers_see_it(cluster)
        others_take_their_places(cluster)
        an_old_disk_counts_for_nothing(cluster)
        all_are_equal(cluster)
        print("what one of three had went on: %d partitions, each a gap of 2^32" % PARTITIONS, flush=True)


def a_majority_is_lost():
    new_nodes_take_their_places()
    the_lost_come_back_empty()


if __name__ == "__main__":
    run(a_majority_is_lost)
