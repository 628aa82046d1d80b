"""The operators' pages of real brokers: Prometheus text, readiness, status, and a broker that loses its majority."""
import http.client
import json
import re
import signal
import socket
import time

from harness import Cluster, Failure, wait_until
from workload import Publisher, run

SAMPLE = re.compile(r'^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*",?)*)\})? (\S+)$')
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')


def get(node, path, method="GET"):
    connection = http.client.HTTPConnection("127.0.0.1", node.admin_port, timeout=10)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(), dict(answer.getheaders())
    finally:
        connection.close()


def page(node, path):
    """The page, or (0, "", {}) while nobody listens."""
    try:
        return get(node, path)
    except OSError:
        return 0, "", {}


def metrics(node):
    """name -> {labels as a sorted tuple: value}, with the format checked line by line."""
    status, text, headers = get(node, "/metrics")
    if status != 200 or headers["Content-Type"] != "text/plain; version=0.0.4; charset=utf-8":
        raise Failure("/metrics: %d %r" % (status, headers))
    found, types, last = {}, {}, None
    for line in text.split("\n")[:-1]:
        if line.startswith("# HELP "):
            last = line.split(" ")[2]
            if last in types:
                raise Failure("%s has two heads" % last)
        elif line.startswith("# TYPE "):
            name, kind = line.split(" ")[2:4]
            if name != last or kind not in ("counter", "gauge", "histogram"):
                raise Failure("bad head: %s" % line)
            types[name] = kind
        else:
            match = SAMPLE.match(line)
            if not match:
                raise Failure("no sample: %r" % line)
            name, labels, value = match.groups()
            base = re.sub("_(bucket|sum|count)$", "", name) if types.get(last) == "histogram" else name
            if base != last:
                raise Failure("%s stands under the head of %s" % (name, last))
            key = tuple(sorted(LABEL.findall(labels or "")))
            if key in found.setdefault(name, {}):
                raise Failure("series twice: %s" % line)
            found[name][key] = float(value)
    return found


def one(found, name, **labels):
    """The value of the one series with these labels among its own."""
    rows = [value for key, value in found.get(name, {}).items() if set(labels.items()) <= set(key)]
    if len(rows) != 1:
        raise Failure("%d series %s%r" % (len(rows), name, labels))
    return rows[0]


def ready(node):
    return page(node, "/readyz")[0] == 200


def figures_follow_what_happens(cluster):
    publisher = Publisher(cluster, "seen", 3000, rate=3000)
    assert publisher.finish() == 0
    leader = cluster.leader("seen")
    found = metrics(leader)
    group = [dict(key)["group"] for key in found["logflume_group_term"] if dict(key)["topic"] == "seen"][0]
    if one(found, "logflume_group_role", group=group) != 3 or one(found, "logflume_group_leader", group=group) != 1:
        raise Failure("the leader does not say that it leads")
    if one(found, "logflume_partition_high_watermark", group=group) != 3000:
        raise Failure("high watermark %r" % found["logflume_partition_high_watermark"])
    last = one(found, "logflume_group_last_index", group=group)
    commits = one(found, "logflume_commit_seconds_count")
    if not 0 < commits <= one(found, "logflume_applied_entries_total"):
        raise Failure("%d commits were timed" % commits)
    for name in ("logflume_store_sync_seconds", "logflume_apply_seconds", "logflume_step_seconds",
                 "logflume_loop_pause_seconds", "logflume_store_write_seconds"):
        if one(found, name + "_count") < 1 or one(found, name + "_sum") < 0:
            raise Failure("%s counted nothing" % name)
        if one(found, name + "_bucket", le="+Inf") != one(found, name + "_count"):
            raise Failure("%s: the last bucket is not all" % name)
    for other in cluster.nodes:
        if other is leader:
            continue
        peer = str(other.number)
        if one(found, "logflume_peer_up", peer=peer) != 1 or one(found, "logflume_peer_append_bytes_total", peer=peer) < 300000:
            raise Failure("replication to %s is not seen" % peer)
        wait_until("a follower in step", lambda: one(metrics(leader), "logflume_replica_match_index", group=group,
                                                      peer=peer) >= last)
        if one(found, "logflume_replica_state", group=group, peer=peer) != 3:
            raise Failure("replica on %s does not replicate" % peer)
        for lane in ("control", "data", "bulk"):
            if one(found, "logflume_lane_ready", peer=peer, lane=lane) != 1:
                raise Failure("lane %s to %s is not ready" % (lane, peer))
        follower = metrics(other)
        if one(follower, "logflume_group_role", group=group) != 0 or any(
                ("group", group) in key for key in follower.get("logflume_replica_match_index", {})):
            raise Failure("a follower shows replicas")
    for queue, limit in found["logflume_queue_items_limit"].items():
        if not found["logflume_queue_items"][queue] <= limit:
            raise Failure("queue %r is over its limit" % (queue,))
    if one(found, "process_resident_memory_bytes") < 1e6 or one(found, "process_open_fds") < 10:
        raise Failure("the process does not know itself")
    if sum(one(metrics(node), "logflume_elections_won_total") for node in cluster.nodes) < 2:
        raise Failure("nobody won an election")
    print("scraped %d series" % sum(len(rows) for rows in found.values()), flush=True)


