#!/usr/bin/python3
"""Our record batch against an implementation nobody here wrote: kafka-python, as Debian packages it.

    kafka_interop.py BATCH_TOOL

Every case goes both ways with every codec: kafka-python builds and batch_tool reads; batch_tool builds and kafka-python
reads. Compared are the codec bits, producer id, epoch and sequence, offsets, timestamps, keys, values and headers.
Needs the Debian packages python3-kafka, python3-lz4 (lz4) and python3-zstandard (zstd).
"""
import random
import struct
import subprocess
import sys

try:
    import kafka.codec
    from kafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder
except ImportError as error:
    sys.exit(f"{error}: install python3-kafka python3-lz4 python3-zstandard")

CODECS = {"none": 0, "lz4": 3, "zstd": 4}
MEGABYTE = 1024 * 1024
NOBODY = (-1, -1, -1)


class Record:
    def __init__(self, timestamp, key, value, headers=()):
        self.timestamp, self.key, self.value, self.headers = timestamp, key, value, list(headers)

    def same(self):
        return self.timestamp, self.key, self.value, self.headers

    def __repr__(self):
        short = [part if part is None or len(part) < 40 else part[:40] + b"..." for part in (self.key, self.value)]
        return f"Record({self.timestamp}, {short[0]!r}, {short[1]!r}, {self.headers!r})"


