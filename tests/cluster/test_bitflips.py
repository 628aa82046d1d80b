"""Bits that turn over on disk: never wrong bytes, never an acknowledged record lost, never silent.

    test_bitflips.py [ROUNDS [SEED [MEGABYTES]]]

Three nodes with store.replace=auto hold a topic that is known byte for byte, while others publish. In each round a node is
killed, three bits of one file of a named kind are flipped, and it is started again; then everything is read from it. What may
come of it:

    harmless              nothing is wrong with what it holds: it serves what was published, and an offline check of its
                          store, every entry, finds nothing
    repaired in place     a segment was made anew from another node's entries
    refused and replaced  it said which file or entry is damaged, and came back with a new store, filled by the others

Anything else fails: other bytes, an end without words, damage that only the offline check finds. 700 rounds with 100 MB are
the full form (about an hour on two free cores); a few rounds with little data are a test.
"""
import glob
import hashlib
import os
import random
import re
import shutil
import struct
import subprocess
import sys
import time
import urllib.request

import zmq

from harness import BIN, Cluster, Failure, wait_until
from protocol_client import OK, Session, Wrong, expect, pb
from test_membership import PARTITIONS, Load, Outcomes
from workload import run

KINDS = ("wal", "manifest", "current", "table", "segment", "witness")
FLIPS = 3
STILL_PARTITIONS = 4
CREDIT = 8 << 20
OUTCOMES = ("harmless", "repaired in place", "refused and replaced")
CONFIG = "store:\n  replace: auto\n  scrub_bytes_per_s: 1 GiB\n"


def family_of(path):
    """By the properties at the end of the table: which column family RocksDB wrote it for. Segments are written outside."""
    with open(path, "rb") as file:
        file.seek(max(0, os.path.getsize(path) - 4096))
        tail = file.read()
    found = re.search(rb"name(default|active)", tail)  # keys there share their beginnings
    return found.group(1).decode() if found else "segments"


def files_of(kind, store):
    named = {"wal": "*.log", "manifest": "MANIFEST-*", "current": "CURRENT", "witness": "WITNESS"}
    if kind in named:
        return [p for p in glob.glob(os.path.join(store, named[kind])) if os.path.getsize(p) > 0]
    return [p for p in glob.glob(os.path.join(store, "*.sst")) if (family_of(p) == "segments") == (kind == "segment")]


def flip(path, generator):
    with open(path, "r+b") as file:
        for _ in range(FLIPS):
            at = generator.randrange(os.path.getsize(path))
            file.seek(at)
            byte = file.read(1)[0]
            file.seek(at)
            file.write(bytes([byte ^ (1 << generator.randrange(8))]))


class Still:
    """Records that were published before anything else, and what each partition's batches have to hash to."""

    def __init__(self, cluster, megabytes, generator):
        self.cluster, self.context, self.count = cluster, zmq.Context(), megabytes * 1000 // STILL_PARTITIONS
        cluster.cli("topic", "create", "still", "--partitions", str(STILL_PARTITIONS), "--replicas", "3", "--config",
                    "segment.bytes=4MiB", check=True)
        wait_until("leaders of still", lambda: all(p["leader"] for p in cluster.describe("still")), 30)
        for partition in range(STILL_PARTITIONS):
            digest = hashlib.sha256()
            path = os.path.join(cluster.directory, "still-%d" % partition)
            with open(path, "wb") as out:
                for number in range(self.count):
                    line = generator.randbytes(500).hex().encode()
                    out.write(line + b"\n")
                    digest.update(b"%d %s\n" % (number, line))
            cluster.cli("pub", "still", path, "-p", str(partition), "-q", check=True, timeout=300)
            os.unlink(path)
            self.expect_records(partition, digest.hexdigest())
        self.hashes = [None] * STILL_PARTITIONS
        for node in cluster.nodes:
            wait_until("node %d to serve everything" % node.number, lambda: self.read(node), 60)

    def expect_records(self, partition, wanted):
        done = self.cluster.cli("sub", "still", "-p", str(partition), "-o", "start", "-e", "-q", "-f", "%o %s\\n", text=False,
                                check=True, timeout=300)
        if hashlib.sha256(done.stdout).hexdigest() != wanted:
            raise Failure("still/%d is not what was published" % partition)

    def batches(self, session, partition):
        """All batches of a partition, as this very broker has them."""
        request = pb.ClientRequest()
        request.subscribe.subscription = partition + 1
        request.subscribe.topic.name, request.subscribe.partition = "still", partition
        request.subscribe.credit_total = credit = CREDIT
        reply = session.call(request)
        expect(reply.status == OK, "subscribe: status %d %s" % (reply.status, reply.error))
        end = 0
        while end < self.count:
            push, frames = session.pushed.pop(0) if session.pushed else session.receive(10)
            kind = push.WhichOneof("body")
            expect(kind == "deliver", "%s: status %d %s" % (kind, push.status, push.error))
            if push.deliver.subscription != partition + 1:
                continue
            for frame in frames:
                base, last_delta = struct.unpack_from(">q", frame)[0], struct.unpack_from(">i", frame, 23)[0]
                expect(base == end, "offset %d comes after %d" % (base, end))
                end = base + last_delta + 1
                credit += len(frame)
                yield frame
            more = pb.ClientRequest()
            more.credit.subscription, more.credit.credit_total = partition + 1, credit
            session.send(more)

    def read(self, node):
        """True: this node served everything. Failure when it served anything else."""
        try:
            session = Session(self.context, node.address)
            try:
                for partition in range(STILL_PARTITIONS):
                    digest = hashlib.sha256()
                    for batch in self.batches(session, partition):
                        digest.update(batch)
                    wanted = self.hashes[partition] = self.hashes[partition] or digest.hexdigest()
                    if digest.hexdigest() != wanted:
                        raise Failure("node %d serves other bytes of still/%d than were published"
                                      % (node.number, partition))
            finally:
                session.socket.close()
        except Wrong:
            return False  # not now: it ends, or still loads
        return True


