#!/usr/bin/python3
"""A Logflume client from docs/protocol.md alone: python3-zmq and python3-protobuf, nothing of ours but client.proto.

    protocol_client.py HOST:PORT      creates a topic, publishes, repeats, reads back; exit 0, or 1 with words
"""
import os
import struct
import subprocess
import sys
import tempfile
import time

import zmq

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
OK, NOT_LEADER, SEQUENCE_GAP, NOT_READY, NO_QUORUM, CREDIT_EXCEEDED = 0, 15, 24, 36, 16, 28


def load_messages():
    out = tempfile.mkdtemp()
    subprocess.run(["protoc", "--proto_path", os.path.join(ROOT, "protocol"), "--python_out", out, "client.proto"],
                   check=True)
    sys.path.insert(0, out)
    import client_pb2
    return client_pb2


pb = load_messages()


# ---- the record batch ------------------------------------------------------------------------------------------------
TABLE = []
for n in range(256):
    for _ in range(8):
        n = (n >> 1) ^ (0x82F63B78 if n & 1 else 0)
    TABLE.append(n)


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = (crc >> 8) ^ TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def varint(value):
    value = (value << 1) ^ (value >> 63)
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def read_varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), at
        shift += 7


def make_batch(values, producer_id, epoch, sequence):
    records = b""
    for i, value in enumerate(values):
        body = b"\0" + varint(0) + varint(i) + varint(-1) + varint(len(value)) + value + varint(0)
        records += varint(len(body)) + body
    now = int(time.time() * 1000)
    covered = struct.pack(">hiqqqhii", 0, len(values) - 1, now, now, producer_id, epoch, sequence, len(values)) + records
    after = struct.pack(">ibI", -1, 2, crc32c(covered)) + covered
    return struct.pack(">qi", 0, len(after)) + after


def read_batch(batch):
    base, length, _, magic, crc = struct.unpack_from(">qiibI", batch)
    expect(magic == 2 and length + 12 == len(batch), "a batch of another shape")
    expect(crc == crc32c(batch[21:]), "a batch whose checksum is wrong")
    count = struct.unpack_from(">i", batch, 57)[0]
    at = 61
    for i in range(count):
        size, at = read_varint(batch, at)
        end = at + size
        at += 1
        _, at = read_varint(batch, at)
        delta, at = read_varint(batch, at)
        key_size, at = read_varint(batch, at)
        at += max(key_size, 0)
        value_size, at = read_varint(batch, at)
        yield base + delta, batch[at:at + value_size]
        at = end


# ---- a session -------------------------------------------------------------------------------------------------------
class Wrong(Exception):
    pass


def expect(condition, words):
    if not condition:
        raise Wrong(words)


class Session:
    def __init__(self, context, address):
        self.socket = context.socket(zmq.DEALER)
        self.socket.linger = 0
        self.socket.connect("tcp://" + address)
        self.next_id = 1
        self.cluster_id = b""
        self.pushed = []
        hello = pb.ClientRequest()
        hello.hello.version_min = hello.hello.version_max = 1
        hello.hello.client_name = "protocol_client.py"
        reply = self.call(hello)
        expect(reply.status == OK, "hello: " + reply.error)
        expect(reply.publish_credit_total > 0, "hello grants no publish credit")
        self.cluster_id = reply.cluster_id

    def send(self, request, frames=()):
        request.protocol_version = 1
        request.cluster_id = self.cluster_id
        if request.WhichOneof("body") != "credit":
            request.request_id = self.next_id
            self.next_id += 1
        self.socket.send_multipart([request.SerializeToString(), *frames])
        return request.request_id

    def receive(self, seconds=10):
        expect(self.socket.poll(seconds * 1000), "no answer within %d s" % seconds)
        frames = self.socket.recv_multipart()
        reply = pb.ClientReply()
        reply.ParseFromString(frames[0])
        return reply, frames[1:]

    def call(self, request, frames=()):
        wanted = self.send(request, frames)
        while True:
            reply, more = self.receive()
            if reply.request_id == wanted:
                return reply
            self.pushed.append((reply, more))


