"""What `logflume` promises about bytes, formats and exit codes, against a tiny broker.

    cli_test.py BIN_DIR
"""
import base64
import json
import os
import signal
import subprocess
import sys
import tempfile
import time

BIN = sys.argv[1]
LOGFLUME = os.path.join(BIN, "logflume")
directory = tempfile.mkdtemp()


class Broker:
    def __enter__(self):
        self.process = subprocess.Popen([os.path.join(BIN, "tiny_broker")], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)
        os.environ["LOGFLUME_BROKERS"] = "127.0.0.1:" + self.process.stdout.readline().strip()
        return self

    def say(self, word):
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "ok\n"

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(10)


def run(*words, data=b"", code=0):
    done = subprocess.run([LOGFLUME, *words], input=data, capture_output=True, timeout=60)
    if done.returncode != code:
        raise AssertionError("logflume %s: exit %d instead of %d\n%s" % (" ".join(words), done.returncode, code,
                                                                        done.stderr.decode()))
    return done


topics = 0


def new_topic(partitions=1):
    global topics
    topics += 1
    name = "topic-%d" % topics
    run("topic", "create", name, "--partitions", str(partitions), "--replicas", "1", "-q")
    return name


def read(topic, *words):
    return run("sub", topic, "-o", "start", "-e", *words).stdout


def lines_are_messages_and_bytes_are_kept(broker):
    data = b"first\n\nwith\0nul\r\n\xff\xfe not utf-8\n\nlast without newline"
    topic = new_topic()
    done = run("pub", topic, data=data)
    assert b"6 messages: 6 acknowledged, 0 not done, 0 unknown" in done.stderr, done.stderr
    assert done.stdout == b""
    assert read(topic) == data + b"\n"
    run("pub", topic, "-q", data=b"")
    assert read(topic, "-f", "%S ") == b"5 0 9 12 0 20 "


def files_are_read_in_order_and_blobs_whole(broker):
    names = [os.path.join(directory, n) for n in ("a", "b")]
    for name, data in zip(names, (b"1\n2\n", b"3\n\n4")):
        open(name, "wb").write(data)
    topic = new_topic()
    run("pub", topic, *names)
    assert read(topic) == b"1\n2\n3\n\n4\n"
    topic = new_topic()
    run("pub", topic, "--blob", *names)
    assert read(topic, "-f", "[%s]") == b"[1\n2\n][3\n\n4]"
    run("pub", topic, os.path.join(directory, "not there"), code=1)


def keys_headers_and_every_field_of_a_format(broker):
    topic = new_topic()
    run("pub", topic, "-K", ":", "-H", "a=1", "-H", "b=x=y", data=b"k:v:w\nno key\n:empty key\nonly:\n")
    out = read(topic, "-f", r"%t %p %o %k %K %s %S %h %%\t\x41\\n" + "\\n")
    assert out == b"".join(b"%s 0 %d %s %%\tA\\n\n" % (topic.encode(), i, line) for i, line in enumerate(
        [b"k 1 v:w 3 a=1,b=x=y", b" -1 no key 6 a=1,b=x=y", b" 0 empty key 9 a=1,b=x=y", b"only 4  0 a=1,b=x=y"])), out
    assert read(topic, "-c", "1", "-f", "%R%s") == b"\0\0\0\x03v:w"
    now = time.time() * 1000
    assert all(abs(int(t) - now) < 60000 for t in read(topic, "-f", "%T ").split())
    run("sub", topic, "-f", "%q", code=2)


def null_values_are_published_and_told_from_empty_ones(broker):
    topic = new_topic()
    run("pub", topic, "-K", ":", data=b"a:1\nb:\n")
    run("pub", topic, "-K", ":", "-Z", data=b"a:\nb:2\n:\n")
    run("pub", topic, "-k", "c", "--null", data=b"\n")
    assert read(topic, "-f", r"%K %S|") == b"1 1|1 0|1 -1|1 1|0 -1|1 -1|"
    assert read(topic) == b"1\n\n\n2\n\n\n"
    assert read(topic, "-Z") == b"1\n\nNULL\n2\nNULL\nNULL\n"
    assert read(topic, "-Z", "-f", r"%k=%s %S|") == b"a=1 1|b= 0|a=NULL -1|b=2 1|=NULL -1|c=NULL -1|"
    payloads = [json.loads(line)["payload"] for line in read(topic, "-J").splitlines()]
    assert payloads == ["1", "", None, "2", None, None], payloads
    empty = os.path.join(directory, "empty")
    open(empty, "wb").close()
    run("pub", topic, "--blob", "-Z", empty)
    assert read(topic, "-o", "-1", "-Z", "-f", "%k %s|") == b"NULL NULL|"