class Round:
    def __init__(self, cluster, still, node, kind, path):
        self.cluster, self.still, self.node, self.kind, self.path = cluster, still, node, kind, path
        self.from_byte = os.path.getsize(node.log)
        self.ends = 0

    def said(self):
        with open(self.node.log, "rb") as log:
            log.seek(self.from_byte)
            return log.read().decode(errors="replace")

    def place(self):
        return "%s of node %d" % (os.path.basename(self.path), self.node.number)

    def keep_running(self):
        """It may end, with the code and the words for damage; then it is started again, as by a supervisor."""
        if self.node.alive():
            return True
        code, words = self.node.process.returncode, self.node.log_tail(2)
        if code != 6 or "status=DAMAGED" not in words:
            raise Failure("%s: it ended with %d: %s" % (self.place(), code, words))
        self.ends += 1
        if self.ends > 3:
            raise Failure("%s: it ends again and again: %s" % (self.place(), words))
        self.node.start()
        return False

    def whole(self):
        self.keep_running()
        return self.cluster.cli("cluster", "check", "--timeout", "2000").returncode == 0

    def scrubbed(self):
        """All that it holds was read once more since it started."""
        if not self.keep_running():
            return False
        try:
            with urllib.request.urlopen("http://127.0.0.1:%d/metrics" % self.node.admin_port, timeout=5) as page:
                found = re.search(rb"^logflume_store_scrub_passes_total (\d+)", page.read(), re.M)
        except OSError:
            return False
        return found and int(found.group(1)) >= 1

    def outcome(self):
        self.node.start()
        wait_until("%s: the cluster to be whole" % self.place(), self.whole, 120)
        wait_until("%s: everything to be read" % self.place(), self.scrubbed, 120)
        wait_until("%s: node %d to serve everything" % (self.place(), self.node.number),
                   lambda: self.keep_running() and self.still.read(self.node) and self.node.alive(), 120)
        wait_until("%s: the cluster to be whole at last" % self.place(), self.whole, 120)
        said = self.said()
        if "the store is lost (" in said:
            return OUTCOMES[2]
        if "repaired from" in said:
            return OUTCOMES[1]
        if self.ends:
            raise Failure("%s: it ended, and went on with the same store: %s" % (self.place(), said[-600:]))
        self.node.kill()
        done = subprocess.run([os.path.join(BIN, "logflumed"), "store", "verify", self.node.data, "-q"],
                              capture_output=True, text=True, timeout=300)
        if done.returncode != 0:
            raise Failure("%s: silent: verify says %s" % (self.place(), done.stdout[-400:] + done.stderr[-400:]))
        self.node.start()
        return OUTCOMES[0]


def table_of(counts):
    lines = ["%-10s %s" % ("kind", " ".join("%22s" % name for name in OUTCOMES))]
    for kind in KINDS:
        lines.append("%-10s %s" % (kind, " ".join("%22d" % counts[kind][name] for name in OUTCOMES)))
    return "\n".join(lines)


def all_rounds(cluster, still, load, rounds, generator, counts, began):
    """Returns the kinds of which there was no file."""
    missing = set()
    for number in range(rounds):
        kind, node = KINDS[number % len(KINDS)], cluster.node(number // len(KINDS) % 3 + 1)
        node.kill()
        found = files_of(kind, os.path.join(node.data, "store"))
        if not found:
            missing.add(kind)
            node.start()
            continue
        path = generator.choice(found)
        flip(path, generator)
        outcome = Round(cluster, still, node, kind, path).outcome()
        counts[kind][outcome] += 1
        load.running()
        for old in glob.glob(os.path.join(node.data, "store.replaced.*")):
            shutil.rmtree(old)
        print("%7.1f s round %d: %s: %s: %s" % (time.monotonic() - began, number + 1, kind, os.path.basename(path),
                                                outcome), flush=True)
    return missing


def flipped_bits_do_no_harm(rounds, seed, megabytes):
    generator = random.Random(seed)
    counts = {kind: dict.fromkeys(OUTCOMES, 0) for kind in KINDS}
    began = time.monotonic()
    with Cluster(3, config=CONFIG) as cluster:
        cluster.start()
        still = Still(cluster, megabytes, generator)
        cluster.create("members", PARTITIONS, 3)
        load = Load(cluster, "members", 200, cluster.brokers)
        try:
            missing = all_rounds(cluster, still, load, rounds, generator, counts, began)
            wait_until("the cluster to be whole", lambda: cluster.cli("cluster", "check").returncode == 0, 60)
            load.stop()
        finally:
            load.process.kill()
            load.numbers.kill()
        outcomes = Outcomes(load)
        for node in cluster.nodes:
            outcomes.check(cluster, "members", node)
            if not still.read(node):
                raise Failure("node %d does not serve everything in the end" % node.number)
        print(table_of(counts))
        print("%d rounds of %d flips in %.0f s; %d records acknowledged meanwhile, all there; %d MB as published%s"
              % (rounds, FLIPS, time.monotonic() - began, outcomes.count, megabytes,
                 "; no such file: " + ", ".join(sorted(missing)) if missing else ""), flush=True)


if __name__ == "__main__":
    numbers = [int(a) for a in sys.argv[1:]]
    run(lambda: flipped_bits_do_no_harm(*(numbers + [18, 1, 12][len(numbers):])))