def until_ok(context, address, make):
    """Calls, following NOT_LEADER and waiting out NOT_READY; returns (session, reply)."""
    deadline = time.monotonic() + 20
    session = Session(context, address)
    while True:
        request, frames = make()
        reply = session.call(request, frames)
        if reply.status == NOT_LEADER and reply.leader.broker.host:
            session = Session(context, "%s:%d" % (reply.leader.broker.host, reply.leader.broker.client_port))
        elif reply.status not in (NOT_LEADER, NOT_READY, NO_QUORUM):
            expect(reply.status == OK, "status %d: %s" % (reply.status, reply.error))
            return session, reply
        expect(time.monotonic() < deadline, "status %d for 20 s: %s" % (reply.status, reply.error))
        time.sleep(0.05)


def main(address):
    context = zmq.Context()
    topic = "python-%d" % time.time_ns()

    def create():
        request = pb.ClientRequest()
        request.create_topic.name, request.create_topic.partitions, request.create_topic.replicas = topic, 1, 1
        return request, ()
    _, reply = until_ok(context, address, create)
    topic_id = reply.create_topic.topic.id

    def producer():
        request = pb.ClientRequest()
        request.init_producer.SetInParent()
        return request, ()
    _, reply = until_ok(context, address, producer)
    producer_id, epoch = reply.init_producer.producer_id, reply.init_producer.producer_epoch

    session = Session(context, address)
    request = pb.ClientRequest()
    request.metadata.topics.add().name = topic
    reply = session.call(request)
    expect(reply.status == OK and reply.metadata.topics[0].status == OK, "metadata of the new topic")
    home = {b.node_id: "%s:%d" % (b.host, b.client_port) for b in reply.metadata.brokers}
    start = home[reply.metadata.topics[0].partitions[0].replica_nodes[0]]

    def publish(values, sequence):
        def make():
            request = pb.ClientRequest()
            request.publish.topic.id, request.publish.topic.name = topic_id, topic
            return request, (make_batch(values, producer_id, epoch, sequence),)
        return make
    leader, reply = until_ok(context, start, publish([b"one", b"two"], 0))
    expect(reply.publish.base_offset == 0, "the first batch is at offset 0")
    _, reply = until_ok(context, start, publish([b"three"], 2))
    expect(reply.publish.base_offset == 2, "the second batch is at offset 2")
    _, reply = until_ok(context, start, publish([b"one", b"two"], 0))
    expect(reply.publish.base_offset == 0 and reply.publish.duplicate, "a repeat gets the first answer")
    request, frames = publish([b"late"], 9)()
    reply = leader.call(request, frames)
    expect(reply.status == SEQUENCE_GAP, "a gap is refused, not %d" % reply.status)

    reader = Session(context, start)
    request = pb.ClientRequest()
    request.subscribe.subscription = 7
    request.subscribe.topic.name = topic
    request.subscribe.credit_total = 1
    reply = reader.call(request)
    expect(reply.status == OK, "subscribe: " + reply.error)
    seen = []
    credit = 1
    while len(seen) < 3:
        push, frames = reader.pushed.pop(0) if reader.pushed else reader.receive()
        expect(push.WhichOneof("body") == "deliver" and push.deliver.subscription == 7, "something else was pushed")
        expect(push.deliver.batch_count == len(frames), "batch_count and frames differ")
        for frame in frames:
            seen += [r for r in read_batch(frame) if r[0] >= len(seen)]
            credit += len(frame)
        more = pb.ClientRequest()
        more.credit.subscription, more.credit.credit_total = 7, credit
        reader.send(more)
    expect(seen == [(0, b"one"), (1, b"two"), (2, b"three")], "read back %r" % seen)

    request = pb.ClientRequest()
    request.offsets_lookup.topic.name = topic
    request.offsets_lookup.kind = pb.LOOKUP_END
    reply = reader.call(request)
    expect(reply.status == OK and reply.offsets_lookup.position.offset == 3, "the end is 3")
    print("protocol client: created %s, published, repeated, read back" % topic)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    try:
        main(sys.argv[1])
    except Wrong as wrong:
        print("protocol client: %s" % wrong, file=sys.stderr)
        sys.exit(1)