def json_lines_mark_bytes_that_are_not_utf8(broker):
    topic = new_topic()
    run("pub", topic, "-k", "schlüssel", "-H", "h=ü", data='"quoted" \\ tab\t\x01 grüße \U0001f40e\n'.encode())
    run("pub", topic, data=b"\xff\x00\xfe\n\xed\xa0\x80\n")
    first, second, third = [json.loads(line) for line in read(topic, "-J").splitlines()]
    assert first["payload"] == '"quoted" \\ tab\t\x01 grüße \U0001f40e' and first["key"] == "schlüssel"
    assert first["headers"] == ["h", "ü"] and first["offset"] == 0 and first["partition"] == 0
    assert first["topic"] == topic and first["tstype"] == "create" and isinstance(first["ts"], int)
    assert base64.b64decode(second["payload_base64"]) == b"\xff\0\xfe" and "payload" not in second
    assert second["key"] is None and base64.b64decode(third["payload_base64"]) == b"\xed\xa0\x80"


def positions_counts_and_partitions(broker):
    topic = new_topic()
    run("pub", topic, data=b"".join(b"%d\n" % i for i in range(100)))
    assert run("sub", topic, "-o", "-3", "-e").stdout == b"97\n98\n99\n"
    assert run("sub", topic, "-o", "98", "-c", "2").stdout == b"98\n99\n"
    assert run("sub", topic, "-o", "start", "-c", "2").stdout == b"0\n1\n"
    assert run("sub", topic, "-o", "@0", "-c", "1").stdout == b"0\n"
    assert run("sub", topic, "-e").stdout.count(b"\n") == 100
    assert run("sub", topic, "-o", "end", "-e").stdout == b""
    run("sub", topic, "-o", "middle", code=2)
    topic = new_topic(3)
    run("pub", topic, "-p", "2", data=b"x\n")
    assert read(topic, "-f", "%p:%s") == b"2:x" and read(topic, "-p", "1") == b""
    run("pub", topic, "-p", "3", data=b"x\n", code=5)
    run("sub", topic, "-p", "3", "-e", code=5)


def codecs_are_read_back(broker):
    for codec in ("none", "lz4", "zstd"):
        topic = new_topic()
        data = b"".join(b"message %d\n" % i for i in range(5000))
        run("pub", topic, "-z", codec, data=data)
        assert read(topic) == data


def a_line_that_is_too_long_is_not_done_and_the_others_are(broker):
    topic = new_topic()
    acks = os.path.join(directory, "acks")
    done = run("pub", topic, "--acks", acks, data=b"a\n" + b"x" * (1024 * 1024 + 1) + b"\n" + b"y" * (20 << 20) + b"\nb\n",
               code=1)
    assert b"4 messages: 2 acknowledged, 2 not done" in done.stderr, done.stderr[-300:]
    assert read(topic) == b"a\nb\n"
    outcomes = {int(line.split()[0]): line.split()[1:4] for line in open(acks)}
    assert outcomes == {1: ["0", "0", "ok"], 2: ["-1", "-1", "not_done"], 3: ["-1", "-1", "not_done"],
                        4: ["0", "1", "ok"]}, outcomes


def the_largest_message_passes(broker):
    topic = new_topic()
    run("pub", topic, data=b"z" * (1024 * 1024))
    assert read(topic) == b"z" * (1024 * 1024) + b"\n"


def an_unanswered_message_is_unknown(broker):
    topic = new_topic()
    broker.say("withhold")
    done = run("pub", topic, "--delivery-timeout", "500", data=b"x\n", code=4)
    broker.say("answer")
    assert b"1 messages: 0 acknowledged, 0 not done, 1 unknown" in done.stderr, done.stderr


