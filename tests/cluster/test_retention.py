"""A log that does not only grow: retention by bytes and by age, settings changed while it is written to, trims, and
readers that come too late or are too slow. Real brokers; what is dropped is dropped alike on all replicas, and space
comes back."""
import json
import os
import re
import signal
import subprocess

from harness import BIN, Cluster, Failure, wait_until
from workload import run

SIZE = 1000  # bytes of a message


def message(number):
    """Its number, and bytes that follow from it: garbage shows."""
    return b"%08d " % number + (b"%x" % (number * 2654435761 % 2**32) * 200)[:SIZE - 9]


def publish(cluster, topic, first, count):
    lines = b"\n".join(message(i) for i in range(first, first + count)) + b"\n"
    done = cluster.cli("pub", topic, "-p", "0", "-q", input=lines, text=False, timeout=120)
    if done.returncode != 0:
        raise Failure("pub: %s" % done.stderr)


def create(cluster, topic, *settings):
    words = [word for setting in settings for word in ("--config", setting)]
    wait_until("topic %s created" % topic, lambda: cluster.cli(
        "topic", "create", topic, "--partitions", "1", "--replicas", "3", *words).returncode == 0, 30)
    wait_until("a leader of %s" % topic, lambda: all(p["leader"] for p in cluster.describe(topic)), 30)


def segments(cluster, topic, node=None):
    words = ["--node", str(node)] if node else []
    done = cluster.cli("partition", "segments", topic + "/0", "--json", *words)
    return json.loads(done.stdout) if done.returncode == 0 else None


def same_everywhere(cluster, topic):
    """Waits until all replicas hold the same sealed segments and begin at the same offset; returns them."""
    def same():
        held = [segments(cluster, topic, n.number) for n in cluster.nodes if n.alive()]
        if not all(held):
            return None
        sealed = [[s for s in h["segments"] if not s["open"]] for h in held]
        starts = {h["log_start"] for h in held}
        return held[0] if len(starts) == 1 and all(s == sealed[0] for s in sealed) else None
    return wait_until("the same segments of %s on all replicas" % topic, same, 20)


def read(cluster, topic, *words):
    """(exit code, offsets, stderr) of a reader; every message is the one that was published at its offset."""
    done = cluster.cli("sub", topic, "-e", "-f", "%o %s\\n", *words, text=False, timeout=120)
    offsets = check(done.stdout)
    return done.returncode, offsets, done.stderr.decode()


def check(output):
    offsets = []
    for line in output.split(b"\n")[:-1]:
        offset, _, value = line.partition(b" ")
        if value != message(int(offset)):
            raise Failure("at offset %s stands %r" % (offset, value[:60]))
        offsets.append(int(offset))
    return offsets


def consecutive(offsets, first, end):
    if offsets != list(range(first, end)):
        raise Failure("read %d offsets, %s to %s; wanted %d to %d" % (len(offsets), offsets[:1], offsets[-1:], first, end))


def used_bytes(node):
    done = subprocess.run(["du", "-sB1", node.data], capture_output=True, text=True)
    return int(done.stdout.split()[0])


def retention_keeps_what_it_says_and_no_more():
    keep, segment = 4 << 20, 1 << 20  # a burst may make a segment somewhat larger
    with Cluster(3) as cluster:
        cluster.start()
        create(cluster, "by-bytes", "retention.bytes=%d" % keep, "segment.bytes=%d" % segment)
        count = 0
        for _ in range(16):
            publish(cluster, "by-bytes", count, 1000)
            count += 1000
        def small():
            said = segments(cluster, "by-bytes")
            size = sum(s["bytes"] for s in said["segments"])
            return said if size < keep + 3 * segment else None
        wait_until("the log to be what retention.bytes says", small, 20)
        said = same_everywhere(cluster, "by-bytes")
        size = sum(s["bytes"] for s in said["segments"])
        if size < keep:
            raise Failure("only %d bytes are left of %d to be kept" % (size, keep))
        code, offsets, _ = read(cluster, "by-bytes", "-o", "start")
        consecutive(offsets, said["log_start"], count)
        code, offsets, words = read(cluster, "by-bytes", "-o", "0")
        if code != 1 or offsets or "the first offset that exists is %d" % said["log_start"] not in words:
            raise Failure("a late reader is told (exit %d): %s" % (code, words))
        code, offsets, words = read(cluster, "by-bytes", "-o", "0", "--skip-dropped")
        consecutive(offsets, said["log_start"], count)
        if "offsets 0 to %d were dropped" % (said["log_start"] - 1) not in words:
            raise Failure("a late reader that goes on is told: %s" % words)
        print("by bytes: %d messages, %d kept in %d segments" % (count, count - said["log_start"], len(said["segments"])))

        create(cluster, "by-age", "retention.ms=3s", "segment.ms=1s")
        publish(cluster, "by-age", 0, 500)
        wait_until("all of it to be too old", lambda: segments(cluster, "by-age")["log_start"] == 500, 30)
        publish(cluster, "by-age", 500, 10)
        code, offsets, _ = read(cluster, "by-age", "-o", "start")
        if offsets and (offsets[-1] != 509 or offsets[0] < 500):
            raise Failure("after the drop there is %r" % offsets)


