"""A client written from docs/protocol.md alone, against real brokers."""
import os
import subprocess
import sys

from harness import Cluster, Failure, ROOT
from workload import run


def a_client_from_the_documentation_alone():
    with Cluster(3) as cluster:
        cluster.start()
        client = [sys.executable, os.path.join(ROOT, "tests", "cluster", "protocol_client.py")]
        for node in cluster.nodes:
            done = subprocess.run(client + [node.address], timeout=60)
            if done.returncode != 0:
                raise Failure("exit %d" % done.returncode)


if __name__ == "__main__":
    run(a_client_from_the_documentation_alone)