def exit_codes_tell_what_happened(broker):
    run("pub", "nosuch", data=b"x\n", code=5)
    run("sub", "nosuch", "-e", code=5)
    run("topic", "describe", "nosuch", code=5)
    run("topic", "delete", "nosuch", code=5)
    run("topic", "create", "t", code=1)
    run("nonsense", code=2)
    run("pub", code=2)
    run("pub", "t", "--nonsense", code=2)
    run("pub", "t", "--rate", "0", code=2)
    run(code=2)
    begun = time.time()
    for words in (["cluster", "status"], ["topic", "list"], ["sub", "t", "-e"], ["pub", "t"]):
        run(*words, "-b", "127.0.0.1:1", "--timeout", "500", data=b"x\n", code=3)
    assert time.time() - begun < 15
    for words in (["pub"], ["sub"], ["topic"], ["cluster"], []):
        assert b"logflume" in run(*words, "--help").stdout
    assert run("--version").stdout.startswith(b"logflume ")


def topics_and_the_cluster_as_words_and_as_json(broker):
    topic = new_topic(3)
    assert topic in [t["name"] for t in json.loads(run("topic", "list", "--json").stdout)["topics"]]
    assert topic.encode() in run("topic", "list").stdout
    assert run("topic", "describe", topic).stdout.count(b"\n") >= 3
    described = json.loads(run("topic", "describe", topic, "--json").stdout)
    assert len((described[0] if isinstance(described, list) else described)["partitions"]) == 3
    assert json.loads(run("cluster", "status", "--json").stdout)["name"] == "tiny"
    assert b"tiny" in run("cluster", "status").stdout
    assert json.loads(run("pub", topic, "--json", "-q", data=b"x\n").stdout)["acknowledged"] == 1
    run("topic", "delete", topic)
    run("topic", "describe", topic, code=5)


def settings_are_given_altered_and_shown(broker):
    run("topic", "create", "set", "--partitions", "1", "--replicas", "1", "--config", "retention.ms=1h",
        "--config=cleanup.policy=compact")
    describe = lambda: json.loads(run("topic", "describe", "set", "--json").stdout)
    assert describe()["settings"] == {"retention.ms": "1h", "cleanup.policy": "compact"}
    assert b"settings\tretention.ms=1h, cleanup.policy=compact\n" in run("topic", "describe", "set").stdout
    done = run("topic", "alter", "set", "retention.ms=100", "--reset", "cleanup.policy")
    assert done.stderr == b"altered set: cleanup.policy again by default, retention.ms=100\n", done.stderr
    assert describe()["settings"] == {"retention.ms": 100, "cleanup.policy": "delete"}
    assert describe()["set"] == ["retention.ms"]
    assert b"cleanup.policy=delete (default)" in run("topic", "describe", "set", "-v").stdout
    assert b"no such setting" in run("topic", "alter", "set", "colour=red", code=1).stderr
    run("topic", "create", "worse", "--config", "colour=red", "--replicas", "1", code=1)
    run("topic", "alter", "nosuch", "retention.ms=1", code=5)
    for words in (["alter", "set"], ["alter", "set", "retention.ms"], ["alter", "set", "=1"], ["list", "--config", "a=1"],
                  ["create", "set2", "--reset", "retention.ms"], ["alter", "set", "--reset", "a=1"]):
        run("topic", *words, code=2)
    listed = json.loads(run("topic", "settings", "set", "--json").stdout)["settings"]
    assert listed[0]["name"] == "retention.ms" and listed[0]["value"] == 100 and listed[0]["set"]
    assert b"Helps." in run("topic", "settings").stdout


