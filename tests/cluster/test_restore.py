"""A cluster is lost with all its disks but for a backup that was made while it was published to. One node's backup is
checked, restored as a cluster of its own, and new nodes join: everything that was acknowledged before the backup is there,
at its offset."""
import glob
import json
import os
import shutil
import subprocess

from harness import BIN, Cluster, Failure, read_acks, wait_until
from test_backup import make_while_publishing
from workload import run

JUMP = 1 << 32


def backup(*arguments, code=0, binary="logflumed"):
    done = subprocess.run([os.path.join(BIN, binary), "backup", *arguments], capture_output=True, text=True, timeout=120)
    if done.returncode != code:
        raise Failure("backup %s: exit %d, not %d: %s %s" % (" ".join(arguments), done.returncode, code, done.stdout,
                                                            done.stderr))
    return done


def contents(directory):
    found = {}
    for folder, _, files in os.walk(directory):
        for name in files:
            path = os.path.join(folder, name)
            with open(path, "rb") as file:
                found[os.path.relpath(path, directory)] = (file.read(), os.stat(path).st_mtime_ns)
    return found


def read(cluster, brokers=None):
    done = cluster.cli("sub", "orders", "-p", "0", "-o", "start", "-e", "-f", "%o %s\\n", text=False, brokers=brokers,
                       timeout=120, check=True)
    return dict(line.split(b" ", 1) for line in done.stdout.split(b"\n")[:-1])


