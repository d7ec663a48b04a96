"""The last line of ./run test, from the JUnit file that ctest writes: `N passed, N failed, N skipped`.

Exits 1 when a test failed or could not be run.
"""

import sys
import xml.etree.ElementTree as ElementTree


def outcome(case):
    if case.get("status") == "run":
        return "passed"
    skipped = case.find("skipped")
    # ctest calls a test whose program is missing "skipped" too; a test that skips itself says so
    if case.get("status") == "disabled" or (skipped is not None and skipped.get("message", "").startswith("SKIP_")):
        return "skipped"
    return "failed"


def main():
    outcomes = [outcome(case) for case in ElementTree.parse(sys.argv[1]).getroot().iter("testcase")]
    count = {kind: outcomes.count(kind) for kind in ("passed", "failed", "skipped")}
    print(", ".join(f"{number} {kind}" for kind, number in count.items()))
    return 1 if count["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
