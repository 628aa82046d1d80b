"""Clients that ask, or subscribe with endless credit, and read nothing: what waits for them stays within its bound, and
others are served meanwhile."""
import sys
import time
import urllib.request

import zmq

from harness import Cluster, Failure, wait_until
from protocol_client import Session, make_batch, pb, until_ok
from workload import run

REQUESTS = 20000
OVERLOADED = 29
BOUND_BYTES = 16 << 20        # client.unsent_bytes_max
GROWTH_BYTES_MAX = 3 * BOUND_BYTES  # of the process: the bound, and what allocator and sockets keep of it


def resident_bytes(node):
    with open("/proc/%d/status" % node.process.pid) as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS"))


def create(context, address, name):
    def make():
        request = pb.ClientRequest()
        request.create_topic.name, request.create_topic.partitions, request.create_topic.replicas = name, 1, 1
        return request, ()
    return until_ok(context, address, make)


class Deaf(Session):
    """Says hello, then reads nothing more: its own queue takes ten messages."""

    def __init__(self, context, address):
        super().__init__(context, address)
        deaf = context.socket(zmq.DEALER)
        deaf.linger, deaf.rcvhwm, deaf.sndhwm = 0, 10, 100000
        deaf.connect("tcp://" + address)
        hello = pb.ClientRequest()
        hello.protocol_version = 1
        hello.request_id = 1
        hello.hello.version_min = hello.hello.version_max = 1
        deaf.send(hello.SerializeToString())
        self.socket.close()
        self.socket = deaf

    def heard(self):
        """Begins to read: the statuses of all that comes until there is silence."""
        statuses = []
        while self.socket.poll(4000):
            reply = pb.ClientReply()
            reply.ParseFromString(self.socket.recv_multipart()[0])
            statuses.append(reply.status)
        return statuses


def grows_within_its_bound(words, node, context, act):
    before = most = resident_bytes(node)
    act()
    others = Session(context, node.address)
    calm = time.monotonic() + 3
    while time.monotonic() < calm:
        request = pb.ClientRequest()
        request.ping.SetInParent()
        began = time.monotonic()
        others.call(request)
        if time.monotonic() - began > 1:
            raise Failure("%s: another client waited %.1f s" % (words, time.monotonic() - began))
        most = max(most, resident_bytes(node))
    print("%s: the broker grew by %.1f MB" % (words, (most - before) / 1e6), flush=True)
    if most - before > GROWTH_BYTES_MAX:
        raise Failure("%s: the broker grew by %.1f MB; the bound is %.1f MB"
                      % (words, (most - before) / 1e6, GROWTH_BYTES_MAX / 1e6))


def unread_lists_are_refused_and_the_session_is_closed():
    context = zmq.Context()
    with Cluster(1) as cluster:
        cluster.start()
        node = cluster.node(1)
        for i in range(100):
            create(context, node.address, "%s-%d" % ("long" * 40, i))
        deaf = Deaf(context, node.address)

        def ask():
            for _ in range(REQUESTS):
                request = pb.ClientRequest()
                request.list_topics.SetInParent()
                deaf.send(request)
        grows_within_its_bound("%d unread lists" % REQUESTS, node, context, ask)
        statuses = deaf.heard()
        print("it then read %d answers, %d of them full" % (len(statuses), statuses.count(0)))
        if OVERLOADED not in statuses or 0 not in statuses:
            raise Failure("nothing was answered, or nothing refused in words: %r" % sorted(set(statuses)))
        request = pb.ClientRequest()
        request.hello.version_min = request.hello.version_max = 1
        if deaf.call(request).status != 0:
            raise Failure("a client that has read everything gets no new session")


def deliveries_pause_whatever_credit_says():
    context = zmq.Context()
    with Cluster(1, config="node.tail_cache_bytes_max: 1MiB\n") as cluster:  # so that each reads the store
        cluster.start()
        node = cluster.node(1)
        create(context, node.address, "wide")
        lines = b"".join(b"%d %s\n" % (i, b"x" * 1000) for i in range(60000))
        done = cluster.cli("pub", "wide", input=lines, text=False, timeout=120)
        if done.returncode != 0:
            raise Failure("pub: %s" % done.stderr)
        deaf = Deaf(context, node.address)

        def subscribe():
            for i in range(30):
                request = pb.ClientRequest()
                request.subscribe.subscription = i + 1
                request.subscribe.topic.name = "wide"
                request.subscribe.credit_total = 1 << 60
                deaf.send(request)
        grows_within_its_bound("30 unread subscriptions of 60 MB", node, context, subscribe)
        sys.stdout.flush()


def unsent_bytes(node):
    with urllib.request.urlopen("http://127.0.0.1:%d/metrics" % node.admin_port, timeout=5) as page:
        return next(int(line.split()[-1]) for line in page.read().decode().splitlines()
                    if line.startswith('logflume_queue_bytes{queue="unsent"}'))


def a_connection_that_takes_nothing_is_cut():
    """Else what waits for it would wait for ever, as long as its client sends something now and then."""
    context = zmq.Context()
    with Cluster(1, config="client.session_timeout_ms: 2000\n") as cluster:
        cluster.start()
        node = cluster.node(1)
        for i in range(50):
            create(context, node.address, "%s-%d" % ("long" * 40, i))
        deaf = Deaf(context, node.address)
        for _ in range(REQUESTS):
            request = pb.ClientRequest()
            request.list_topics.SetInParent()
            deaf.send(request)
        others = Session(context, node.address)  # its pings are what makes the broker say how much waits

        def waits():
            request = pb.ClientRequest()
            request.ping.SetInParent()
            deaf.send(request)
            request = pb.ClientRequest()
            request.ping.SetInParent()
            others.call(request)
            return unsent_bytes(node)
        wait_until("answers to wait", lambda: waits() > 1 << 20, 10)
        began = time.monotonic()
        wait_until("the connection to be cut", lambda: waits() < 1 << 16, 30)
        print("what waited was gone after %.1f s" % (time.monotonic() - began), flush=True)


if __name__ == "__main__":
    run(unread_lists_are_refused_and_the_session_is_closed)
    run(deliveries_pause_whatever_credit_says)
    run(a_connection_that_takes_nothing_is_cut)