def settings_change_at_run_time_and_space_comes_back():
    with Cluster(3) as cluster:
        cluster.start()
        create(cluster, "t", "segment.bytes=1MiB")
        for i in range(8):
            publish(cluster, "t", i * 10000, 10000)
        before = [used_bytes(n) for n in cluster.nodes]
        if segments(cluster, "t")["log_start"] != 0:
            raise Failure("something was dropped without retention")
        cluster.cli("topic", "alter", "t", "retention.bytes=2MiB", check=True)
        wait_until("old segments to go", lambda: segments(cluster, "t")["log_start"] > 70000, 20)
        said = same_everywhere(cluster, "t")
        wait_until("the space to come back", lambda: all(
            used_bytes(n) < b - 40000000 for n, b in zip(cluster.nodes, before)), 30)
        print("disk use: %s before, %s after" % (before, [used_bytes(n) for n in cluster.nodes]))
        consecutive(read(cluster, "t", "-o", "start")[1], said["log_start"], 80000)

        cluster.cli("topic", "alter", "t", "--reset", "retention.bytes", check=True)
        start = segments(cluster, "t")["log_start"]
        publish(cluster, "t", 80000, 5000)
        killed = cluster.leader("t")
        killed.kill()
        publish(cluster, "t", 85000, 5000)
        if segments(cluster, "t")["log_start"] != start:
            raise Failure("something was dropped after the reset")
        killed.start()
        cluster.serving(killed)
        same_everywhere(cluster, "t")
        cluster.cli("topic", "alter", "t", "retention.bytes=1MiB", check=True)
        wait_until("the next leader to drop", lambda: segments(cluster, "t")["log_start"] > 84000, 20)
        said = same_everywhere(cluster, "t")
        consecutive(read(cluster, "t", "-o", "start")[1], said["log_start"], 90000)


def a_replica_that_was_away_while_its_log_was_dropped_comes_back():
    with Cluster(3) as cluster:
        cluster.start()
        create(cluster, "t", "segment.bytes=1MiB")
        publish(cluster, "t", 0, 10000)
        leader = cluster.leader("t")
        away = next(node for node in cluster.nodes if node is not leader)
        away.kill()
        publish(cluster, "t", 10000, 20000)
        cluster.cli("topic", "alter", "t", "retention.bytes=2MiB", check=True)
        wait_until("what the absent one lacks to go", lambda: segments(cluster, "t")["log_start"] > 20000, 30)
        away.start()
        cluster.serving(away)
        said = same_everywhere(cluster, "t")
        consecutive(read(cluster, "t", "-o", "start")[1], said["log_start"], 30000)


