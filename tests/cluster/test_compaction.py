"""Key compaction on real brokers: what stays is the last record of each key, at its own offset, alike on all replicas;
readers get it without a seam, also after a restart."""
import json

from harness import Cluster, Failure, wait_until
from test_retention import same_everywhere
from workload import run

KEYS = 50


def publish(cluster, records):
    """Pairs of key and value."""
    lines = b"".join(b"%s:%s\n" % record for record in records)
    done = cluster.cli("pub", "t", "-p", "0", "-q", "-K", ":", input=lines, text=False, timeout=120)
    if done.returncode != 0:
        raise Failure("pub: %s" % done.stderr)


def read(cluster, brokers=None):
    done = cluster.cli("sub", "t", "-o", "start", "-e", "-f", "%o %k %s\\n", text=False, timeout=60, brokers=brokers)
    if done.returncode != 0:
        raise Failure("sub: %s" % done.stderr)
    rows = [line.split(b" ", 2) for line in done.stdout.split(b"\n")[:-1]]
    return [(int(offset), key, value) for offset, key, value in rows]


def value(key, number):
    return b"%d-%d-" % (key, number) + b"x" * 200


def compacted_logs_hold_the_last_of_each_key():
    rounds = 400
    with Cluster(3) as cluster:
        cluster.start()
        wait_until("topic created", lambda: cluster.cli(
            "topic", "create", "t", "--partitions", "1", "--replicas", "3", "--config", "cleanup.policy=compact",
            "--config", "segment.bytes=256KiB", "--config", "segment.ms=1s").returncode == 0, 30)
        wait_until("a leader", lambda: all(p["leader"] for p in cluster.describe("t")), 30)
        for start in range(0, rounds, 40):
            publish(cluster, [(b"%d" % key, value(key, number)) for number in range(start, start + 40) for key in range(KEYS)])
        total = rounds * KEYS
        last = {b"%d" % key: (total - KEYS + key, value(key, rounds - 1)) for key in range(KEYS)}

        def few():
            rows = read(cluster)
            offsets = [offset for offset, _, _ in rows]
            if offsets != sorted(set(offsets)):
                raise Failure("offsets do not rise: %r" % offsets[:20])
            for offset, key, bytes_ in rows:
                if bytes_ != value(int(key), offset // KEYS) or offset % KEYS != int(key):
                    raise Failure("at offset %d stands %r of key %r" % (offset, bytes_[:30], key))
            seen = {key: (offset, bytes_) for offset, key, bytes_ in rows}
            if seen != last:
                raise Failure("the last of a key is not what was published last")
            return len(rows) <= 4 * KEYS and len(rows)
        left = wait_until("few records to be left", few, 60)
        said = same_everywhere(cluster, "t")
        if not any(s["rewrites"] for s in said["segments"]):
            raise Failure("no segment says that it was rewritten: %s" % json.dumps(said))
        print("%d records of %d keys: %d left, %d segments" % (total, KEYS, left, len(said["segments"])))
        for node in cluster.nodes:
            node.kill()
        cluster.start()
        wait_until("a leader", lambda: all(p["leader"] for p in cluster.describe("t")), 30)
        few()
        publish(cluster, [(b"0", value(0, rounds))])
        if read(cluster)[-1][0] != total:
            raise Failure("the next record is not at the next offset")


if __name__ == "__main__":
    run(compacted_logs_hold_the_last_of_each_key)
