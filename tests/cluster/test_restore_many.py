"""A cluster whose partitions no node has all of is lost with its disks but for each node's backup. From all of them one node
is restored: everything that was acknowledged before is there at its offset, compacted and trimmed logs too, and a new node
joins, is filled, and takes partitions over."""
import glob
import json
import os
import shutil
import subprocess
import time

from harness import BIN, Cluster, Failure, read_acks, wait_until
from test_restore import JUMP, backup, contents
from workload import Publisher, run

SINGLES, DOUBLES, KEYED = 8, 5, 3
KEYS, ROUNDS = 20, 200


def rows(cluster, topic, partition, *words):
    done = cluster.cli("sub", topic, "-p", str(partition), "-o", "start", "-e", "-f", "%o %k %s\\n", *words, text=False,
                       timeout=60, check=True)
    return done.stdout.split(b"\n")[:-1]


def create(cluster, topic, partitions, replicas, *settings):
    words = [word for setting in settings for word in ("--config", setting)]
    wait_until("topic %s created" % topic, lambda: cluster.cli(
        "topic", "create", topic, "--partitions", str(partitions), "--replicas", str(replicas), *words).returncode == 0, 30)
    wait_until("leaders of %s" % topic, lambda: all(p["leader"] for p in cluster.describe(topic)), 30)


def publish(cluster, topic, partition, lines, *words):
    done = cluster.cli("pub", topic, "-p", str(partition), "-q", *words, input=b"".join(line + b"\n" for line in lines),
                       text=False, timeout=60)
    if done.returncode != 0:
        raise Failure("pub %s/%d: %s" % (topic, partition, done.stderr))


def segments(cluster, name):
    done = cluster.cli("partition", "segments", name, "--json")
    return json.loads(done.stdout) if done.returncode == 0 else None


def fill(cluster):
    """What does not change any more when the backups are made: by topic and partition, what is read of it."""
    create(cluster, "single", SINGLES, 1, "segment.bytes=64KiB")
    create(cluster, "keyed", KEYED, 1, "cleanup.policy=compact", "segment.bytes=64KiB", "segment.ms=1s")
    for partition in range(SINGLES):  # who has single/0 has the most, and so is the base
        publish(cluster, "single", partition, [b"%d-%d-" % (partition, i) + b"x" * 300 for i in range(1000 if partition else 9000)])
    for partition in range(KEYED):
        publish(cluster, "keyed", partition, [b"%d:%d-" % (key, number) + b"y" * 100 for number in range(ROUNDS)
                                              for key in range(KEYS)], "-K", ":")
    cluster.cli("topic", "trim", "single/1", "--before", "500", "--execute", check=True)
    for partition in range(KEYED):
        wait_until("keyed/%d to have holes" % partition, lambda: any(
            s["rewrites"] for s in (segments(cluster, "keyed/%d" % partition) or {"segments": []})["segments"]) and
            len(rows(cluster, "keyed", partition)) <= 8 * KEYS, 60)
    return {(topic, partition): rows(cluster, topic, partition)
            for topic, count in (("single", SINGLES), ("keyed", KEYED)) for partition in range(count)}


def back_up_while_publishing(cluster):
    """Two of them, the same producers at work before the first and after the second. Returns those, and of each how many
    messages were acknowledged before the first and the second began."""
    create(cluster, "double", DOUBLES, 2, "segment.bytes=64KiB")
    publishers = [Publisher(cluster, "double", 2500, 100, size=300, seed=partition, partition=partition,
                            name="pub%d" % partition) for partition in range(DOUBLES)]
    before = []
    for name, count in (("first", 300), ("second", 900)):
        for publisher in publishers:
            publisher.wait_acked(count, 60)
        before.append([publisher.acked() for publisher in publishers])
        cluster.cli("backup", "create", name, check=True)
    for publisher in publishers:
        publisher.finish()
        publisher.check(expect_all=False)
    return publishers, before


def save(cluster):
    saved = {}
    for node in cluster.nodes:
        for name in ("first", "second"):
            saved[node.number, name] = os.path.join(cluster.directory, "saved", str(node.number), name)
            shutil.copytree(os.path.join(node.data, "backups", name), saved[node.number, name])
    for node in cluster.nodes:
        node.kill()
        shutil.rmtree(node.data)
    return saved