def a_trim_is_for_ever_on_all_replicas():
    with Cluster(3) as cluster:
        cluster.start()
        create(cluster, "t")
        publish(cluster, "t", 0, 3000)
        publish(cluster, "t", 3000, 2000)
        times = [int(t) for t in cluster.cli("sub", "t", "-o", "2999", "-c", "2", "-f", "%T ", check=True).stdout.split()]
        if times[0] >= times[1]:
            raise Failure("two publishers one after the other wrote at the same time: %r" % times)
        dry = cluster.cli("topic", "trim", "t/0", "--before", "1000", check=True)
        if "Nothing was changed" not in dry.stderr or read(cluster, "t", "-o", "start")[1][0] != 0:
            raise Failure("a dry run changed something: %s" % dry.stderr)
        cluster.cli("topic", "trim", "t/0", "--before", "1000", "--execute", check=True)
        consecutive(read(cluster, "t", "-o", "start")[1], 1000, 5000)
        cluster.cli("topic", "trim", "t/0", "--before", "@%d" % times[1], "--execute", check=True)
        consecutive(read(cluster, "t", "-o", "start")[1], 3000, 5000)
        if cluster.cli("topic", "trim", "t/0", "--before", "5001", "--execute").returncode != 1:
            raise Failure("a trim beyond the end was taken")
        for node in cluster.nodes:
            node.kill()
        cluster.start()
        wait_until("a leader", lambda: all(p["leader"] for p in cluster.describe("t")), 30)
        same_everywhere(cluster, "t")
        consecutive(read(cluster, "t", "-o", "start")[1], 3000, 5000)
        cluster.cli("topic", "trim", "t/0", "--before", "end", "--execute", check=True)
        wait_until("all records to be gone from the disks", lambda: all(
            sum(s["bytes"] - s["command_bytes"] for s in segments(cluster, "t", n.number)["segments"]) == 0
            for n in cluster.nodes), 10)
        publish(cluster, "t", 5000, 10)
        consecutive(read(cluster, "t", "-o", "start")[1], 5000, 5010)


class SlowReader:
    """Reads nothing of what its `logflume sub` prints until it is told to."""

    def __init__(self, cluster, topic, *words):
        env = dict(os.environ, LOGFLUME_BROKERS=cluster.brokers)
        self.errors = open(os.path.join(cluster.directory, "slow.log"), "w+b")
        self.process = subprocess.Popen([os.path.join(BIN, "logflume"), "sub", topic, "-o", "start", "-f", "%o %s\\n", *words],
                                        stdout=subprocess.PIPE, stderr=self.errors, env=env)
        self.head = self.process.stdout.readline()  # it has begun

    def read_to(self, last):
        """All it prints up to this offset, or to its end."""
        lines = [self.head]
        while not lines[-1].startswith(b"%d " % last):
            line = self.process.stdout.readline()
            if not line:
                break
            lines.append(line)
        return check(b"".join(lines))

    def end(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.stdout.close()
        code = self.process.wait(20)
        self.errors.seek(0)
        return code, self.errors.read().decode()


def a_slow_reader_that_is_overtaken_is_told():
    count = 40000  # more than a client takes in advance, and what pipes hold
    with Cluster(3) as cluster:
        cluster.start()
        create(cluster, "t", "segment.bytes=1MiB")
        publish(cluster, "t", 0, count)
        told, goes_on = SlowReader(cluster, "t"), SlowReader(cluster, "t", "--skip-dropped")
        cluster.cli("topic", "trim", "t/0", "--before", str(count - 100), "--execute", check=True)
        publish(cluster, "t", count, 10)

        offsets = told.read_to(count + 9)
        code, words = told.end()
        if offsets != list(range(len(offsets))) or offsets[-1] >= count - 100:
            raise Failure("the reader got %d offsets up to %d" % (len(offsets), offsets[-1]))
        expected = "offset %d is below the log start: the first offset that exists is %d" % (len(offsets), count - 100)
        if code != 1 or expected not in words or "-o %d` begins there" % (count - 100) not in words:
            raise Failure("an overtaken reader is told (exit %d): %s" % (code, words))

        offsets = goes_on.read_to(count + 9)
        code, words = goes_on.end()
        found = re.search(r"offsets (\d+) to (\d+) were dropped before they were read; going on at (\d+)", words)
        if not found:
            raise Failure("an overtaken reader that goes on is told: %s" % words)
        first, last, start = map(int, found.groups())
        if start != count - 100 or last != start - 1:
            raise Failure("it was told: %s" % words)
        consecutive(offsets[:first], 0, first)
        consecutive(offsets[first:], start, count + 10)
        print("overtaken at %d, went on at %d" % (first, start))


if __name__ == "__main__":
    run(retention_keeps_what_it_says_and_no_more)
    run(settings_change_at_run_time_and_space_comes_back)
    run(a_replica_that_was_away_while_its_log_was_dropped_comes_back)
    run(a_trim_is_for_ever_on_all_replicas)
    run(a_slow_reader_that_is_overtaken_is_told)