def status_tells_the_same(cluster):
    node = cluster.node(1)
    code, text, headers = get(node, "/status")
    body = json.loads(text)
    if code != 200 or headers["Content-Type"] != "application/json" or body["node"]["id"] != 1 or not body["node"]["ready"]:
        raise Failure("/status: %d %.200s" % (code, text))
    if {peer["node"] for peer in body["peers"]} != {2, 3} or not all(peer["reachable"] for peer in body["peers"]):
        raise Failure("peers: %r" % body["peers"])
    if {group.get("topic") for group in body["groups"]} != {None, "seen"}:
        raise Failure("groups: %r" % body["groups"])


def refusals(cluster):
    node = cluster.node(1)
    for method, path, status in (("GET", "/", 404), ("POST", "/metrics", 405), ("PUT", "/status", 405),
                                 ("GET", "/" + "x" * 30000, None), ("HEAD", "/metrics", 200), ("HEAD", "/healthz", 200)):
        code, text, _ = get(node, path, method)
        if (status and code != status) or (not status and not 400 <= code < 500) or (method == "HEAD" and text):
            raise Failure("%s %.20s: %d %.60r" % (method, path, code, text))
    stuck = [socket.create_connection(("127.0.0.1", node.admin_port)) for _ in range(40)]
    for s in stuck: # half a request each, and answers nobody reads
        s.sendall(b"GET /status HTTP/1.1\r\nHost: x\r\n")
    begin = time.monotonic()
    if get(node, "/healthz")[0] != 200 or time.monotonic() - begin > 5:
        raise Failure("half requests hold up the others")
    for s in stuck:
        s.close()


def lost_majority_is_told(cluster):
    node = cluster.node(1)
    for other in cluster.nodes[1:]:
        other.kill()

    def told():
        code, text, _ = page(node, "/readyz")
        return code == 503 and text.startswith("not ready: 2 of 2 groups do not serve\n") and \
            "group 0 (metadata) has no leader known here\n" in text and "(seen/0) has no leader known here\n" in text
    wait_until("/readyz to say that nothing is led", told, 20)
    if get(node, "/healthz")[0] != 200:
        raise Failure("a node without a majority is healthy all the same")
    wait_until("the metrics to show the loss", lambda: one(metrics(node), "logflume_groups_without_leader") == 2 and
               one(metrics(node), "logflume_peer_up", peer="2") == 0)
    cluster.start()
    for each in cluster.nodes:
        wait_until("node %d to be ready again" % each.number, lambda: ready(each), 30)


def a_paused_broker_answers_nobody_and_then_all(cluster):
    node = cluster.node(2)
    node.pause()
    waiting = socket.create_connection(("127.0.0.1", node.admin_port))
    waiting.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    node.resume()
    waiting.settimeout(20)
    if not waiting.recv(100).startswith(b"HTTP/1.1 "):
        raise Failure("no answer after the pause")
    waiting.close()
    wait_until("node 2 to be ready", lambda: ready(node), 20)


def stopping_is_told_and_the_port_is_free_again(cluster):
    for node in cluster.nodes:
        code = node.kill(signal.SIGTERM)
        if code != 0:
            raise Failure("exit %d" % code)
    busy = socket.socket()
    busy.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    busy.bind(("127.0.0.1", cluster.node(1).admin_port))
    busy.listen(1)
    cluster.node(1).start()
    if cluster.node(1).process.wait(timeout=20) != 1 or "cannot listen on http://127.0.0.1" not in cluster.node(1).log_tail():
        raise Failure("a port in use: %s" % cluster.node(1).log_tail())
    busy.close()
    cluster.node(1).start(extra=["--admin.enabled=off", "--log.format=json"])
    wait_until("it starts without", lambda: '"message":"logflumed ready' in cluster.node(1).log_tail(50), 20)
    if page(cluster.node(1), "/healthz")[0] != 0:
        raise Failure("admin.enabled=off listens")
    cluster.node(1).kill(signal.SIGTERM)
    lines = [line for line in cluster.node(1).log_tail(50).splitlines() if line.startswith("{")]
    rows = [json.loads(line) for line in lines]
    if not any(row.get("message", "").startswith("logflumed ready") and row["node"] == 1 for row in rows):
        raise Failure("no JSON line says ready: %r" % lines[-3:])


def operators_see_what_happens():
    with Cluster(3) as cluster:
        cluster.start()
        for node in cluster.nodes:
            wait_until("node %d to be ready" % node.number, lambda: ready(node), 30)
        cluster.create("seen")
        figures_follow_what_happens(cluster)
        status_tells_the_same(cluster)
        refusals(cluster)
        lost_majority_is_told(cluster)
        a_paused_broker_answers_nobody_and_then_all(cluster)
        stopping_is_told_and_the_port_is_free_again(cluster)


if __name__ == "__main__":
    run(operators_see_what_happens)