def a_log_is_trimmed_and_late_readers_are_told(broker):
    topic = new_topic()
    place = topic + "/0"
    run("pub", topic, "-q", data=b"".join(b"%d\n" % i for i in range(10)))
    done = run("topic", "trim", place, "--before", "4")
    assert b"would begin with 4 instead of 0 (of 10)" in done.stderr and b"--execute" in done.stderr, done.stderr
    assert read(topic).count(b"\n") == 10
    said = json.loads(run("topic", "trim", place, "--before", "4", "--execute", "--json", "-q").stdout)
    assert (said["old_log_start"], said["log_start"], said["executed"]) == (0, 4, True), said
    assert read(topic) == b"4\n5\n6\n7\n8\n9\n"
    late = run("sub", topic, "-o", "1", "-e", code=1)
    assert b"offset 1 is below the log start: the first offset that exists is 4" in late.stderr, late.stderr
    assert b"`-p 0 -o 4` begins there" in late.stderr
    late = run("sub", topic, "-o", "1", "-e", "--skip-dropped")
    assert late.stdout == b"4\n5\n6\n7\n8\n9\n"
    assert b"offsets 1 to 3 were dropped before they were read; going on at 4" in late.stderr, late.stderr
    assert b"begins at 4 already" in run("topic", "trim", place, "--before", "2", "--execute").stderr
    assert b"would begin with 10" in run("topic", "trim", place, "--before", "end").stderr
    assert b"would begin with 10" in run("topic", "trim", place, "--before", "2026-11-24", "--dry-run").stderr
    assert b"begins at 4 already" in run("topic", "trim", place, "--before", "@1").stderr
    run("topic", "trim", place, "--before", "11", code=1)
    for words in (["trim", place], ["trim", place, "--before", "x"], ["trim", topic, "--before", "1"],
                  ["trim", place, "--before", "1", "--execute", "--dry-run"], ["list", "--execute"]):
        run("topic", *words, code=2)
    for where in ("-1", "start"):
        assert b"want an offset, @TIME or end" in run("topic", "trim", place, "--before", where, code=2).stderr
    assert b"is not a time" in run("topic", "trim", place, "--before", "@yesterday", code=2).stderr
    assert b"is not a time" in run("sub", topic, "-o", "@yesterday", code=2).stderr
    run("topic", "trim", "nosuch/0", "--before", "1", code=5)
    run("topic", "trim", topic + "/7", "--before", "1", code=5)
    listed = json.loads(run("partition", "segments", place, "--json").stdout)
    assert [s["open"] for s in listed["segments"]] == [False, True] and listed["log_start"] == 4
    assert listed["segments"][0]["checksum"] == "00abcdef"
    assert b"offsets 0 to 10\t" in run("partition", "segments", place, "--node", "1").stdout
    run("partition", "segments", topic + "/7", code=5)
    done = run("partition", "segments", place, "--node", "9", "--timeout", "300", code=4)
    assert b"no node 9 is known" in done.stderr, done.stderr
    run("partition", "move", place, "--node", "1", code=2)


def nodes_come_and_go(broker):
    states = lambda: {n["id"]: n["state"] for n in json.loads(run("cluster", "status", "--json").stdout)["nodes"]}
    assert states() == {1: "active"}
    done = run("cluster", "add", "4", "--host", "127.0.0.1", "--client-port", "1", "--peer-port", "2")
    assert b"--join" in done.stderr and done.stdout == b"", done
    run("cluster", "add", "4@127.0.0.1:1", "--peer-port", "2", "-q")  # again: fine
    assert b"node 4 is at 127.0.0.1:1" in run("cluster", "add", "4@10.0.0.9", code=1).stderr
    assert states() == {1: "active", 4: "joining"}
    assert b"4\t127.0.0.1:1\tunreachable\tjoining\tmetadata learner" in run("cluster", "status").stdout
    refused = run("cluster", "remove", "1", code=1).stderr
    assert b"holds partitions" in refused and b"cluster drain 1 --wait" in refused, refused
    assert b"Do not stop it" in run("cluster", "drain", "4").stderr
    run("cluster", "drain", "4", "--stop")
    assert states()[4] == "active"
    done = run("cluster", "drain", "4", "--wait", "--json")
    assert b"partitions left" in done.stderr and b"safe to stop" in done.stderr, done.stderr
    assert json.loads(done.stdout) == {"node": 4, "state": "drained"}
    run("cluster", "remove", "4")
    for action in (["remove"], ["drain"], ["check", "--without"]):
        run("cluster", *action, "4", code=5)


