#!/usr/bin/python3
"""An archive is pure: what it needs from outside is on the allow-list, and it has no writable globals.

    check_pure.py NM ARCHIVE [WORD...]

The allow-list is ALLOWED below and every WORD: a name, or a prefix that ends in `*` (the archive's own arrows). Any
symbol outside it would be a way to a clock, a socket, a thread, a file or to randomness; any writable global would be
state outside the structure that is passed in.
"""
import fnmatch
import subprocess
import sys

ALLOWED = """memchr memcmp memcpy memmove memset malloc calloc realloc free aligned_alloc
    strlen strnlen strcmp strncmp strchr strrchr strstr strspn strcspn strcpy strdup strndup snprintf vsnprintf qsort bsearch abort
    lf_check_failed lf_error_set lf_error_context lf_status_*
    _GLOBAL_OFFSET_TABLE_ __stack_chk_fail __*_chk""".split()
WRITABLE = set("DdBbCcGgSs")


def symbols(nm, archive):
    """(defined names, undefined names, writable names) of all members."""
    listing = subprocess.run([nm, "--format=sysv", archive], stdout=subprocess.PIPE, text=True, check=True).stdout
    defined, undefined, writable = set(), set(), set()
    for line in listing.splitlines():
        words = [word.strip() for word in line.split("|")]
        if len(words) != 7 or words[0] == "Name":
            continue
        name, kind, section = words[0], words[2], words[6]
        if kind in "Uwv":
            undefined.add(name)
            continue
        defined.add(name)
        # .data.rel.ro: constants with addresses in them, read-only once the loader has been there
        if kind in WRITABLE and not section.startswith(".data.rel.ro"):
            writable.add(name)
    return defined, undefined, writable


def main():
    nm, archive, allowed = sys.argv[1], sys.argv[2], ALLOWED + sys.argv[3:]
    defined, undefined, writable = symbols(nm, archive)
    foreign = sorted(name for name in undefined - defined
                     if not any(fnmatch.fnmatchcase(name, pattern) for pattern in allowed))
    for name in foreign:
        print("%s needs %s, which is not on the allow-list" % (archive, name))
    for name in sorted(writable):
        print("%s has a writable global: %s" % (archive, name))
    print("%d symbols defined, %d from outside, %d not allowed, %d writable"
          % (len(defined), len(undefined - defined), len(foreign), len(writable)))
    return 1 if foreign or writable or not defined else 0


if __name__ == "__main__":
    sys.exit(main())
