"""A topic that keeps little is published to far beyond that, its brokers killed in between: what is kept is what it should
be, equal on all replicas; a reader hears where the log starts now; a trim takes the rest."""
import json
import os

from harness import Cluster, Failure, wait_until
from workload import run

KEPT = 2 << 20
SEGMENT = 256 << 10
BATCH = 1152 << 10  # a segment can be so much larger
MESSAGES = 30000


def segments(cluster, node):
    done = cluster.cli("partition", "segments", "kept/0", "--node", str(node.number), "--json", check=True)
    return json.loads(done.stdout)


def described(cluster):
    return cluster.describe("kept")[0]


def publish(cluster, first, count):
    path = os.path.join(cluster.directory, "in")
    with open(path, "wb") as out:
        for i in range(first, first + count):
            out.write(b"%08d-" % i + b"x" * 300 + b"\n")
    cluster.cli("pub", "kept", path, check=True, timeout=120)


def read_all(cluster, *extra):
    return cluster.cli("sub", "kept", "-o", "start", "-e", "-f", "%o %s\\n", *extra, timeout=120)


def check_read(cluster, end):
    start = described(cluster)["log_start"]
    done = read_all(cluster)
    if done.returncode != 0:
        raise Failure("sub: %s" % done.stderr)
    rows = [line.split(" ") for line in done.stdout.splitlines()]
    offsets = [int(offset) for offset, _ in rows]
    if not offsets or offsets[0] < start or offsets != list(range(offsets[0], end)):
        raise Failure("read %s ... %s, the log is %d to %d" % (offsets[:1], offsets[-1:], start, end))
    if any(int(value[:8]) != int(offset) for offset, value in rows):
        raise Failure("a message stands at another offset than it was published to")


def kept_bytes(cluster, node):
    listed = segments(cluster, node)
    return sum(int(s["bytes"]) for s in listed["segments"])


def wait_equal(cluster):
    def equal():
        lists = [segments(cluster, node)["segments"] for node in cluster.nodes]
        sealed = [[s for s in one if not s.get("open")] for one in lists]
        return sealed[0] == sealed[1] == sealed[2]
    wait_until("equal segments on all replicas", equal, 30)


def retention():
    with Cluster(3) as cluster:
        cluster.start()
        wait_until("the topic", lambda: cluster.cli(
            "topic", "create", "kept", "--config", "retention.bytes=%d" % KEPT, "--config",
            "segment.bytes=%d" % SEGMENT).returncode == 0, 30)
        end = 0
        for round in range(3):
            publish(cluster, end, MESSAGES)
            end += MESSAGES
            wait_until("the log to start later",
                       lambda: kept_bytes(cluster, cluster.leader("kept")) < KEPT + 2 * (SEGMENT + BATCH), 30)
            assert described(cluster)["log_start"] > 0
            check_read(cluster, end)
            for node in cluster.nodes if round == 1 else [cluster.leader("kept")]:
                node.kill()
            cluster.start()
            for node in cluster.nodes:
                cluster.serving(node)
        wait_equal(cluster)
        check_read(cluster, end)
        below = cluster.cli("sub", "kept", "-p", "0", "-o", "0", "-e")
        if below.returncode == 0 or str(described(cluster)["log_start"]) not in below.stderr:
            raise Failure("a reader from 0: exit %d: %s" % (below.returncode, below.stderr))
        cluster.cli("topic", "trim", "kept/0", "--before", "end", "--execute", check=True)
        assert described(cluster)["log_start"] == end
        for node in cluster.nodes:
            wait_until("nothing kept", lambda: kept_bytes(cluster, node) < 100000, 30)
        publish(cluster, end, 10)
        check_read(cluster, end + 10)


if __name__ == "__main__":
    run(retention)
