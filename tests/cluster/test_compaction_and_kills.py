"""Key compaction on real brokers: of each key the last message stays, at its own offset, alike on all replicas, while
publishing goes on, through a kill, and after the leader is gone."""
import random
import time

from harness import Cluster, Failure, wait_until
from test_retention import create, same_everywhere, segments
from workload import run

KEYS = 5000


def publish(cluster, topic, last, first, count, keys, codec):
    """`count` messages, numbered from `first` on, over the first `keys` keys; notes the last of each."""
    lines = []
    for number in range(first, first + count):
        key = "key-%d" % random.randrange(keys)
        value = "%d %s" % (number, "the value of %s, the value of %s" % (key, key))
        last[key] = (number, value)
        lines.append("%s:%s" % (key, value))
    done = cluster.cli("pub", topic, "-p", "0", "-K", ":", "-z", codec, "-q", input="\n".join(lines) + "\n",
                       timeout=120)
    if done.returncode != 0:
        raise Failure("pub: %s" % done.stderr)


def read(cluster, topic, last, border):
    """All that is there, from the start to the end: offsets rise; before `border` no key comes twice; the last of each
    key is what was published last, at its own offset. Returns how many messages there are."""
    done = cluster.cli("sub", topic, "-o", "start", "-e", "-f", "%o %k %s\\n", timeout=120)
    if done.returncode != 0:
        raise Failure("sub: %s" % done.stderr)
    seen, count, before = {}, 0, -1
    for line in done.stdout.splitlines():
        offset, key, value = line.split(" ", 2)
        offset, count = int(offset), count + 1
        if offset <= before:
            raise Failure("offset %d after %d" % (offset, before))
        if offset < border and key in seen:
            raise Failure("%s stands at %d and at %d, both compacted" % (key, seen[key][0], offset))
        if int(value.split(" ", 1)[0]) != offset:
            raise Failure("at offset %d stands %r" % (offset, value))
        seen[key], before = (offset, value), offset
    if seen != last:
        wrong = [k for k in last if seen.get(k) != last[k]]
        raise Failure("%d of %d keys are not at their last value, e.g. %s: %r, not %r" % (
            len(wrong), len(last), wrong[0], seen.get(wrong[0]), last[wrong[0]]))
    return count


def clean_end(said):
    """The offset before which all is compacted."""
    end = 0
    for segment in said["segments"] if said else []:
        if segment["open"] or segment["rewrites"] == 0:
            break
        end = segment["end_offset"]
    return end


def compacted(cluster, topic, messages):
    """Waits until more than half is, the same on all replicas; returns the offset before which all is compacted."""
    wait_until("%s to be compacted" % topic, lambda: clean_end(segments(cluster, topic)) > messages // 2, 60)
    return clean_end(same_everywhere(cluster, topic))


def the_last_message_of_each_key_stays_on_every_replica():
    count, batch = 400000, 50000
    with Cluster(3) as cluster:
        cluster.start()
        for topic, codec in (("plain", "none"), ("packed", "zstd")):
            create(cluster, topic, "cleanup.policy=compact", "segment.bytes=1MiB")
            last, began = {}, time.time()
            for first in range(0, count, batch):
                publish(cluster, topic, last, first, batch, KEYS, codec)
            published = time.time()
            border = compacted(cluster, topic, count)
            kept = read(cluster, topic, last, border)
            print("%s: %d messages over %d keys published in %.1f s, compacted %.1f s later; %d left" % (
                topic, count, KEYS, published - began, time.time() - published, kept))
            if kept > count // 2:
                raise Failure("%d of %d messages are left" % (kept, count))
            # The next leader gives the same, and goes on.
            killed = cluster.leader(topic)
            killed.kill()
            wait_until("another leader", lambda: all(p["leader"] for p in cluster.describe(topic)), 30)
            again = read(cluster, topic, last, border)
            if again > kept: # fewer, if it was compacted once more
                raise Failure("another replica gives %d messages, not %d" % (again, kept))
            publish(cluster, topic, last, count, batch, KEYS, codec)
            killed.start()
            cluster.serving(killed)
            read(cluster, topic, last, border)


def a_kill_in_the_middle_of_it_does_no_harm():
    with Cluster(3) as cluster:
        cluster.start()
        create(cluster, "t", "cleanup.policy=compact", "segment.bytes=1MiB")
        last = {}
        for first in range(0, 200000, 20000):
            publish(cluster, "t", last, first, 20000, KEYS, "zstd")
            node = random.choice(cluster.nodes)
            time.sleep(random.random() / 2)
            node.kill()
            node.start()
            cluster.serving(node)
            wait_until("a leader", lambda: all(p["leader"] for p in cluster.describe("t")), 30)
        border = compacted(cluster, "t", 200000)
        print("after ten kills: %d of 200000 messages left" % read(cluster, "t", last, border))


if __name__ == "__main__":
    random.seed(7)
    run(the_last_message_of_each_key_stays_on_every_replica)
    run(a_kill_in_the_middle_of_it_does_no_harm)
