#!/usr/bin/python3
"""Scenarios can fail, say where, and are named for what they show.

    test_scenario.py SCENARIO_PROGRAM SCENARIOS_DIR
"""
import os
import re
import subprocess
import sys
import tempfile

HEAD = "# X1: a fact\nnodes 3\n"
# (what, text, arguments, exit status, a word that standard error has to have)
CASES = [
    ("no title", "nodes 3\n", [], 2, ":1: the first line is the title"),
    ("unknown command", HEAD + "fly 1\n", [], 2, ":3: no command 'fly'; there are:"),
    ("no such node", HEAD + "start\ntick 4\n", ["--outcomes-only"], 2, ":4: no node 4: there are 1 ... 3"),
    ("a node that is down", HEAD + "tick 1\n", [], 1, ":3: FAILED: node 1 is down: 'start 1' first"),
    ("no such kind", HEAD + "start\ncampaign 1\ndeliver 1->2 letter\n", ["--outcomes-only"], 2, "kind of message 'letter'"),
    ("no such link", HEAD + "start\ncut 1-2\n", ["--outcomes-only"], 2, "a link is wanted, such as 1->2"),
    ("a word too much", HEAD + "start\nheal now please\n", ["--outcomes-only"], 2, "'now' is too much; usage: heal"),
    ("a number missing", HEAD + "start\nelapse\n", ["--outcomes-only"], 2, "ends where milliseconds is wanted"),
    ("no such limit", HEAD + "limit speed 3\n", [], 2, "no limit 'speed'"),
    ("no such fact", HEAD + "start\nexpect 1 mood 3\n", ["--outcomes-only"], 2, "no fact 'mood'"),
    ("no such message", HEAD + "quiet start\nquiet campaign 1\ndeliver 2->1\n", [], 1, "1->2 pre-vote-request term=1"),
    ("a trace that differs", HEAD + "elapse 5\n    somebody sang\n", [], 1, "wanted: somebody sang"),
    ("what is demanded", HEAD + "quiet start\nexpect 1 leader\n", [], 1, "node 1 is follower, not leader"),
    ("demands hold with --rewrite too", HEAD + "start\nexpect 1 leader\n", ["--rewrite"], 1, ":4: FAILED"),
    ("an impossible start", HEAD + "disk 1 term 1 log 2x1\n", [], 2, "entries of term 2 on a disk of term 1"),
    ("safety checks", HEAD + "disk 1 term 1 log 1x2 commit 2\nquiet start 1\n", [], 1, "which is on the disks of 1 of 3"),
    ("all as written", HEAD + "quiet start\nquiet elect 1\nexpect 1 leader\n", [], 0, ""),
]


def run(program, arguments):
    done = subprocess.run([program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    return done.returncode, done.stderr.decode(errors="replace")


def check_cases(program, folder):
    for what, text, arguments, wanted, word in CASES:
        path = os.path.join(folder, "x.txt")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        status, said = run(program, [*arguments, path])
        if status != wanted or word not in said:
            yield "%s: exit %d, not %d, saying:\n%s" % (what, status, wanted, said)


def check_rewrite(program, folder):
    path = os.path.join(folder, "r.txt")
    with open(path, "w", encoding="utf-8") as file:
        file.write(HEAD + "# a word\n\nstart\n    a wrong trace\nelect 1\n")
    first, _ = run(program, [path])
    rewritten, said = run(program, ["--rewrite", path])
    again, _ = run(program, [path])
    with open(path, encoding="utf-8") as file:
        text = file.read()
    if (first, rewritten, again) != (1, 0, 0) or "a wrong trace" in text or "# a word\n\nstart\n    node=1 starts" not in text:
        yield "--rewrite: exits %d %d %d, %s\n%s" % (first, rewritten, again, said, text)


def check_names(folder):
    names = sorted(name for name in os.listdir(folder) if name.endswith(".txt"))
    if not names:
        yield "no scenarios in %s" % folder
    for name in names:
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            title = file.readline()
        entry = re.match(r"# ([A-Za-z0-9]+): \S", title)
        if not entry or not name.startswith(entry.group(1).lower()):
            yield "%s: its title is '%s', not '# ENTRY: the fact'" % (name, title.strip())


def main():
    program, scenarios = sys.argv[1], sys.argv[2]
    with tempfile.TemporaryDirectory() as folder:
        wrong = [*check_cases(program, folder), *check_rewrite(program, folder), *check_names(scenarios)]
    for sentence in wrong:
        print(sentence)
    print("%d cases, %d wrong" % (len(CASES), len(wrong)))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
