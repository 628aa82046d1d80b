"""Full disks: small filesystems (tmpfs in a mount namespace of its own), filled by the log itself or by someone else's
file, under one node or under all three. Nothing acknowledged is lost, consumers are served throughout, no process ends,
and service resumes by itself within 5 s of room coming back.

    test_full_disk.py [NAME]      skipped, in words, where nothing may be mounted
"""
import os
import shutil
import subprocess
import sys
import time
import urllib.request

from harness import BIN, Cluster, Failure, read_acks, wait_until
from workload import Publisher, run

SIZE_MB = 192
RESUME_SECONDS = 5.0
CONFIG = """store:
  memtable_bytes: 2MiB
  wal_bytes_max: 16MiB
disk:
  soft_free_bytes: 48MiB
  hard_free_bytes: 32MiB
  ballast_bytes: 16MiB
"""


class SmallDisks(Cluster):
    def __init__(self, count):
        super().__init__(count, config=CONFIG)
        for node in self.nodes:
            os.mkdir(node.data)
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=%dm" % SIZE_MB, "full-disk-test", node.data], check=True)

    def __exit__(self, kind, value, trace):
        super().__exit__(kind, value, trace) if kind is not None else self.stop_all()
        for node in self.nodes:
            subprocess.run(["umount", "-l", node.data], check=False)
        if kind is None:
            shutil.rmtree(self.directory, ignore_errors=True)

    def stop_all(self):
        for node in self.nodes:
            if node.alive():
                node.process.kill()
                node.process.wait()


def free_mb(node):
    about = os.statvfs(node.data)
    return about.f_bavail * about.f_frsize / (1 << 20)


def metric(node, name):
    """The value of one line of /metrics; 0 when it is not there."""
    with urllib.request.urlopen("http://127.0.0.1:%d/metrics" % node.admin_port, timeout=5) as page:
        for line in page.read().decode().splitlines():
            if line.startswith(name + " "):
                return float(line.split()[-1])
    return 0


def refused(node):
    return metric(node, 'logflume_answers_total{status="NO_SPACE"}')


def fill(node, leave_kb=0):
    """Someone else's file takes all there is."""
    path = os.path.join(node.data, "lost+found")
    with open(path, "ab", buffering=0) as out:
        piece = b"\0" * (1 << 20)
        while True:
            about = os.statvfs(node.data)
            free = about.f_bavail * about.f_frsize - leave_kb * 1024
            if free <= 0:
                break
            try:
                out.write(piece[:free])
            except OSError:
                break
    return path


