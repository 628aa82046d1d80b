"""docs/protocol.md says of statuses what lf_status.h says, and speaks of no message that the protocol lacks.

    protocol_doc_test.py SOURCE_DIR
"""
import re
import sys

source = sys.argv[1]
header = open(source + "/base/lf_status.h").read()
page = open(source + "/docs/protocol.md").read()
proto = open(source + "/protocol/client.proto").read()
wrong = []

rows = re.findall(r'X\((\d+), (\w+), (\w+), "([^"]*)"\)', header)
said = dict((number, (name, action, words)) for number, name, action, words in
            re.findall(r"^\| (\d+) \| `(\w+)` \| ([a-z ]+) \| (.*) \|$", page, re.M))
for number, name, action, words in rows:
    expected = (name, action.lower().replace("_", " "), words)
    if said.pop(number, None) != expected:
        wrong.append("status %s: the page does not say %s | %s | %s" % ((number,) + expected))
wrong += ["status %s is on the page only" % number for number in said]
if len(rows) < 40:
    wrong.append("only %d statuses found in lf_status.h" % len(rows))

fields = set(re.findall(r"[\w.]+ (\w+) = \d+;", proto))
for request in re.findall(r"^\s+\w+ (\w+) = \d+;", proto.split("message ClientRequest")[1].split("oneof body")[1]
                          .split("}")[0], re.M):
    if "`%s" % request not in page:
        wrong.append("request %s is not on the page" % request)
for word in re.findall(r"`([a-z]+(?:_[a-z]+)+)`", page):
    if word not in fields and word not in header:
        wrong.append("the page names %s, which client.proto lacks" % word)

print("\n".join(wrong) or "ok: %d statuses, %d fields" % (len(rows), len(fields)))
sys.exit(1 if wrong else 0)
