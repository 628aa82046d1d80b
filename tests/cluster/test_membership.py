"""The whole cluster is replaced, moved about and restarted under a publish load, and clients do not notice.

    test_membership.py [--full]

Three nodes; a publisher that knows only two of them, the ones that will be removed. Two nodes are added, every partition
is moved, leadership is transferred 20 times, the two nodes are drained, removed and stopped, and all that are left are
restarted one by one. No publish may fail; every acknowledged message is there once, in order, at its offset, on every
node; the longest time in which a partition acknowledged nothing is printed for each step.

--full: at half the maximum rate, which is measured first, and no gap above 1 s.
"""
import array
import os
import random
import signal
import subprocess
import sys
import time

from harness import BIN, Cluster, Failure, wait_until
from workload import run

PARTITIONS = 6
FILLER = "." * 80
GAP_MS_MAX = {"short": 5000, "full": 1000}  # the short form runs beside other things


class Load:
    """Messages 1, 2, 3, ... spread over all partitions by key, at `rate` per second, until stop()."""

    def __init__(self, cluster, topic, rate, brokers, name="load", seconds=None):
        self.cluster, self.topic = cluster, topic
        self.acks = os.path.join(cluster.directory, name + ".acks")
        self.log = os.path.join(cluster.directory, name + ".log")
        self.steps = []
        limit = 1000000000 if seconds is None else int(rate * seconds)
        self.numbers = subprocess.Popen(["seq", "-f", "%012.0f:" + FILLER, "1", str(limit)], stdout=subprocess.PIPE)
        pace = ["--rate", str(rate)] if rate else []
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [os.path.join(BIN, "logflume"), "pub", topic, "-K", ":", "--acks", self.acks, "-b", brokers, *pace],
                stdin=self.numbers.stdout, stderr=log)
        self.numbers.stdout.close()
        wait_until("the first acknowledgement", lambda: self.running() and os.path.exists(self.acks)
                   and os.path.getsize(self.acks) > 0, 30)
        # The times in the file count from the start of publishing; the clock here, from its newest line.
        self.clock = time.monotonic() - self.last_ms() / 1000.0

    def running(self):
        if self.process.poll() is not None:
            raise Failure("the publisher ended with %d: %s" % (self.process.returncode, self.words()))
        return True

    def words(self):
        with open(self.log, errors="replace") as log:
            return log.read()[-600:].strip()

    def last_ms(self):
        def look():
            with open(self.acks, "rb") as acks:
                acks.seek(max(0, os.path.getsize(self.acks) - 4096))
                lines = acks.read().split(b"\n")
            return int(lines[-2].split()[4]) if len(lines) > 1 and len(lines[-2].split()) == 5 else None
        return wait_until("a whole line of acknowledgements", look, 10)

    def step(self, name):
        self.running()
        self.steps.append(((time.monotonic() - self.clock) * 1000, name))
        print("%7.1f s  %s" % (time.monotonic() - self.clock, name), flush=True)

    def stop(self, seconds=60):
        self.steps.append(((time.monotonic() - self.clock) * 1000, "the end"))
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        code = self.process.wait(timeout=seconds)
        self.numbers.kill()
        self.numbers.wait()
        if code != 0:
            raise Failure("the publisher ended with %d: %s" % (code, self.words()))
        print(self.words().splitlines()[-1], flush=True)


class Outcomes:
    """What the publisher was told, read once: for each partition the message at each offset; and the longest gaps."""

    def __init__(self, load):
        self.at = [array.array("Q") for _ in range(PARTITIONS)]
        self.count = 0
        self.gaps = {}  # step -> (ms, partition)
        last = [None] * PARTITIONS
        with open(load.acks) as acks:
            for line in acks:
                number, partition, offset, outcome, ms = line.split()
                number, partition, offset, ms = int(number), int(partition), int(offset), int(ms)
                if outcome != "ok":
                    raise Failure("message %d: %s" % (number, outcome))
                numbers = self.at[partition]
                if offset < 0:
                    raise Failure("message %d: acknowledged without its offset" % number)
                if offset != len(numbers):
                    raise Failure("partition %d: message %d is at offset %d, expected %d: lost, doubled or out of order"
                                  % (partition, number, offset, len(numbers)))
                if numbers and number <= numbers[-1]:
                    raise Failure("partition %d: message %d comes after %d" % (partition, number, numbers[-1]))
                numbers.append(number)
                self.count += 1
                if last[partition] is not None:
                    self.gap(load, last[partition], ms, partition)
                last[partition] = ms
        if sorted(n for numbers in self.at for n in numbers)[-1] != self.count:
            raise Failure("%d outcomes, but not of the first %d messages" % (self.count, self.count))

    def gap(self, load, begin, end, partition):
        if end - begin <= 50:
            return
        name = "before"
        for at, step in load.steps:  # the step in which it began
            if at <= begin + 1:
                name = step
        if end - begin > self.gaps.get(name, (0, 0))[0]:
            self.gaps[name] = (end - begin, partition)

    def check(self, cluster, topic, node):
        """Every partition, as this broker serves it, is exactly what was acknowledged."""
        for partition, numbers in enumerate(self.at):
            reader = subprocess.Popen([os.path.join(BIN, "logflume"), "sub", topic, "-p", str(partition), "-o", "start",
                                       "-e", "-f", "%o %k %s\\n", "-b", node.address], stdout=subprocess.PIPE, text=True)
            offset = 0
            for line in reader.stdout:
                if offset >= len(numbers) or line != "%d %012d %s\n" % (offset, numbers[offset], FILLER):
                    reader.kill()
                    raise Failure("partition %d on node %d: unexpected at %d: %s" % (partition, node.number, offset, line))
                offset += 1
            if reader.wait(timeout=120) != 0 or offset != len(numbers):
                raise Failure("partition %d on node %d: %d of %d messages" % (partition, node.number, offset, len(numbers)))


