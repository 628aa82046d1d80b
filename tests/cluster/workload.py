"""A publisher that runs while a test does its worst, and the check of what it was told."""
import os
import random

from harness import Failure, check_history, read_acks, wait_until


class Publisher:
    """Publishes `count` different messages of `size` random bytes and `padding` equal ones to one partition at `rate` per
    second, in the background."""

    def __init__(self, cluster, topic, count, rate, size=100, seed=1, extra=(), partition=0, name="pub", padding=0):
        self.cluster, self.topic, self.count, self.partition = cluster, topic, count, partition
        generator = random.Random(seed)
        self.sent = [b"%s-%08d-" % (name.encode(), i) + bytes(generator.choices(b"abcdefghijklmnopqrstuvwxyz", k=size))
                     + b"." * padding for i in range(count)]
        self.input = os.path.join(cluster.directory, name + ".in")
        self.acks_path = os.path.join(cluster.directory, name + ".acks")
        with open(self.input, "wb") as out:
            out.write(b"\n".join(self.sent) + b"\n")
        self.log = open(os.path.join(cluster.directory, name + ".log"), "wb")
        self.process = cluster.popen("pub", topic, self.input, "-p", str(partition), "--rate", str(rate), "--acks",
                                     self.acks_path, *extra, stderr=self.log)

    def acked(self):
        try:
            with open(self.acks_path, "rb") as acks:
                return acks.read().count(b"\n")
        except FileNotFoundError:
            return 0

    def wait_acked(self, count, seconds=30):
        wait_until("%d acknowledgements" % count, lambda: self.acked() >= count or self.process.poll() is not None, seconds)

    def finish(self, seconds=120):
        """Waits for its end; returns its exit code."""
        code = self.process.wait(timeout=seconds)
        self.log.close()
        return code

    def check(self, expect_all=True, **kw):
        """Compares what was acknowledged with what every broker serves."""
        acks = read_acks(self.acks_path)
        if len(acks) != self.count:
            raise Failure("%d outcomes for %d messages" % (len(acks), self.count))
        if len({line for line, _, _, _ in acks}) != self.count:
            raise Failure("a message had two outcomes")
        if expect_all and any(status != "ok" for _, _, _, status in acks):
            raise Failure("not everything was acknowledged: %r" % [a for a in acks if a[3] != "ok"][:3])
        result = check_history(self.cluster, self.topic, self.sent, acks, self.partition, **kw)
        print("%s: %d acknowledged, %d read back" % (self.topic, result["acknowledged"], result["read"]), flush=True)
        return result


def run(test):
    """Runs a test function; exit code for ctest."""
    import sys
    import time
    begin = time.monotonic()
    try:
        test()
    except Failure as failure:
        print("FAILED %s: %s" % (test.__name__, failure), file=sys.stderr, flush=True)
        sys.exit(1)
    print("ok %s (%.1f s)" % (test.__name__, time.monotonic() - begin), flush=True)
