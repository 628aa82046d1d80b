#!/usr/bin/python3
"""Every header compiles alone, with the include paths of a source beside it (that of its own name first); what is installed with the client also as
C++.

    check_headers.py SOURCE_DIR BUILD_DIR CC CXX
"""
import concurrent.futures
import json
import os
import shlex
import subprocess
import sys
import tempfile

TOPS = ("base", "protocol", "storage", "broker", "client", "tests", "bench")
INSTALLED = ("client/include/", "base/lf_status.h")
WARNINGS = ["-Wall", "-Wextra", "-Wstrict-prototypes", "-Werror"]


def headers(root):
    for top in TOPS:
        for folder, _, names in os.walk(os.path.join(root, top)):
            for name in sorted(names):
                if name.endswith(".h"):
                    yield os.path.relpath(os.path.join(folder, name), root)


def flags_of(command):
    """Include paths, definitions and the standard of one compile command."""
    words = shlex.split(command["command"]) if "command" in command else command["arguments"]
    kept, take = [], False
    for word in words:
        if take or word.startswith(("-I", "-D", "-std=")) or word in ("-isystem",):
            kept.append(word)
        take = word in ("-isystem", "-I", "-D")
    return kept


def choose(commands, path):
    """Flags to try: of the source of the same name, of the others in the folder, of one that has it as include path."""
    folder, stem = os.path.dirname(path), path[:-2]
    named = [flags for source, flags in commands if source[:-2] == stem]
    beside = [flags for source, flags in commands if os.path.dirname(source) == folder]
    seeing = [flags for _, flags in commands if "-I" + folder in flags][:1]
    distinct = []
    for flags in named + beside + seeing:
        if flags not in distinct:
            distinct.append(flags)
    return distinct


def compile_with_any(compiler, language, header, choices, scratch):
    for flags in choices:
        said = compile_alone(compiler, language, header, flags, scratch)
        if not said:
            break
    return said


def compile_alone(compiler, language, header, flags, scratch):
    name = "%s.%s" % (header.replace("/", "_"), "cc" if language == "c++" else "c")
    source = os.path.join(scratch, name)
    with open(source, "w", encoding="utf-8") as out:
        out.write('#include "%s"\n#include "%s"\nextern int nothing_else;\n' % (header, header))
    ran = subprocess.run([compiler, "-x", language, "-fsyntax-only", *flags, *WARNINGS, source],
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return "" if ran.returncode == 0 else "%s does not compile alone as %s:\n%s" % (header, language, ran.stdout)


def jobs(root, build, cc, cxx):
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as text:
        commands = [(os.path.join(c["directory"], c["file"]), flags_of(c)) for c in json.load(text)]
    for header in headers(root):
        path = os.path.join(root, header)
        choices = choose(commands, path)
        if not choices and header.startswith(INSTALLED):
            choices = [["-std=c11", "-I" + os.path.join(root, "base")]]
        if not choices:
            yield None, None, path, None
            continue
        yield cc, "c", path, choices
        if header.startswith(INSTALLED) and cxx:
            plain = ["-I" + os.path.join(root, "base"), "-I" + os.path.join(root, "client/include")]
            yield cc, "c", path, [plain + ["-std=c99", "-pedantic"]]
            yield cxx, "c++", path, [plain + ["-std=c++11", "-pedantic", "-Wno-strict-prototypes"]]


def main():
    root, build, cc, cxx = sys.argv[1:5]
    wrong, count = [], 0
    with tempfile.TemporaryDirectory() as scratch, concurrent.futures.ThreadPoolExecutor(2) as pool:
        waiting = []
        for number, (compiler, language, header, choices) in enumerate(jobs(root, build, cc, cxx)):
            count += 1
            if compiler is None:
                wrong.append("%s: no source of this build sees its folder" % header)
                continue
            own = os.path.join(scratch, str(number))
            os.mkdir(own)
            waiting.append(pool.submit(compile_with_any, compiler, language, header, choices, own))
        wrong += [said for said in (job.result() for job in waiting) if said]
    for sentence in wrong:
        print(sentence)
    print("%d compilations, %d wrong" % (count, len(wrong)))
    return 1 if wrong or not count else 0


if __name__ == "__main__":
    sys.exit(main())
