#!/usr/bin/python3
"""Nothing is forgotten: every source is compiled by this build, every test_*.c is run by ctest, every
fuzz_*.c is built where fuzzers are.

    check_built.py SOURCE_DIR BUILD_DIR CTEST FUZZ(0|1)
"""
import json
import os
import subprocess
import sys

TOPS = ("base", "protocol", "storage", "broker", "client", "tests", "bench")


def sources(root):
    for top in TOPS:
        for folder, _, names in os.walk(os.path.join(root, top)):
            for name in sorted(names):
                yield os.path.relpath(os.path.join(folder, name), root)


def main():
    root, build, ctest, fuzz = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4] == "1"
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as commands:
        compiled = {os.path.relpath(os.path.join(c["directory"], c["file"]), root) for c in json.load(commands)}
    shown = subprocess.run([ctest, "--show-only=json-v1"], cwd=build, stdout=subprocess.PIPE, check=True).stdout
    tests = json.loads(shown)["tests"]
    runs = {test["name"].rsplit(".", 1)[-1] for test in tests}
    runs |= {os.path.basename(word) for test in tests for word in test.get("command", [])}
    wrong, count = [], 0
    for path in sources(root):
        name = os.path.basename(path)
        if path.endswith(".c"):
            count += 1
            if path not in compiled and (fuzz or not name.startswith("fuzz_")):
                wrong.append("%s is not compiled by this build" % path)
        if name.startswith("test_") and path.startswith("tests/") and path.endswith(".c") and name[:-2] not in runs:
            wrong.append("%s: no ctest runs it" % path)
    for sentence in wrong:
        print(sentence)
    print("%d sources, %d tests, %d wrong" % (count, len(tests), len(wrong)))
    return 1 if wrong or not count else 0


if __name__ == "__main__":
    sys.exit(main())