def damage_is_found(cluster, sound):
    """In a copy: a byte of a table, a byte of a log, and a file that is not there."""
    bad = os.path.join(cluster.directory, "bad")
    new = os.path.join(cluster.directory, "new")
    # The newest table may be one that no row names yet: nothing reads it, and a start deletes it.
    table = max(sorted(glob.glob(os.path.join(sound, "store", "*.sst")))[:-1], key=os.path.getsize)
    log = max(glob.glob(os.path.join(sound, "store", "*.log")), key=os.path.getsize)
    for victim in (table, log, os.path.join(sound, "store", "CURRENT")):
        for way in ("flip", "cut", "remove"):
            shutil.copytree(sound, bad)
            path = os.path.join(bad, "store", os.path.basename(victim))
            if way == "remove":
                os.unlink(path)
            else:
                with open(path, "r+b") as file:
                    if way == "cut":
                        file.truncate(os.path.getsize(path) - 1)
                    else:
                        file.seek(os.path.getsize(path) // 2)
                        byte = file.read(1)
                        file.seek(-1, 1)
                        file.write(bytes([byte[0] ^ 4]))
            backup("verify", "-q", bad, code=6)
            backup("restore", "-q", "--from", bad, "--data", new, code=6)
            if os.path.exists(new):
                raise Failure("a damaged backup was restored: %s of %s" % (way, victim))
            shutil.rmtree(bad)


def what_is_not_listed_is_found(sound, bad):
    """A file more than backup.json says; and a witness that it says nothing of."""
    shutil.copytree(sound, bad)
    with open(os.path.join(bad, "store", "999999.sst"), "wb") as file:
        file.write(b"somebody's")
    said = backup("verify", "-q", bad, code=6)
    if "999999.sst: it is not of the backup" not in said.stdout:
        raise Failure("verify of a file too many: %s" % said.stdout)
    os.unlink(os.path.join(bad, "store", "999999.sst"))
    with open(os.path.join(bad, "backup.json")) as file:
        about = json.load(file)
    about["files"] = [entry for entry in about["files"] if entry["name"] != "WITNESS"]
    with open(os.path.join(bad, "backup.json"), "w") as file:
        json.dump(about, file)
    os.unlink(os.path.join(bad, "store", "WITNESS"))
    said = backup("verify", "-q", bad, code=6)
    if "WITNESS: backup.json does not list it" not in said.stdout:
        raise Failure("verify without a witness: %s" % said.stdout)
    shutil.rmtree(bad)


def another_store_is_found(sound, bad, new):
    """backup.json of another store than the one beside it; and no backup is restored into one."""
    shutil.copytree(sound, bad)
    with open(os.path.join(bad, "backup.json")) as file:
        about = json.load(file)
    about["store_uuid"] = "00" * 16
    with open(os.path.join(bad, "backup.json"), "w") as file:
        json.dump(about, file)
    backup("verify", "-q", bad, code=6)
    said = backup("restore", "-q", "--from", bad, "--data", new, code=6)
    if "are not of one node" not in said.stderr or os.path.exists(new):
        raise Failure("restored with a backup.json of another store: %s" % said.stderr)
    shutil.rmtree(bad)
    before = contents(sound)
    for inside in ("new", os.path.join("store", "new")):
        said = backup("restore", "-q", "--from", sound, "--data", os.path.join(sound, inside), code=2)
        if "is in a backup" not in said.stderr or contents(sound) != before:
            raise Failure("restored into a backup: %s" % said.stderr)


def save_backups(cluster):
    """Where they would be taken to. Then everything is lost."""
    saved = {}
    for node in cluster.nodes:
        saved[node.number] = os.path.join(cluster.directory, "saved", str(node.number))
        shutil.copytree(os.path.join(node.data, "backups", "second"), saved[node.number])
    for node in cluster.nodes:
        node.kill()
        shutil.rmtree(node.data)
    return saved


def verify_says_it(saved, before):
    said = backup("verify", "-q", "--json", *saved.values(), binary="logflume")
    lines = [json.loads(line) for line in said.stdout.splitlines()]
    orders = {line["node"]: line for line in lines if line["verdict"] == "covered" and line["name"] == "orders/0"}
    if sorted(orders) != [1, 2, 3] or max(line["end_offset"] for line in orders.values()) < before:
        raise Failure("verify says %r, %d were acknowledged" % (orders, before))
    if any(line["verdict"] in ("damaged", "missing") for line in lines):
        raise Failure("verify says %s" % said.stdout)
    best = max(orders.values(), key=lambda line: (line["last_term"], line["last_index"]))
    return best["node"], best["end_offset"]


def ids_jump(node):
    """Or a producer that was there when the backup had been made would share its id with a new one."""
    dumped = subprocess.run([os.path.join(BIN, "logflumed"), "store", "dump", "-q", node.data, "metadata"], capture_output=True,
                            text=True, timeout=60)
    if dumped.returncode != 0 or dumped.stdout.count("offset_jump") != 1:
        raise Failure("dump: exit %d: %s %s" % (dumped.returncode, dumped.stdout[-2000:], dumped.stderr))


def restore(cluster, saved, number, end):
    node = cluster.node(number)
    before = contents(saved)
    words = backup("restore", "--from", saved, "--data", node.data, binary="logflume")
    if "orders/0: restored, offsets 0 to %d; goes on at %d" % (end, end + JUMP) not in words.stdout:
        raise Failure("restore says %s" % words.stdout)
    backup("restore", "--from", saved, "--data", node.data, code=2)
    if contents(saved) != before:
        raise Failure("the backup is another one than before")
    ids_jump(node)
    node.start()
    cluster.serving(node)
    return node


def everything_is_there(publisher, at, before, end):
    """Of what was acknowledged up to the backup; and nothing else at all."""
    for line, part, offset, status in read_acks(publisher.acks_path)[:before]:
        if at.get(str(offset).encode()) != publisher.sent[line - 1]:
            raise Failure("message %d is not at its offset %d" % (line, offset))
    if len(at) != end or max(int(offset) for offset in at) != end - 1:
        raise Failure("%d messages are there, not %d" % (len(at), end))


def others_join(cluster, node, at):
    """As many new ones as there were; the old ones leave."""
    olds = [other.number for other in cluster.nodes if other is not node]
    for _ in olds:
        cluster.join()
    for options in ((), ("--wait=60",)):
        for old in olds:
            cluster.cli("cluster", "drain", str(old), *options, timeout=90, check=True)
    for old in olds:
        cluster.cli("cluster", "remove", str(old), timeout=60, check=True)
    wait_until("the cluster to be healthy", lambda: cluster.cli("cluster", "check").returncode == 0, 60)
    cluster.cli("pub", "orders", "-p", "0", input="after the restore\n", check=True)
    for other in cluster.nodes:
        if not other.alive():
            continue
        there = read(cluster, brokers=other.address)
        if len(there) != len(at) + 1 or any(there[offset] != at[offset] for offset in at):
            raise Failure("node %d has %d messages, not %d" % (other.number, len(there), len(at) + 1))
        if there[str(len(at) + JUMP).encode()] != b"after the restore":
            raise Failure("it did not go on at the right offset: %r" % max(there, key=int))
    done = cluster.cli("sub", "orders", "-p", "0", "-o", str(len(at) + 5), "-e")
    if done.returncode == 0:
        raise Failure("a position of after the backup is served: %s" % done.stdout)


def old_id(path):
    with open(os.path.join(path, "backup.json")) as file:
        return json.load(file)["cluster_id"]


def a_cluster_from_a_backup():
    with Cluster(3) as cluster:
        cluster.start()
        publisher, before = make_while_publishing(cluster)
        saved = save_backups(cluster)
        number, end = verify_says_it(saved, before)
        damage_is_found(cluster, saved[number])
        what_is_not_listed_is_found(saved[number], os.path.join(cluster.directory, "bad"))
        another_store_is_found(saved[number], os.path.join(cluster.directory, "bad"),
                               os.path.join(cluster.directory, "new"))
        node = restore(cluster, saved[number], number, end)
        status = cluster.status(node)
        if status["id"] == old_id(saved[number]):
            raise Failure("the restored cluster has the old id")
        at = read(cluster)
        everything_is_there(publisher, at, before, end)
        others_join(cluster, node, at)


def parts_of(cluster, saved, node):
    """Which partitions of `single` this node's backup has, as verify says."""
    said = backup("verify", "-q", "--json", saved[node.number], code=1)
    lines = [json.loads(line) for line in said.stdout.splitlines()]
    has = {line["name"] for line in lines if line["verdict"] == "covered"}
    lacks = {line["name"] for line in lines if line["verdict"] == "missing"}
    if not lacks or has & lacks or has | lacks != {"metadata", "single/0", "single/1", "single/2", "single/3"}:
        raise Failure("verify says %s" % said.stdout)
    return has - {"metadata"}, lacks


def a_part_of_a_cluster():
    """No node has everything. Only what is asked for is restored without the rest."""
    with Cluster(3) as cluster:
        cluster.start()
        cluster.create("single", 4, 1)
        for partition in range(4):
            cluster.cli("pub", "single", "-p", str(partition), input="m-%d\n" % partition, check=True)
        cluster.cli("backup", "create", "second", check=True)
        saved = save_backups(cluster)
        backup("verify", "-q", *saved.values())
        node = cluster.node(2)
        has, lacks = parts_of(cluster, saved, node)
        refused = backup("restore", "--from", saved[2], "--data", node.data, code=1)
        if os.path.exists(node.data) or not all("missing: %s:" % name in refused.stderr for name in lacks):
            raise Failure("a part was restored: %s" % refused.stderr)
        backup("restore", "--from", saved[2], "--data", node.data, "--without-missing")
        node.start()
        wait_until("node 2 to answer", lambda: cluster.status(node), 20)
        for name in sorted(has):
            partition = name.split("/")[1]
            done = cluster.cli("sub", "single", "-p", partition, "-o", "start", "-e", "-f", "%o %s\\n")
            if done.stdout != "0 m-%s\n" % partition:
                raise Failure("%s has %r: %s" % (name, done.stdout, done.stderr))
            cluster.cli("pub", "single", "-p", partition, input="more\n", check=True)
            done = cluster.cli("sub", "single", "-p", partition, "-o", "start", "-e", "-f", "%o %s\\n")
            if done.stdout.splitlines()[-1] != "%d more" % (1 + JUMP):
                raise Failure("%s goes on with %r" % (name, done.stdout))
        cluster.cli("topic", "delete", "single", check=True)
        wait_until("the topic to be gone", lambda: "single" not in cluster.cli("topic", "list").stdout, 20)


def both():
    a_cluster_from_a_backup()
    a_part_of_a_cluster()


if __name__ == "__main__":
    run(both)
