#!/usr/bin/python3
"""The arrows of docs/architecture.md, checked on every #include line.

    check_includes.py SOURCE_DIR

Reads arrows.txt beside it. Prints file:line and the sentence for each arrow that points the wrong way; exits 1 if any.
"""
import os
import re
import sys

# The C library without clock, socket, thread, file or process.
PLAIN = set("""assert ctype errno inttypes limits math setjmp stdalign stdarg stdatomic stdbool stddef stdint stdio stdlib
               stdnoreturn string strings""".split())
# What the plain headers still offer and a pure part must not touch.
IMPURE_WORDS = """clock time difftime getenv setenv system exit atexit rand srand random srandom rand_r drand48
    fopen fdopen freopen fclose fread fwrite fgets fputs fputc fprintf vfprintf printf vprintf puts putchar perror
    getline fflush remove rename tmpfile stdin stdout stderr setlocale""".split()
IMPURE = re.compile(r"(?<![\w.>])(%s)\b(?=\s*\()|\b(stdin|stdout|stderr)\b" % "|".join(IMPURE_WORDS))
# ZeroMQ belongs to the edges; tests/unit of them speak it too.
ZEROMQ_HOMES = ("broker/net", "broker/run", "broker/main.c", "client/src/edge", "bench",
                "tests/unit/net", "tests/unit/run", "tests/unit/client", "tests/unit/edge", "tests/cluster")
ROCKSDB_HOMES = ("storage/rocks",)
THREAD_HEADERS = {"lf_ring.h"}  # the queue between threads: an eventfd inside
TOPS = ("base", "protocol", "storage", "broker", "client", "tests", "bench")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def within(path, folder):
    return path == folder or path.startswith(folder + "/")


def read_rules(path):
    rules = {}
    for line in open(path, encoding="utf-8"):
        line = line.split("#", 1)[0].strip()
        if line:
            folder, words = line.split(":", 1)
            rules[folder.strip()] = words.split()
    return rules


def source_files(root):
    for top in TOPS:
        for folder, _, names in os.walk(os.path.join(root, top)):
            for name in sorted(names):
                if name.endswith((".c", ".h")):
                    yield os.path.relpath(os.path.join(folder, name), root)


def without_comments(text):
    """Comments and strings blanked, line numbers kept."""
    pattern = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', re.S)
    return pattern.sub(lambda found: re.sub(r"[^\n]", " ", found.group(0)), text)


class Checker:
    def __init__(self, root, rules):
        self.root, self.rules, self.wrong, self.lines = root, rules, [], 0
        self.headers = {}
        for path in source_files(root):
            if path.endswith(".h"):
                self.headers.setdefault(os.path.basename(path), []).append(path)

    def say(self, path, line, sentence):
        self.wrong.append("%s:%d: %s" % (path, line, sentence))

    def rule_of(self, path):
        fits = [folder for folder in self.rules if within(path, folder)]
        return max(fits, key=len) if fits else None

    def check_system(self, path, line, header, words, pure):
        if header in ("zmq.h", "czmq.h") and not any(within(path, home) for home in ZEROMQ_HOMES):
            return self.say(path, line, "<%s> outside the edges that may speak ZeroMQ" % header)
        if header.startswith("rocksdb/") and not any(within(path, home) for home in ROCKSDB_HOMES):
            return self.say(path, line, "<%s> outside storage/rocks" % header)
        plain = header[:-2] in PLAIN
        if pure and not plain:
            return self.say(path, line, "<%s> in a deterministic part" % header)
        foreign = header in ("zmq.h", "czmq.h", "yaml.h", "jansson.h", "microhttpd.h", "cmocka.h", "nmmintrin.h",
                             "arm_acle.h") or re.match(r"(rocksdb/|lz4|zstd|protobuf)", header)
        if "<%s>" % header in words or "anything" in words or plain or ("system" in words and not foreign):
            return None
        return self.say(path, line, "<%s> is not among what %s may use" % (header, self.rule_of(path)))

    def check_own(self, path, line, header, words, pure):
        if header.endswith(".pb-c.h"):
            if "wire" not in words and "anything" not in words:
                self.say(path, line, '"%s": %s may not use the generated messages' % (header, self.rule_of(path)))
            return
        here = os.path.normpath(os.path.join(os.path.dirname(path), header))
        homes = self.headers.get(os.path.basename(header), [])
        homes = [here] if here in homes else homes
        if not homes:
            return self.say(path, line, '"%s" is no header of this project' % header)
        if "anything" in words:
            return None
        if len(homes) > 1:
            homes = [home for home in homes if not within(home, "tests")] or homes
        home = homes[0]
        if pure and os.path.basename(home) in THREAD_HEADERS:
            return self.say(path, line, '"%s" in a deterministic part' % header)
        mine = self.rule_of(path)
        if os.path.dirname(home) == os.path.dirname(path) or self.rule_of(home) == mine or home in words:
            return None
        if os.path.dirname(home) not in words:
            self.say(path, line, '"%s": no arrow from %s to %s' % (header, mine, os.path.dirname(home)))

    def check_file(self, path):
        mine = self.rule_of(path)
        if mine is None:
            return self.say(path, 1, "a folder without a line in tests/arrows/arrows.txt")
        words = self.rules[mine]
        pure = "pure" in words
        text = open(os.path.join(self.root, path), encoding="utf-8").read()
        for number, line in enumerate(text.split("\n"), 1):
            found = INCLUDE.match(line)
            if found:
                self.lines += 1
                check = self.check_system if found.group(1) == "<" else self.check_own
                check(path, number, found.group(2), words, pure)
        if pure:
            for number, line in enumerate(without_comments(text).split("\n"), 1):
                found = IMPURE.search(line)
                if found:
                    self.say(path, number, "`%s` in a deterministic part" % found.group(0))

    def run(self):
        files = list(source_files(self.root))
        for path in files:
            self.check_file(path)
        return len(files)


def main():
    root = sys.argv[1]
    rules = read_rules(os.path.join(os.path.dirname(os.path.abspath(__file__)), "arrows.txt"))
    checker = Checker(root, rules)
    files = checker.run()
    for sentence in checker.wrong:
        print(sentence)
    print("%d files, %d includes, %d wrong" % (files, checker.lines, len(checker.wrong)))
    return 1 if checker.wrong or not checker.lines else 0


if __name__ == "__main__":
    sys.exit(main())