def a_partition_moves_with_progress(broker):
    topic = new_topic(2)
    run("cluster", "add", "2@127.0.0.1:1", "-q")
    run("cluster", "add", "3@127.0.0.1:2", "-q")
    done = run("partition", "move", topic + "/1", "--to", "2,3", "--wait")
    words = done.stderr.decode().splitlines()
    assert words == ["%s/1: %s" % (topic, w) for w in (
        "adding 2 3", "catching up 2 (50 %, 500 entries left) 3 (50 %, 500 entries left)", "switching", "done: on 2,3")], words
    assert done.stdout == b""
    done = run("partition", "move", topic + "/0", "--to", "3", "--json")
    assert b"topic describe" in done.stderr and json.loads(done.stdout)["done"] is False
    assert b"moving to 3: adding 3" in run("topic", "describe", topic).stdout
    assert b"node 3\tlearner\t500 of 1000 entries" in run("topic", "describe", topic, "-v").stdout
    partition = json.loads(run("topic", "describe", topic, "--json").stdout)["partitions"][0]
    assert partition["wanted"] == [3] and partition["move"] == "switching", partition
    assert partition["members"][0]["kind"] == "leaving" and partition["members"][0]["node"] == 1, partition
    run("partition", "move", topic + "/0", "--to", "9", code=5)
    run("partition", "move", topic + "/7", "--to", "2", code=5)
    run("partition", "move", "nosuch/0", "--to", "2", code=5)
    for wrong in ([], [topic], [topic + "/0"], [topic + "/x", "--to", "2"], ["/0", "--to", "2"], [topic + "/0", "--to", "2,"],
                  [topic + "/0", "--to", "2,2"], [topic + "/0", "--to", "1,2,3,4,5,6,7,8"],
                  [topic + "/0", topic + "/1", "--to", "2"], [topic + "/0", "--to", "2", "--host", "h"]):
        run("partition", "move", *wrong, code=2)


def leaders_are_transferred(broker):
    topic = new_topic()
    assert b"node 1 leads %s/0" % topic.encode() in run("cluster", "transfer", topic + "/0").stderr
    assert json.loads(run("cluster", "transfer", "--metadata", "--to", "1", "--json").stdout) == {"leader": 1}
    run("cluster", "transfer", topic + "/0", "--to", "7", code=1)
    run("cluster", "transfer", topic + "/9", code=5)
    run("cluster", "transfer", "nosuch/0", code=5)
    for wrong in ([], [topic + "/0", "--metadata"], [topic + "/0", "--to", "1,2"], [topic]):
        run("cluster", "transfer", *wrong, code=2)


def a_check_answers_by_its_exit_code(broker):
    topic = new_topic(2)
    assert b"healthy: 4 of 4 groups judged, 1 of 1 nodes answered" in run("cluster", "check").stdout
    done = run("cluster", "check", "--without", "1", code=1)
    assert b"metadata\twould_lose_majority\twithout node 1 nobody is left" in done.stdout, done.stdout
    assert b"must not stop now" in done.stdout
    run("cluster", "add", "2@127.0.0.1:1", "-q")
    run("partition", "move", topic + "/1", "--to", "2", "-q")
    said = json.loads(run("cluster", "check", "--without", "2", "--json").stdout)
    assert said["healthy"] and said["can_stop"] and said["nodes"] == 2 and said["nodes_answered"] == 1, said
    assert [(p["kind"], p["harmless"]) for p in said["problems"]] == [("moving", True), ("node_silent", True)], said
    assert said["problems"][0]["topic"] == topic and said["problems"][0]["partition"] == 1
    run("cluster", "drain", "2", "--stop", "-q")  # it counts as a full node now, and is not there
    assert b"not healthy" in run("cluster", "check", code=1).stdout
    assert run("cluster", "check", "-q", code=1).stdout == b""


