#!/usr/bin/python3
"""check_includes.py sees what it is there for: each wrong arrow is planted in a small tree and must be named."""
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))

# path: text, and the words that must be in the complaint; None: must pass.
GOOD = {
    "base/lf_bytes.h": "#include <stdint.h>\n",
    "base/lf_ring.h": "#include <sys/eventfd.h>\n",
    "base/lf_status.h": "",
    "protocol/lf_entry.h": '#include "lf_bytes.h"\n',
    "protocol/lf_record_batch.h": '#include "lf_bytes.h"\n',
    "storage/log_store.h": '#include "lf_entry.h"\n',
    "storage/rocks/rocks_db.h": '#include <rocksdb/c.h>\n#include "log_store.h"\n',
    "broker/raft/raft.h": '#include "lf_bytes.h"\n/* time(NULL) in words is fine */\n',
    "broker/node/node.h": '#include "raft.h"\n#include "client.pb-c.h"\n',
    "broker/net/socket.c": "#include <zmq.h>\n#include <poll.h>\n",
    "client/src/core/core.c": '#include "lf_record_batch.h"\n',
}
WRONG = [
    ("broker/raft/a.c", "#include <time.h>\n", "<time.h> in a deterministic part"),
    ("broker/raft/b.c", '#include "log_store.h"\n', "no arrow from broker/raft to storage"),
    ("broker/raft/c.c", '#include "client.pb-c.h"\n', "generated messages"),
    ("broker/node/d.c", "#include <zmq.h>\n", "outside the edges"),
    ("broker/node/e.c", "long a(void) { return time(0); }\n", "`time` in a deterministic part"),
    ("broker/node/f.c", 'void b(void) { fprintf(stderr, "x"); }\n', "in a deterministic part"),
    ("broker/partition/g.c", '#include "lf_ring.h"\n', '"lf_ring.h" in a deterministic part'),
    ("broker/run/h.c", "#include <rocksdb/c.h>\n", "outside storage/rocks"),
    ("client/src/core/i.c", '#include "node.h"\n', "no arrow from client/src/core to broker/node"),
    ("client/src/edge/j.c", '#include "log_store.h"\n', "no arrow from client/src/edge to storage"),
    ("client/src/edge/k.c", "#include <czmq.h>\n", "not among what client/src/edge may use"),
    ("client/src/core/l.c", "#include <pthread.h>\n", "<pthread.h> in a deterministic part"),
    ("base/m.c", '#include "lf_entry.h"\n', "no arrow from base to protocol"),
    ("base/n.c", "#include <zstd.h>\n", "not among what base may use"),
    ("protocol/o.c", '#include "log_store.h"\n', "no arrow from protocol to storage"),
    ("storage/p.c", "#include <unistd.h>\n", "<unistd.h> in a deterministic part"),
    ("storage/q.c", '#include "rocks_db.h"\n', "no arrow from storage to storage/rocks"),
    ("broker/new/r.c", "", "without a line"),
    ("broker/raft/s.c", '#include "nowhere.h"\n', "no header of this project"),
]


def complaints(files):
    with tempfile.TemporaryDirectory() as root:
        for path, text in files.items():
            os.makedirs(os.path.join(root, os.path.dirname(path)), exist_ok=True)
            with open(os.path.join(root, path), "w", encoding="utf-8") as out:
                out.write(text)
        ran = subprocess.run(["/usr/bin/python3", os.path.join(HERE, "check_includes.py"), root],
                             stdout=subprocess.PIPE, text=True, check=False)
        return ran.returncode, ran.stdout


def main():
    bad = 0
    code, said = complaints(GOOD)
    if code != 0:
        bad += 1
        print("good arrows are refused:\n" + said)
    for path, text, expected in WRONG:
        code, said = complaints({**GOOD, path: text})
        if code != 1 or (path + ":") not in said or expected not in said:
            bad += 1
            print("%s with %r: expected `%s`, got\n%s" % (path, text, expected, said))
    print("%d planted, %d missed" % (len(WRONG), bad))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
