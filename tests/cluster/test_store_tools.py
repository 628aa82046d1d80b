"""The tools on a stopped node's directory say what is there, and change nothing: not a byte, not a file, whatever state it
is in."""
import glob
import hashlib
import json
import os
import signal
import subprocess

from harness import BIN, Cluster, Failure, wait_until
from workload import Publisher, run


def tool(*arguments, code=0, binary="logflumed"):
    done = subprocess.run([os.path.join(BIN, binary), "store", *arguments], capture_output=True, timeout=60)
    if done.returncode != code:
        raise Failure("store %s: exit %d, not %d: %s" % (" ".join(arguments), done.returncode, code,
                                                        done.stderr.decode(errors="replace")))
    return done


def print_of(directory):
    """Names, sizes, times and contents of everything below."""
    found = []
    for folder, _, names in sorted(os.walk(directory)):
        about = os.stat(folder)
        found.append((folder, about.st_mtime_ns, about.st_ctime_ns))
        for name in sorted(names):
            path = os.path.join(folder, name)
            about = os.stat(path)
            with open(path, "rb") as file:
                digest = hashlib.sha256(file.read()).hexdigest()
            found.append((path, about.st_size, about.st_mtime_ns, about.st_ctime_ns, about.st_nlink, digest))
    return found


def all_tools(data, code=0):
    tool("ls", data, code=code)
    tool("ls", data, "--bytes", "--json", code=code)
    tool("verify", data, code=code)
    tool("verify", data, "--json", "--despite-damage", code=code)
    tool("dump", data, code=code)
    tool("export", data, "orders", code=code)


def look(cluster, node, publisher):
    data = node.data
    before = print_of(data)
    all_tools(data)
    groups = [json.loads(line) for line in tool("ls", data, "--json").stdout.splitlines()]
    if groups[0]["node"] != node.number or groups[0]["groups"] != 3:
        raise Failure("ls says %r" % groups[0])
    orders = next(g for g in groups[1:] if g.get("topic") == "orders" and g["partition"] == 0)
    if orders["end_offset"] != publisher.count:
        raise Failure("ls says %r" % orders)
    words = tool("dump", data, "metadata").stdout.decode()
    if "create_topic=(name=\"orders\" partitions=2 replicas=3" not in words or "found_cluster" not in words:
        raise Failure("dump says %s" % words)
    if tool("dump", data, "orders/0", "-o", "3", "-c", "2", "--json").stdout.count(b"\n") != 2:
        raise Failure("dump does not give two entries")
    for arguments, other in (((), ()), (("-J",), ("-J",)), (("-f", "%o %s %T\\n"), ("-f", "%o %s %T\\n"))):
        offline = tool("export", data, "orders/0", "--all", *arguments, "-q").stdout
        online = cluster.cli("sub", "orders", "-p", "0", "-o", "start", "-e", *other, text=False).stdout
        if offline != online:
            raise Failure("export %s differs from sub: %d and %d bytes" % (arguments, len(offline), len(online)))
    if tool("export", data, "orders/0", "-f", "%o\\n", "-q", "-c", "1").stdout != b"7\n":
        raise Failure("export begins below the log start")
    if tool("export", data, "orders/0", "-f", "%o\\n", "-q", "-c", "1", "-o", "0").stdout not in (b"0\n", b"7\n"):
        raise Failure("export -o 0 does not begin with what is there")
    if tool("ls", data, binary="logflume").stdout != tool("ls", data).stdout:
        raise Failure("logflume store is something else than logflumed store")
    tool("ls", data, "nothing", code=5)
    tool("ls", data + "x", code=5)
    tool("ls", code=2)
    tool("fly", data, code=2)
    if print_of(data) != before:
        raise Failure("the directory is another one than before: %r" % set(print_of(data)).symmetric_difference(before))


def look_at_torn(node):
    """A torn end is left out, and left as it is."""
    path = max(glob.glob(os.path.join(node.data, "store", "*.log")))
    with open(path, "ab") as file:
        file.write(b"\x00" * 500)
    before = print_of(node.data)
    all_tools(node.data)
    if not tool("verify", node.data).stdout.startswith(b"the files are whole: "):
        raise Failure("verify says %s" % tool("verify", node.data).stdout)
    if b"500 bytes are torn" not in tool("verify", node.data).stdout:
        raise Failure("verify says %s" % tool("verify", node.data).stdout)
    if print_of(node.data) != before:
        raise Failure("the torn directory is another one than before")


def look_at_damaged(node):
    path = max(glob.glob(os.path.join(node.data, "store", "*.log")), key=os.path.getsize)
    with open(path, "r+b") as file:
        file.seek(os.path.getsize(path) // 2)
        file.write(b"\xff" * 8)
    before = print_of(node.data)
    for name in ("ls", "verify", "dump"):
        tool(name, node.data, code=6)
    done = tool("verify", node.data, code=6)
    if not done.stdout.startswith(b"the files are DAMAGED: ") or b"group" in done.stdout:
        raise Failure("verify of damaged files speaks of something else: %s" % done.stdout)
    if os.path.basename(path).encode() not in done.stdout or b" at byte " not in done.stdout:
        raise Failure("verify does not name the file and the place: %s" % done.stdout)
    done = subprocess.run([os.path.join(BIN, "logflumed"), "store", "ls", node.data, "--despite-damage"],
                          capture_output=True, timeout=60)
    if done.returncode not in (0, 6):
        raise Failure("ls --despite-damage: exit %d: %s" % (done.returncode, done.stderr))
    if print_of(node.data) != before:
        raise Failure("the damaged directory is another one than before")


def tools_change_nothing():
    with Cluster(3) as cluster:
        cluster.start()
        cluster.cli("topic", "create", "orders", "--partitions", "2", "--replicas", "3", "--config", "segment.bytes=64KiB",
                    check=True)
        wait_until("leaders of orders", lambda: all(p["leader"] for p in cluster.describe("orders")), 30)
        publisher = Publisher(cluster, "orders", 4000, 1000, size=500)
        publisher.finish()
        node = cluster.node(3)
        cluster.serving(node)
        wait_until("node 3 to have everything", lambda: tool_end(cluster, node) == publisher.count, 20)
        cluster.cli("topic", "trim", "orders/0", "--before", "7", "--execute", check=True)
        wait_until("node 3 to know the start", lambda: tool_start(cluster, node) == 7, 20)
        tool("ls", node.data, code=8)
        node.kill(signal.SIGTERM)
        look(cluster, node, publisher)
        cluster.start()
        cluster.serving(node)
        node.kill()  # nothing flushed, nothing said farewell
        look(cluster, node, publisher)
        look_at_torn(node)
        cluster.start()
        cluster.serving(node)
        more = Publisher(cluster, "orders", 4000, 2000, name="more")  # long enough to be seen on disk
        more.finish()
        node.kill()
        look_at_damaged(node)


def tool_start(cluster, node):
    done = cluster.cli("partition", "segments", "orders/0", "--node", str(node.number), "--json")
    return json.loads(done.stdout)["log_start"] if done.returncode == 0 else None


def tool_end(cluster, node):
    done = cluster.cli("topic", "describe", "orders", "--json", brokers=node.address)
    if done.returncode != 0:
        return None
    return json.loads(done.stdout)["partitions"][0].get("high_watermark")


if __name__ == "__main__":
    run(tools_change_nothing)
