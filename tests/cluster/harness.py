"""Real brokers for tests: started, killed, paused and cut on free ports of 127.0.0.1, data on a disk filesystem.

No test sleeps and hopes: everything waits for a condition with a deadline (wait_until).
"""
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.environ.get("LOGFLUME_BIN", os.path.join(ROOT, "build", "release", "bin"))


class Failure(Exception):
    """What was expected and what was seen."""


def wait_until(words, condition, seconds=15.0):
    """Polls condition until it is true; returns what it returned. Failure after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Failure("waited %.0f s for: %s" % (seconds, words))
        time.sleep(0.02)


def free_ports(count):
    sockets = []
    for _ in range(count):
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("127.0.0.1", 0))
        sockets.append(s)
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


class Node:
    def __init__(self, cluster, number, ports):
        self.cluster, self.number = cluster, number
        self.client_port, self.peer_port, self.admin_port = ports
        self.data = os.path.join(cluster.directory, "data%d" % number)
        self.config = os.path.join(cluster.directory, "%d.yaml" % number)
        self.log = os.path.join(cluster.directory, "%d.log" % number)
        self.process = None
        self.first_start = "--bootstrap"  # or --join; None: it has a store

    @property
    def address(self):
        return "127.0.0.1:%d" % self.client_port

    def start(self, environment=None, extra=()):
        arguments = [os.path.join(BIN, "logflumed"), "-c", self.config, *extra]
        if self.first_start:
            arguments.append(self.first_start)
            self.first_start = None
        env = dict(os.environ)
        env.update(self.cluster.environment)
        env.update(environment or {})
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(arguments, stdout=log, stderr=log, env=env)

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def kill(self, how=signal.SIGKILL):
        if self.alive():
            self.process.send_signal(how)
            self.process.wait(timeout=30)
        code, self.process = (self.process.returncode if self.process else None), None
        return code

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def log_tail(self, lines=8):
        try:
            with open(self.log, errors="replace") as log:
                return "".join(log.readlines()[-lines:])
        except FileNotFoundError:
            return ""


class Cluster:
    """`count` founding nodes; use as a context manager. `config`: extra YAML lines at top level."""

    def __init__(self, count=3, config="", environment=None, directory=None):
        base = directory or os.path.join(ROOT, "build", "cluster-tests")
        os.makedirs(base, exist_ok=True)
        self.directory = tempfile.mkdtemp(prefix="cluster-", dir=base)
        self.environment = environment or {}
        ports = free_ports(3 * count)
        self.nodes = [Node(self, i + 1, ports[3 * i:3 * i + 3]) for i in range(count)]
        self.config = config
        for node in self.nodes:
            self.write_config(node, self.nodes)
        self.keep = False

    def write_config(self, node, listed):
        lines = "".join("    - {id: %d, host: 127.0.0.1, client_port: %d, peer_port: %d, admin_port: %d}\n"
                        % (n.number, n.client_port, n.peer_port, n.admin_port) for n in listed)
        with open(node.config, "w") as out:
            out.write("node:\n  id: %d\n  data: %s\ncluster:\n  name: test\n  nodes:\n%s%s"
                      % (node.number, node.data, lines, self.config))

    def join(self, seconds=30):
        """One more node: added by the client, started with --join, waited for. Returns it."""
        node = Node(self, len(self.nodes) + 1, free_ports(3))
        node.first_start = "--join"
        self.write_config(node, [*(n for n in self.nodes if n.alive()), node])
        self.cli("cluster", "add", str(node.number), "--host", "127.0.0.1", "--client-port", str(node.client_port),
                 "--peer-port", str(node.peer_port), check=True)
        self.nodes.append(node)
        node.start()
        wait_until("node %d to join" % node.number, lambda: self.state(node.number) == "active", seconds)
        return node

    def state(self, number):
        """What the cluster says of a node: active, joining, draining, drained; None: not there, or nobody answers."""
        status = self.status()
        return next((n["state"] for n in status["nodes"] if n["id"] == number), None) if status else None

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        for node in self.nodes:
            try:
                if node.alive():
                    node.process.kill()
                    node.process.wait()
            except OSError:
                pass
        if kind is not None:
            for node in self.nodes:
                sys.stderr.write("---- last lines of broker %d\n%s" % (node.number, node.log_tail()))
        if kind is None and not self.keep:
            shutil.rmtree(self.directory, ignore_errors=True)
        elif kind is not None:
            sys.stderr.write("---- kept: %s\n" % self.directory)

    @property
    def brokers(self):
        return ",".join(n.address for n in self.nodes)

    def start(self, **kw):
        for node in self.nodes:
            if not node.alive():
                node.start(**kw)

    def node(self, number):
        return self.nodes[number - 1]

    # ---- the command line client
    def cli(self, *arguments, brokers=None, timeout=60, check=False, text=True, **kw):
        env = dict(os.environ, LOGFLUME_BROKERS=brokers or self.brokers)
        done = subprocess.run([os.path.join(BIN, "logflume"), *arguments], capture_output=True, text=text,
                              env=env, timeout=timeout, **kw)
        if check and done.returncode != 0:
            raise Failure("logflume %s: exit %d: %s" % (" ".join(arguments), done.returncode, done.stderr))
        return done

    def popen(self, *arguments, **kw):
        env = dict(os.environ, LOGFLUME_BROKERS=self.brokers)
        return subprocess.Popen([os.path.join(BIN, "logflume"), *arguments], env=env, **kw)

    def status(self, node=None):
        done = self.cli("cluster", "status", "--json", brokers=node.address if node else None, timeout=20)
        return json.loads(done.stdout) if done.returncode == 0 else None

    def create(self, topic, partitions=1, replicas=3):
        wait_until("topic %s created" % topic, lambda: self.cli(
            "topic", "create", topic, "--partitions", str(partitions), "--replicas", str(replicas)).returncode == 0, 30)
        wait_until("leaders of %s" % topic, lambda: all(p["leader"] for p in self.describe(topic)), 30)

    def describe(self, topic):
        done = self.cli("topic", "describe", topic, "--json")
        if done.returncode != 0:
            return [{"leader": 0}]
        return json.loads(done.stdout)["partitions"]

    def leader(self, topic, partition=0):
        """The Node that leads, waiting for one."""
        number = wait_until("a leader of %s/%d" % (topic, partition),
                            lambda: self.describe(topic)[partition]["leader"], 20)
        return self.node(number)

    def serving(self, node, seconds=20):
        """Waits until the node serves every group it holds."""
        def ready():
            status = self.status(node)
            return status and status["controller"] and status["partitions_without_leader"] == 0 and \
                status["answering_node"] == node.number
        wait_until("node %d to serve all it holds" % node.number, ready, seconds)


def read_acks(path):
    """Lines of `logflume pub --acks`: (line, partition, offset, status)."""
    rows = []
    with open(path) as acks:
        for line in acks:
            part = line.split()
            if len(part) >= 4:
                rows.append((int(part[0]), int(part[1]), int(part[2]), part[3]))
    return rows


def check_history(cluster, topic, sent, acks, partition=0, brokers=None):
    """Reads a partition whole and compares: every acknowledged message once, in order, at its offset; an unknown one at
    most once; one *not done* never. `sent`: messages (bytes) by line number from 1, all different."""
    done = cluster.cli("sub", topic, "-p", str(partition), "-o", "start", "-e", "-f", "%o %s\\n", text=False,
                       brokers=brokers, timeout=120)
    if done.returncode != 0:
        raise Failure("sub: exit %d: %s" % (done.returncode, done.stderr))
    at = {}
    seen = {}
    last = -1
    for line in done.stdout.split(b"\n")[:-1]:
        number, _, value = line.partition(b" ")
        offset = int(number)
        if offset <= last:
            raise Failure("offset %d comes after %d" % (offset, last))
        last = offset
        if value in seen:
            raise Failure("message twice: offsets %d and %d: %r" % (seen[value], offset, value[:60]))
        seen[value] = offset
        at[offset] = value
    ok = 0
    previous = -1
    for line, part, offset, status in acks:
        if part != partition and part >= 0:
            continue
        message = sent[line - 1]
        if status in ("ok", "duplicate"):
            ok += 1
            if message not in seen:
                raise Failure("acknowledged message %d is lost" % line)
            if offset >= 0:
                if at.get(offset) != message:
                    raise Failure("acknowledged message %d is not at its offset %d" % (line, offset))
                if offset <= previous:
                    raise Failure("acknowledged message %d has offset %d after %d" % (line, offset, previous))
                previous = offset
        elif status == "not_done" and message in seen:
            raise Failure("message %d was reported not done and is there" % line)
    return {"acknowledged": ok, "read": len(seen)}