def command(sources, new):
    return ["restore", "-q", "--json", *(word for source in sources for word in ("--from", source)), "--data", new]


def killed_anywhere_leaves_no_store(sources, new):
    building = os.path.join(new, "store.restoring")
    for delay in (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.6):
        began = time.time_ns()
        process = subprocess.Popen([os.path.join(BIN, "logflumed"), "backup", *command(sources, new)],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until("it to have begun anew", lambda: process.poll() is not None or (
            os.path.exists(building) and os.stat(building).st_mtime_ns > began), 60)
        time.sleep(delay)  # a little further each time
        process.kill()
        process.wait()
        if os.path.exists(os.path.join(new, "store")):
            if process.returncode != 0:
                raise Failure("a killed restore left a store")
            shutil.rmtree(new)
            break
        print("killed %.2f s after it began to write: %d files" % (delay, len(os.listdir(building))))


def restore(cluster, sources, new):
    """By name, what is said of each group."""
    said = backup(*command(sources, new))
    lines = [json.loads(line) for line in said.stdout.splitlines()]
    restored = {line["name"]: line for line in lines if line["verdict"] == "restored"}
    wanted = {"metadata", *("single/%d" % p for p in range(SINGLES)), *("keyed/%d" % p for p in range(KEYED)),
              *("double/%d" % p for p in range(DOUBLES))}
    if set(restored) != wanted:
        raise Failure("restored: %r" % sorted(restored))
    return restored


def no_node_has_everything(saved, nodes):
    said = [json.loads(line) for line in backup("verify", "-q", "--json", *(saved[n, "second"] for n in nodes)).stdout.splitlines()]
    kept = {n: {line["name"] for line in said if line["verdict"] == "covered" and line["node"] == n} for n in nodes}
    if any(len(names) >= 1 + SINGLES + KEYED + DOUBLES for names in kept.values()):
        raise Failure("a node has everything: %r" % kept)
    return kept


def start_restored(cluster, new, number):
    node = cluster.node(number)
    os.rename(new, node.data)
    node.start()
    cluster.serving(node)
    return node


def acknowledged_are_there(cluster, publishers, before, ends):
    for partition, publisher in enumerate(publishers):
        found = dict(row.split(b"  ", 1) for row in rows(cluster, "double", partition))
        if sorted(map(int, found)) != list(range(ends[partition])):
            raise Failure("double/%d has %d messages, not %d" % (partition, len(found), ends[partition]))
        for line, _, offset, _ in read_acks(publisher.acks_path)[:before[partition]]:
            if found.get(str(offset).encode()) != publisher.sent[line - 1]:
                raise Failure("double/%d: message %d is not at its offset %d" % (partition, line, offset))


def same_as_before(cluster, still):
    for (topic, partition), was in still.items():
        found = rows(cluster, topic, partition)
        if found[:len(was)] != was or any(int(row.split(b" ", 1)[0]) < JUMP for row in found[len(was):]):
            raise Failure("%s/%d has %d messages, not the %d of before" % (topic, partition, len(found), len(was)))


def every_partition_goes_on(cluster, ends):
    for name, end in ends.items():
        topic, partition = name.split("/")
        publish(cluster, topic, int(partition), [b"k:more"], "-K", ":")
        last = rows(cluster, topic, int(partition))[-1]
        if last != b"%d k more" % (end + JUMP):
            raise Failure("%s goes on with %r, not at %d" % (name, last[:60], end + JUMP))


def a_new_node_takes_over(cluster, node, still):
    """The restored node leaves in the end: so the new one has been filled with all there is."""
    olds = [other.number for other in cluster.nodes if other is not node]
    for _ in range(2):
        cluster.join()
    for options in ((), ("--wait=60",)):
        for old in olds:
            cluster.cli("cluster", "drain", str(old), *options, timeout=90, check=True)
    for old in olds:
        cluster.cli("cluster", "remove", str(old), timeout=60, check=True)
    wait_until("the cluster to be healthy", lambda: cluster.cli("cluster", "check").returncode == 0, 60)
    third = cluster.join()
    cluster.cli("cluster", "drain", str(node.number), "--wait=90", timeout=120, check=True)
    cluster.cli("cluster", "remove", str(node.number), timeout=60, check=True)
    node.kill()
    wait_until("the cluster to be healthy", lambda: cluster.cli(
        "cluster", "check", brokers=third.address).returncode == 0, 60)
    same_as_before(cluster, still)


def refused_without_all(cluster, saved, nodes, new):
    few = backup(*command([saved[n, "second"] for n in nodes[:2]], new), code=1)
    if os.path.exists(new) or "missing: " not in few.stderr:
        raise Failure("two backups that lack partitions: %s" % few.stderr)


def refused_with_a_bad_one(cluster, sources, new):
    """One that is damaged, and one of another cluster."""
    bad = os.path.join(cluster.directory, "bad")
    table = max(glob.glob(os.path.join(sources[-1], "store", "*.sst")), key=os.path.getsize)
    for words, code in (("not whole", 6), ("another cluster", 1)):
        shutil.copytree(sources[-1], bad)
        if code == 6:
            with open(os.path.join(bad, "store", os.path.basename(table)), "r+b") as file:
                file.truncate(os.path.getsize(table) - 1)
        else:
            about = os.path.join(bad, "backup.json")
            with open(about) as file:
                text = json.load(file)
            text["cluster_id"] = "00" * 16
            with open(about, "w") as file:
                json.dump(text, file)
        done = backup(*command([*sources[:-1], bad], new), code=code)
        if os.path.exists(new) or words not in done.stderr:
            raise Failure("a bad one among them: %s" % done.stderr)
        shutil.rmtree(bad)


def check_choice(restored, sources, base):
    """Each from where it is newest; something came from elsewhere although the base had it."""
    said = [json.loads(line) for line in backup("verify", "-q", "--json", *sources).stdout.splitlines()]
    replaced = 0
    for name, line in restored.items():
        copies = {c["node"]: (c["last_term"], c["last_index"]) for c in said
                  if c["verdict"] == "covered" and c["name"] == name}
        if copies[line["node"]] != max(copies.values()):
            raise Failure("%s is from node %d, of %r" % (name, line["node"], copies))
        replaced += base in copies and copies[base] < max(copies.values())
    print("from other backups than the base: %d of %d, %d in place of an older copy" % (
        sum(line["node"] != base for line in restored.values()), len(restored), replaced))
    if replaced == 0:
        raise Failure("nothing was in place of an older copy: %r" % restored)


def a_cluster_from_all_its_backups():
    with Cluster(5) as cluster:
        cluster.start()
        still = fill(cluster)
        publishers, (first, second) = back_up_while_publishing(cluster)
        saved = save(cluster)
        nodes = [node.number for node in cluster.nodes]
        no_node_has_everything(saved, nodes)
        new = os.path.join(cluster.directory, "new")
        refused_without_all(cluster, saved, nodes, new)
        sources = [saved[n, "second"] for n in nodes]
        refused_with_a_bad_one(cluster, sources, new)
        base = restore(cluster, sources, new)["metadata"]["node"]
        shutil.rmtree(new)
        # An older one of the base: what it has, others have newer. The metadata is the same in all of them.
        sources = [saved[n, "first" if n == base else "second"] for n in nodes]
        was = {source: contents(source) for source in sources}
        killed_anywhere_leaves_no_store(sources, new)
        restored = restore(cluster, sources, new)
        if any(contents(source) != was[source] for source in sources):
            raise Failure("a backup is another one than before")
        if restored["metadata"]["node"] != base:
            raise Failure("the base is node %d, not %d" % (restored["metadata"]["node"], base))
        check_choice(restored, sources, base)
        node = start_restored(cluster, new, base)
        ends = {name: line["end_offset"] for name, line in restored.items() if name != "metadata"}
        acknowledged_are_there(cluster, publishers, [min(a, b) for a, b in zip(first, second)],
                               [ends["double/%d" % p] for p in range(DOUBLES)])
        same_as_before(cluster, still)
        every_partition_goes_on(cluster, ends)
        a_new_node_takes_over(cluster, node, still)


if __name__ == "__main__":
    run(a_cluster_from_all_its_backups)