def compressible(size):
    return (b"a log flume carries logs downstream. " * (size // 37 + 1))[:size]


def cases():
    """name, producer, records: all of them compress, so that a codec asked for must be seen in the bits."""
    now, text = 1700000000000, compressible(2000)
    yield "one record", NOBODY, [Record(now, b"key", text)]
    yield "keys", NOBODY, [Record(now, key, text) for key in (None, b"", b"k", b"\x00\xff\n", b"x" * 65536)]
    yield "values", NOBODY, [Record(now, b"k", value) for value in (None, b"", b"v", b"\x00" * 300, text)]
    yield "only nulls", NOBODY, [Record(now, None, None) for _ in range(100)]
    yield "only empty values", NOBODY, [Record(now, None, b"") for _ in range(100)]
    yield "headers", NOBODY, [
        Record(now, None, text, [("one", b"1"), ("null", None), ("empty", b""), ("", b"no key"), ("one", b"again")]),
        Record(now, None, text), Record(now, b"k", None, [("größe", bytes(range(256)))] * 64)]
    yield "timestamps", NOBODY, [Record(at, None, text) for at in
                                 (now, now + 1, now - 1, 0, -1, now + 2**31, 2**62, -2**62, now)]
    yield "producer", (123456789012345, 7, 42), [Record(now, None, text)]
    yield "producer at the largest numbers", (2**63 - 1, 2**15 - 1, 2**31 - 1), [Record(now, None, text)]
    yield "producer at the smallest numbers", (0, 0, 0), [Record(now, None, text)]
    yield "one megabyte", NOBODY, [Record(now, b"big", compressible(MEGABYTE)), Record(now, b"", b""),
                                   Record(now, None, bytes(MEGABYTE))]
    yield "sizes around varint steps", NOBODY, [Record(now, b"k" * (size % 100), compressible(size)) for size in
                                                (62, 63, 64, 65, 126, 127, 128, 8190, 8191, 8192, 8193, 16383, 16384)]
    yield "many records", (5, 1, 100), [Record(now + i, b"%d" % i, b"value %d" % i, [("n", b"%d" % (i % 7))])
                                        for i in range(3000)]
    numbers = random.Random(20260101)
    for round_number in range(20):
        yield f"random {round_number}", (numbers.randrange(2**40), numbers.randrange(2**15), numbers.randrange(2**31)), [
            Record(now + numbers.randrange(-10**6, 10**6),
                   numbers.choice([None, numbers.randbytes(numbers.randrange(50))]),
                   numbers.choice([None, numbers.randbytes(numbers.randrange(300)), compressible(3000)]),
                   [(f"h{i}", numbers.choice([None, numbers.randbytes(9)])) for i in range(numbers.randrange(5))])
            for _ in range(numbers.randrange(20, 60))] + [Record(now, None, compressible(50000))]


# ---- batch_tool's framing (see batch_tool.c) ----

def pack_bytes(data):
    return struct.pack(">i", -1) if data is None else struct.pack(">i", len(data)) + data


def pack_plain(producer, records):
    out = [struct.pack(">qhii", *producer, len(records))]
    for record in records:
        out += [struct.pack(">qq", 0, record.timestamp), pack_bytes(record.key), pack_bytes(record.value),
                struct.pack(">i", len(record.headers))]
        out += [pack_bytes(key.encode()) + pack_bytes(value) for key, value in record.headers]
    return b"".join(out)


class Plain:
    """What `batch_tool decode` writes."""

    def __init__(self, data):
        self.data, self.at = data, 0
        self.attributes, self.base_offset, self.leader_epoch = self.take(">Hqi")
        self.base_timestamp, self.max_timestamp = self.take(">qq")
        *self.producer, count = self.take(">qhii")
        self.records = [self.record() for _ in range(count)]
        assert self.at == len(data), "bytes left over"

    def take(self, layout):
        values = struct.unpack_from(layout, self.data, self.at)
        self.at += struct.calcsize(layout)
        return values

    def bytes(self):
        size, = self.take(">i")
        if size < 0:
            return None
        self.at += size
        return self.data[self.at - size:self.at]

    def record(self):
        offset, timestamp = self.take(">qq")
        record = Record(timestamp, self.bytes(), self.bytes())
        record.offset = offset
        record.headers = [(self.bytes().decode(), self.bytes()) for _ in range(self.take(">i")[0])]
        return record


def tool(*arguments, data):
    return subprocess.run([sys.argv[1], *arguments], input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)


def tool_ok(*arguments, data):
    done = tool(*arguments, data=data)
    assert done.returncode == 0, f"batch_tool {arguments}: exit {done.returncode}: {done.stderr.decode()}"
    return done.stdout


# ---- the two directions ----

def assert_same(expected, got):
    assert len(expected) == len(got), f"{len(got)} records, not {len(expected)}"
    for number, (a, b) in enumerate(zip(expected, got)):
        assert a.same() == b.same(), f"record {number}: {b}, not {a}"


def kafka_builds(codec, producer, records):
    builder = DefaultRecordBatchBuilder(2, CODECS[codec], False, *producer, 64 * MEGABYTE)
    for offset, record in enumerate(records):
        assert builder.append(offset, record.timestamp, record.key, record.value, record.headers) is not None
    return bytes(builder.build())


def from_kafka(codec, producer, records):
    batch = bytearray(kafka_builds(codec, producer, records))
    base_offset, leader_epoch = 2**40 + 17, 9
    struct.pack_into(">q", batch, 0, base_offset)  # what a broker stamps, outside the checksum
    struct.pack_into(">i", batch, 12, leader_epoch)
    plain = Plain(tool_ok("decode", data=bytes(batch)))
    assert plain.attributes == CODECS[codec], f"attributes {plain.attributes}"
    assert (plain.base_offset, plain.leader_epoch) == (base_offset, leader_epoch)
    assert tuple(plain.producer) == producer, f"producer {plain.producer}"
    assert plain.base_timestamp == records[0].timestamp
    assert plain.max_timestamp == max(record.timestamp for record in records)
    assert [record.offset for record in plain.records] == [base_offset + i for i in range(len(records))]
    assert_same(records, plain.records)


def to_kafka(codec, producer, records):
    data = tool_ok("encode", codec, data=pack_plain(producer, records))
    batch = DefaultRecordBatch(data)
    assert batch.validate_crc(), "checksum"
    assert batch.magic == 2
    assert batch.attributes == CODECS[codec], f"attributes {batch.attributes}"
    assert batch.compression_type == CODECS[codec]
    assert batch.timestamp_type == 0 and not batch.is_transactional and not batch.is_control_batch
    assert batch._header_data[9:12] == producer, f"producer {batch._header_data[9:12]}"
    assert batch._header_data[1] == len(data) - 12, "length"
    assert batch.base_offset == 0 and batch.last_offset_delta == len(records) - 1
    assert batch.first_timestamp == records[0].timestamp
    assert batch.max_timestamp == max(record.timestamp for record in records)
    got = list(batch)  # also fails when bytes are left over
    assert [record.offset for record in got] == list(range(len(records)))
    assert_same(records, [Record(r.timestamp, r.key, r.value, r.headers) for r in got])


def equal_bytes(producer, records):
    """Without compression nothing is left to choose but the leader epoch before it is stamped: the bytes are the same."""
    ours, theirs = tool_ok("encode", "none", data=pack_plain(producer, records)), kafka_builds("none", producer, records)
    assert ours[:12] == theirs[:12] and ours[16:] == theirs[16:], "bytes differ"


def refuses_damage():
    """The comparison can fail: a damaged batch is refused, a changed record is seen."""
    records = [Record(1, b"k", compressible(500))]
    for codec in CODECS:
        batch = bytearray(kafka_builds(codec, NOBODY, records))
        batch[-1] ^= 1
        done = tool("decode", data=bytes(batch))
        assert done.returncode == 1 and done.stderr.startswith(b"CORRUPT"), done.stderr
    try:
        assert_same(records, [Record(1, b"k", compressible(499))])
    except AssertionError:
        return
    raise AssertionError("a changed record went unseen")


def main():
    assert len(sys.argv) == 2, __doc__
    assert kafka.codec.has_lz4(), "kafka-python finds no lz4: install python3-lz4"
    assert kafka.codec.has_zstd(), "kafka-python finds no zstd: install python3-zstandard"
    refuses_damage()
    batches = 0
    for name, producer, records in cases():
        for codec in CODECS:
            for direction in (from_kafka, to_kafka):
                try:
                    direction(codec, producer, records)
                except Exception as error:
                    sys.exit(f"FAILED {name}, {codec}, {direction.__name__}: {error!r}")
                batches += 1
        equal_bytes(producer, records)
    print(f"{batches} batches agree with kafka-python {kafka.__version__}")


if __name__ == "__main__":
    main()
