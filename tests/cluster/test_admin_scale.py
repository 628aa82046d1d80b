"""A thousand partitions: what one scrape takes, and what it costs the loop.

    test_admin_scale.py [PARTITIONS]
"""
import sys
import time

from harness import Cluster, Failure, wait_until
from test_admin import get, metrics, one, page, ready
from workload import run

PARTITIONS = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
SCRAPES = 40
SCRAPE_MS_MAX = 200
SNAPSHOT_MS_MAX = 5


def scrapes_of_a_thousand_partitions():
    with Cluster(3) as cluster:
        cluster.start()
        for node in cluster.nodes:
            wait_until("node %d to be ready" % node.number, lambda: ready(node), 30)
        cluster.cli("topic", "create", "many", "--partitions", str(PARTITIONS), "--replicas", "3", timeout=120, check=True)
        for node in cluster.nodes:
            wait_until("node %d to serve all" % node.number,
                       lambda: page(node, "/readyz")[1] == "ready: %d groups\n" % (PARTITIONS + 1), 120)
        node = cluster.node(1)
        figures = {}
        for path in ("/metrics", "/status", "/readyz"):
            took = []
            for _ in range(SCRAPES):
                begin = time.monotonic()
                code, text, _ = get(node, path)
                took.append(1000 * (time.monotonic() - begin))
                if code != 200:
                    raise Failure("%s: %d" % (path, code))
            took.sort()
            figures[path] = took[-1]
            print("%s: %d bytes, median %.1f ms, slowest of %d %.1f ms"
                  % (path, len(text), took[len(took) // 2], SCRAPES, took[-1]), flush=True)
        snapshots = []
        for _ in range(SCRAPES):
            found = metrics(node)
            snapshots.append(1000 * one(found, "logflume_snapshot_seconds"))
        snapshot = sorted(snapshots)[len(snapshots) // 2]
        print("series %d; a snapshot held up the loop for %.2f ms in the median, %.2f ms at most since the start; the loop's "
              "longest pause %.0f ms" % (sum(len(rows) for rows in found.values()), snapshot,
                                         1000 * one(found, "logflume_snapshot_longest_seconds"),
                                         1000 * one(found, "logflume_loop_pause_longest_seconds")), flush=True)
        if figures["/metrics"] > SCRAPE_MS_MAX:
            raise Failure("a scrape took %.0f ms" % figures["/metrics"])
        if snapshot > SNAPSHOT_MS_MAX:
            raise Failure("a snapshot took %.1f ms" % snapshot)


if __name__ == "__main__":
    run(scrapes_of_a_thousand_partitions)