def maximum_rate(cluster):
    cluster.create("calibration", PARTITIONS, 3)
    load = Load(cluster, "calibration", None, cluster.brokers, "calibration")
    time.sleep(5)  # not for something to happen: this long is measured
    load.stop()
    rate = float(load.words().rsplit(" ", 2)[-2])
    cluster.cli("topic", "delete", "calibration", check=True)
    print("maximum: %.0f messages/s" % rate, flush=True)
    return rate


def add_nodes(cluster, load):
    for _ in range(2):
        load.step("add node %d" % (len(cluster.nodes) + 1))
        cluster.join()


def move_all(cluster, load, generator):
    nodes = [n.number for n in cluster.nodes]
    for partition in range(PARTITIONS):
        to = generator.sample(nodes, 3)
        load.step("move %d to %s" % (partition, to))
        cluster.cli("partition", "move", "members/%d" % partition, "--to", ",".join(map(str, to)), "--wait=60", timeout=90,
                    check=True)


def transfer(cluster, load, generator, times=20):
    load.step("transfer leadership %d times" % times)
    for i in range(times):
        which = generator.randrange(-1, PARTITIONS)
        if which < 0:
            cluster.cli("cluster", "transfer", "--metadata", check=True)
            continue
        partition = cluster.describe("members")[which]
        target = generator.choice([n for n in partition["replicas"] if n != partition["leader"]])
        cluster.cli("cluster", "transfer", "members/%d" % which, "--to", str(target), check=True)


def remove(cluster, load, node):
    load.step("drain node %d" % node.number)
    cluster.cli("cluster", "drain", str(node.number), "--wait=90", timeout=120, check=True)
    load.step("remove node %d" % node.number)
    cluster.cli("cluster", "remove", str(node.number), check=True)
    node.kill(signal.SIGTERM)


def may_stop(cluster, node):
    return cluster.cli("cluster", "check", "--without", str(node.number)).returncode == 0


def restart(cluster, load, node):
    wait_until("it is safe to stop node %d" % node.number, lambda: may_stop(cluster, node), 60)
    load.step("restart node %d" % node.number)
    code = node.kill(signal.SIGTERM)
    if code != 0:
        raise Failure("node %d ended with %s" % (node.number, code))
    node.start()
    cluster.serving(node, 30)


def membership(full):
    generator = random.Random(3)
    with Cluster(3) as cluster:
        cluster.start()
        rate = int(maximum_rate(cluster) / 2) if full else 2000
        cluster.create("members", PARTITIONS, 3)
        leaving = [cluster.node(1), cluster.node(2)]
        load = Load(cluster, "members", rate, ",".join(n.address for n in leaving))
        add_nodes(cluster, load)
        move_all(cluster, load, generator)
        transfer(cluster, load, generator)
        for node in leaving:
            remove(cluster, load, node)
        staying = [n for n in cluster.nodes if n not in leaving]
        for node in staying:
            restart(cluster, load, node)
        load.step("rest")
        wait_until("the cluster to be healthy", lambda: cluster.cli("cluster", "check").returncode == 0, 60)
        load.stop()
        outcomes = Outcomes(load)
        for node in staying:
            outcomes.check(cluster, "members", node)
        for name, (ms, partition) in sorted(outcomes.gaps.items(), key=lambda item: -item[1][0])[:8]:
            print("gap %5d ms in partition %d: %s" % (ms, partition, name), flush=True)
        longest = max([ms for ms, _ in outcomes.gaps.values()], default=50)
        print("%d messages acknowledged at %d/s, all there once and in order on %d nodes; longest gap without an "
              "acknowledgement %d ms" % (outcomes.count, rate, len(staying), longest), flush=True)
        limit = GAP_MS_MAX["full" if full else "short"]
        if longest > limit:
            raise Failure("a gap of %d ms is above %d ms" % (longest, limit))


def short_form():
    membership(False)


def full_form():
    membership(True)


if __name__ == "__main__":
    run(full_form if "--full" in sys.argv[1:] else short_form)
