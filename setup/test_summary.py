"""The end of ./run test: the ten slowest tests, and as the last line `N passed, N failed, N skipped`.

test_summary.py tests.xml test-results   the JUnit file that ctest writes, and the folder in which the suites of
                                         GoogleTest leave theirs, with an entry for each test

Exits 1 when a test failed or could not be run.
"""

import pathlib
import sys
import xml.etree.ElementTree as ElementTree

SLOWEST = 10


def outcome_of_program(case):
    """What ctest says of a test, that is a program."""
    if case.get("status") == "run":
        return "passed"
    skipped = case.find("skipped")
    # ctest calls a test whose program is missing "skipped" too; a test that skips itself says so
    if case.get("status") == "disabled" or (skipped is not None and skipped.get("message", "").startswith("SKIP_")):
        return "skipped"
    return "failed"


def outcome_in_suite(case):
    """What GoogleTest says of one of its tests."""
    if case.find("failure") is not None:
        return "failed"
    return "passed" if case.get("result") == "completed" else "skipped"


def tests_of(program, results):
    """Name, outcome and seconds of every test that a program of ctest's ran."""
    name, outcome = program.get("name"), outcome_of_program(program)
    suite = results / f"{name}.xml"
    tests = []
    if suite.exists():
        tests = [(f"{case.get('classname')}.{case.get('name')}", outcome_in_suite(case), float(case.get("time")))
                 for case in ElementTree.parse(suite).getroot().iter("testcase")]
    told = any(test[1] == "failed" for test in tests)
    if not tests or (outcome == "failed" and not told):  # ended before it could tell, or by a signal afterwards
        tests.append((name, outcome, float(program.get("time"))))
    return tests


def main():
    programs = ElementTree.parse(sys.argv[1]).getroot().iter("testcase")
    tests = [test for program in programs for test in tests_of(program, pathlib.Path(sys.argv[2]))]
    print("the slowest tests:")
    for name, _, seconds in sorted(tests, key=lambda test: -test[2])[:SLOWEST]:
        print(f"{seconds:8.1f} s  {name}")
    count = {kind: sum(test[1] == kind for test in tests) for kind in ("passed", "failed", "skipped")}
    print(", ".join(f"{number} {kind}" for kind, number in count.items()))
    return 1 if count["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