def cluster_commands_teach_and_refuse_nonsense(broker):
    for action in ("status", "check", "add", "drain", "remove", "transfer"):
        text = run("cluster", action, "--help").stdout
        assert b"logflume cluster " + action.encode() in text and text in run("cluster", "--help").stdout
    assert b"partition move orders/0 --to" in run("partition", "--help").stdout
    for wrong in (["cluster"], ["cluster", "nonsense"], ["cluster", "add"], ["cluster", "add", "4"],
                  ["cluster", "add", "x", "--host", "h"], ["cluster", "add", "0@h"], ["cluster", "add", "4@h", "--host", "h"],
                  ["cluster", "add", "4@h:0"], ["cluster", "add", "4", "--host", "h", "--client-port", "0"],
                  ["cluster", "remove"], ["cluster", "remove", "1", "2"], ["cluster", "drain", "1", "--stop", "--wait"],
                  ["cluster", "drain", "1", "--without", "1"], ["cluster", "check", "1"], ["cluster", "check", "--without", "x"],
                  ["cluster", "status", "--nonsense"], ["partition"], ["partition", "merge"]):
        done = run(*wrong, code=2)
        assert done.stdout == b"" and done.stderr, wrong
    for words in (["cluster", "add", "4@h"], ["cluster", "drain", "1"], ["cluster", "remove", "1"], ["cluster", "check"],
                  ["cluster", "transfer", "--metadata"], ["partition", "move", "t/0", "--to", "1"]):
        run(*words, "-b", "127.0.0.1:1", "--timeout", "1500", code=3)


def a_reader_that_leaves_is_no_error(broker):
    topic = new_topic()
    run("pub", topic, data=b"".join(b"%d\n" % i for i in range(200000)))
    sub = subprocess.Popen([LOGFLUME, "sub", topic, "-o", "start"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert sub.stdout.readline() == b"0\n"
    sub.stdout.close()
    ended = (sub.wait(20), sub.stderr.read())
    assert ended == (0, b""), ended


def signals_end_in_order(broker):
    topic = new_topic()
    sub = subprocess.Popen([LOGFLUME, "sub", topic, "-o", "start"], stdout=subprocess.PIPE)
    run("pub", topic, data=b"seen\n")
    assert sub.stdout.readline() == b"seen\n"  # idle: what there is was flushed
    sub.send_signal(signal.SIGINT)
    assert sub.wait(20) == 0
    pub = subprocess.Popen([LOGFLUME, "pub", topic], stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    pub.stdin.write(b"one\ntwo\n")
    pub.stdin.flush()
    while read(topic) != b"seen\none\ntwo\n":
        time.sleep(0.01)
    pub.send_signal(signal.SIGINT)
    assert pub.wait(20) == 0
    assert b"2 messages: 2 acknowledged" in pub.stderr.read()


def acknowledgements_are_logged_while_the_input_is_open(broker):
    topic = new_topic()
    acks = os.path.join(directory, "live")
    pub = subprocess.Popen([LOGFLUME, "pub", topic, "-q", "--acks", acks], stdin=subprocess.PIPE)
    pub.stdin.write(b"one\n")
    pub.stdin.flush()
    end = time.time() + 20
    while not (os.path.exists(acks) and open(acks).read().startswith("1 0 0 ok")):
        assert time.time() < end, "no line came"
        time.sleep(0.01)
    pub.stdin.close()
    assert pub.wait(20) == 0


def a_rate_is_kept(broker):
    topic = new_topic()
    begun = time.time()
    run("pub", topic, "--rate", "200", data=b"x\n" * 101)
    assert 0.45 < time.time() - begun < 5


FACTS = [lines_are_messages_and_bytes_are_kept, files_are_read_in_order_and_blobs_whole,
         keys_headers_and_every_field_of_a_format, json_lines_mark_bytes_that_are_not_utf8,
         positions_counts_and_partitions, codecs_are_read_back, a_line_that_is_too_long_is_not_done_and_the_others_are,
         the_largest_message_passes, an_unanswered_message_is_unknown, exit_codes_tell_what_happened,
         topics_and_the_cluster_as_words_and_as_json, settings_are_given_altered_and_shown, a_log_is_trimmed_and_late_readers_are_told, nodes_come_and_go, a_partition_moves_with_progress,
         leaders_are_transferred, a_check_answers_by_its_exit_code, cluster_commands_teach_and_refuse_nonsense, a_reader_that_leaves_is_no_error, signals_end_in_order,
         acknowledgements_are_logged_while_the_input_is_open, a_rate_is_kept]

failed = 0
for fact in FACTS:
    with Broker() as broker:
        try:
            fact(broker)
            print("ok      " + fact.__name__)
        except Exception as error:  # every fact is tried
            failed += 1
            print("FAILED  %s: %s %s" % (fact.__name__, type(error).__name__, error))
            if isinstance(error, AssertionError) and not str(error):
                import traceback
                traceback.print_exc()
sys.exit(1 if failed else 0)