def keep_full(node, seconds):
    """It takes also what is given up meanwhile."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        path = fill(node)
        time.sleep(0.05)
    return path


def alive_since(nodes):
    for node in nodes:
        if not node.alive():
            raise Failure("node %d ended with %s" % (node.number, node.process and node.process.returncode))
    return [(node.process.pid, node.alive()) for node in nodes]


def read_all(cluster, node, topic, at_least, seconds=30):
    """A consumer, served by this node alone. Not up to the end: where nobody can write there may be no leader to ask."""
    done = cluster.cli("sub", topic, "-p", "0", "-o", "0", "-c", str(at_least), "-f", "%o\\n", brokers=node.address,
                       timeout=seconds)
    if done.returncode != 0 or done.stdout.count("\n") < at_least:
        raise Failure("node %d: a consumer got %d of %d: %s" % (node.number, done.stdout.count("\n"), at_least, done.stderr))


def somebody_reads_all(cluster, topic, at_least):
    """Who led when the last one was acknowledged knows that it is committed; others may not have heard of it."""
    for node in cluster.nodes:
        try:
            read_all(cluster, node, topic, at_least, seconds=5)
            return
        except subprocess.TimeoutExpired:
            pass
    raise Failure("no node serves all %d that were acknowledged" % at_least)


def expect_resumed(words, publisher, since, before):
    wait_until("acknowledgements again (%s)" % words, lambda: publisher.acked() > before, 20)
    took = time.monotonic() - since
    print("%s: acknowledged again %.2f s after there was room" % (words, took), flush=True)
    if took > RESUME_SECONDS:
        raise Failure("%s: resumed after %.1f s" % (words, took))


def quiet_for(publisher, seconds):
    """Waits until nothing was acknowledged for so long; returns how much was."""
    count, since = publisher.acked(), time.monotonic()
    while time.monotonic() - since < seconds:
        time.sleep(0.05)
        if publisher.acked() != count:
            count, since = publisher.acked(), time.monotonic()
    return count


def opened_anew(nodes):
    words = b"the store is opened anew"
    return sum(open(node.log, "rb").read().count(words) for node in nodes)


def by_its_own_log(count):
    with SmallDisks(count) as cluster:
        cluster.start()
        cluster.create("t", replicas=count)
        publisher = Publisher(cluster, "t", 40000, 100000, size=20, padding=6000)
        wait_until("publishes to be refused", lambda: any(refused(n) for n in cluster.nodes), 60)
        before = quiet_for(publisher, 1.5)
        pids = alive_since(cluster.nodes)
        print("refused after %d MB; free: %s MB" % (before * 6000 >> 20, [int(free_mb(n)) for n in cluster.nodes]))
        for node in cluster.nodes:
            if free_mb(node) < 8:
                raise Failure("node %d went on to %.1f MB" % (node.number, free_mb(node)))
            read_all(cluster, node, "t", before)
        for node in cluster.nodes:
            subprocess.run(["mount", "-o", "remount,size=%dm" % (4 * SIZE_MB), node.data], check=True)
        expect_resumed("%d node(s) filled by the log" % count, publisher, time.monotonic(), before)
        publisher.finish()
        print("stores that met a full disk all the same: %d" % opened_anew(cluster.nodes))
        if alive_since(cluster.nodes) != pids:
            raise Failure("a process ended")
        publisher.check()


def shorter_retention_makes_room(count):
    """The way out of a full disk that needs no bigger one: it is taken, and works, while publishes are refused."""
    with SmallDisks(count) as cluster:
        cluster.start()
        cluster.cli("topic", "create", "t", "--partitions", "1", "--replicas", str(count), "--config",
                    "segment.bytes=1MiB", check=True)
        cluster.leader("t")
        publisher = Publisher(cluster, "t", 30000, 100000, size=20, padding=6000)
        wait_until("publishes to be refused", lambda: any(refused(n) for n in cluster.nodes), 60)
        quiet_for(publisher, 1)
        free = [int(free_mb(n)) for n in cluster.nodes]
        since, before = time.monotonic(), publisher.acked()
        cluster.cli("topic", "alter", "t", "retention.bytes=4MiB", check=True)
        expect_resumed("%d node(s), retention shortened at %s MB free" % (count, free), publisher, since, before)
        publisher.finish()
        alive_since(cluster.nodes)
        acks = read_acks(publisher.acks_path)
        wrong = [a for a in acks if a[3] != "ok"]
        if len(acks) != 30000 or wrong:
            raise Failure("%d outcomes, not ok: %r" % (len(acks), wrong[:3]))
        print("all %d acknowledged, %d MB in all" % (len(acks), len(acks) * 6000 >> 20), flush=True)


def one_node_makes_room_by_shorter_retention():
    shorter_retention_makes_room(1)


def three_nodes_make_room_by_shorter_retention():
    shorter_retention_makes_room(3)


def by_a_foreign_file(count, full, seconds=4):
    """`full` of `count` nodes; of one, the one that leads."""
    with SmallDisks(count) as cluster:
        cluster.start()
        cluster.create("t", replicas=count)
        publisher = Publisher(cluster, "t", 10000, 1500, size=20, padding=4000)
        publisher.wait_acked(3000)
        leader = cluster.leader("t")
        filled = [leader] if full == 1 else cluster.nodes
        pids = alive_since(cluster.nodes)
        paths = [fill(node) for node in filled]
        paths = [keep_full(node, seconds / len(filled)) for node in filled]
        if full < count:
            before = publisher.acked()
            wait_until("publishes on the nodes with room", lambda: publisher.acked() > before + 200, 10)
            if cluster.leader("t").number == leader.number:
                raise Failure("the full node still leads")
            read_all(cluster, leader, "t", 500)
        else:
            before = quiet_for(publisher, 1)
            alive_since(cluster.nodes)
            for node in cluster.nodes:
                read_all(cluster, node, "t", 2000)
            somebody_reads_all(cluster, "t", before)
        print("%d of %d full, free: %s MB" % (len(filled), count, [int(free_mb(n)) for n in cluster.nodes]))
        for path in paths:
            os.unlink(path)
        since = time.monotonic()
        words = "%d of %d nodes filled by someone else's file" % (full, count)
        expect_resumed(words, publisher, since, publisher.acked() if full < count else before)
        for node in filled:
            cluster.serving(node, 10)
        print("%s: all serve %.2f s after there was room; stores opened anew: %d"
              % (words, time.monotonic() - since, opened_anew(cluster.nodes)), flush=True)
        publisher.finish()
        if alive_since(cluster.nodes) != pids:
            raise Failure("a process ended")
        publisher.check()


def a_store_that_meets_a_full_disk(count):
    """In spite of all: the disk shim fails one write of one node with ENOSPC. There is room at the next look."""
    with Cluster(count) as cluster:
        shim = os.path.join(os.path.dirname(BIN), "lib", "disk_shim.so")
        victim = cluster.node(1)
        for node in cluster.nodes:
            os.makedirs(os.path.join(cluster.directory, "state%d" % node.number))
            node.start({"LD_PRELOAD": shim, "DISK_SHIM_ROOT": node.data, "DISK_SHIM_FAIL": "write:600:ENOSPC",
                        "DISK_SHIM_STATE": os.path.join(cluster.directory, "state%d" % node.number)}
                       if node is victim else {})
        cluster.create("t", replicas=count)
        publisher = Publisher(cluster, "t", 6000, 1000, size=100)
        wait_until("the store of node 1 to meet a full disk", lambda: b"the store is only read" in
                   open(victim.log, "rb").read(), 20)
        since, before, pids = time.monotonic(), publisher.acked(), alive_since(cluster.nodes)
        words = "one of %d stores met a full disk" % count
        expect_resumed(words, publisher, since, before)
        wait_until("it to be opened anew", lambda: opened_anew(cluster.nodes), 5)
        cluster.serving(victim, 10)
        print("%s: all serve %.2f s after it" % (words, time.monotonic() - since), flush=True)
        publisher.finish()
        if alive_since(cluster.nodes) != pids:
            raise Failure("a process ended")
        publisher.check()


def a_broker_started_on_a_full_disk_waits_for_room():
    with SmallDisks(1) as cluster:
        cluster.start()
        cluster.create("t", replicas=1)
        publisher = Publisher(cluster, "t", 1000, 1000, size=200)
        publisher.finish()
        node = cluster.node(1)
        node.kill()
        path = fill(node)
        node.start()  # its ballast is what it serves consumers with
        cluster.serving(node, 10)
        read_all(cluster, node, "t", 1000)
        node.kill()
        os.unlink(os.path.join(node.data, "ballast"))
        fill(node)
        node.start()
        wait_until("it to say that it waits", lambda: b"waiting for room on the disk" in open(node.log, "rb").read(), 10)
        pids = alive_since([node])
        path = keep_full(node, 3)
        if alive_since([node]) != pids:
            raise Failure("it did not wait")
        os.unlink(path)
        since = time.monotonic()
        cluster.serving(node, 10)
        took = time.monotonic() - since
        print("a broker started on a full disk: serves %.2f s after there was room" % took, flush=True)
        if took > RESUME_SECONDS or alive_since([node]) != pids:
            raise Failure("resumed after %.1f s" % took)
        publisher.check()


def one_store_meets_a_full_disk():
    a_store_that_meets_a_full_disk(1)


def one_store_of_three_meets_a_full_disk():
    a_store_that_meets_a_full_disk(3)


def one_node_filled_by_its_own_log():
    by_its_own_log(1)


def three_nodes_filled_by_their_own_log():
    by_its_own_log(3)


def one_of_three_filled_by_someone_else():
    by_a_foreign_file(3, 1)


def all_three_filled_by_someone_else():
    by_a_foreign_file(3, 3)


def a_node_alone_filled_by_someone_else():
    by_a_foreign_file(1, 1)


TESTS = (one_node_filled_by_its_own_log, a_node_alone_filled_by_someone_else, one_of_three_filled_by_someone_else,
         all_three_filled_by_someone_else, three_nodes_filled_by_their_own_log, one_store_meets_a_full_disk, a_broker_started_on_a_full_disk_waits_for_room,
         one_node_makes_room_by_shorter_retention, three_nodes_make_room_by_shorter_retention,
         one_store_of_three_meets_a_full_disk)


def main():
    if "--inside" not in sys.argv:
        inside = ["unshare", "--mount", "--propagation", "private"]
        if os.geteuid() != 0 or subprocess.run(inside + ["mount", "-t", "tmpfs", "full-disk-test", "/mnt"],
                                               capture_output=True).returncode != 0:
            print("skipped: small filesystems cannot be mounted here (it takes root and a mount namespace)")
            return 0
        return subprocess.run(inside + [sys.executable, *sys.argv, "--inside"]).returncode
    names = [name for name in sys.argv[1:] if name != "--inside"]
    for test in TESTS:
        if not names or test.__name__ in names:
            run(test)
    return 0


if __name__ == "__main__":
    sys.exit(main())
