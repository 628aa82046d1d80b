"""The long form of the cluster tests: the figures.

    run.py --full
"""
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
FULL = [("test_kills.py", "10"), ("test_pause.py",), ("test_two_down.py",), ("test_vanishing_broker.py",),
        ("test_handover.py",), ("test_unreliable.py",), ("test_protocol_client.py",), ("test_unread_answers.py",), ("test_full_disk.py",), ("test_retention.py",), ("test_compaction.py",), ("test_compaction_and_kills.py",),
        ("test_images.py",),
        ("test_dev_broker.py",),
        ("test_admin.py",), ("test_admin_scale.py",), ("test_power_cuts.py", "30", "7"),
        ("test_membership.py", "--full"), ("test_lost_node.py",), ("test_replace_store.py",), ("test_store_tools.py",), ("test_replace_points.py",), ("test_lost_majority.py",), ("test_recover_points.py",), ("test_bitflips.py", "700", "1", "100"),
        ("test_shrink_and_grow.py", "1"), ("test_shrink_and_grow.py", "2", "unreliable"),
        ("test_moves_and_kills.py", "60", "1"), ("test_moves_and_kills.py", "60", "2", "unreliable")]


def main():
    if sys.argv[1:] != ["--full"]:
        print(__doc__, file=sys.stderr)
        return 2
    failed = 0
    for name, *arguments in FULL:
        print("== %s %s" % (name, " ".join(arguments)), flush=True)
        failed += subprocess.run([sys.executable, os.path.join(HERE, name), *arguments]).returncode != 0
    print("%d passed, %d failed" % (len(FULL) - failed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
