"""Every test is one that tests/CMakeLists.txt finds by reading: it stands in a file that is compiled, and its suite in the
line that begins it. A test written otherwise would be compiled and never run.

test_suites.py TESTS   the folder tests
"""

import pathlib
import re
import sys
import unittest

ANY = re.compile(r"^\s*(?:TYPED_)?TEST(?:_[A-Z]+)?\s*\(")
READ = re.compile(r"^TEST(?:_F|_P)?\([A-Za-z0-9]+,[^;]*$")  # lucivox_suites_of()


def unread(text):
    return [line for line in text.splitlines() if ANY.match(line) and not READ.match(line)]


class Suites(unittest.TestCase):
    def test_all_are_found(self):
        for path in TESTS.rglob("*.cpp"):
            self.assertEqual(unread(path.read_text()), [], path)

    def test_all_files_are_compiled(self):
        for path in TESTS.rglob("test_*.cpp"):
            room = TESTS / path.relative_to(TESTS).parts[0]
            compiled = re.findall(r"[\w/]+\.cpp", (room / "CMakeLists.txt").read_text())
            self.assertIn(path.relative_to(room).as_posix(), compiled)

    def test_one_written_otherwise_would_be_told(self):
        self.assertEqual(unread("TEST(A, B) {\nTEST_F(A, B) {\nTEST_P(A, B) {\n"), [])
        for line in ("  TEST(A, B) {", "TEST (A, B) {", "TYPED_TEST(A, B) {", "TEST(", "TEST(A, B) { f(); }"):
            self.assertEqual(unread(line), [line])


if __name__ == "__main__":
    TESTS = pathlib.Path(sys.argv.pop(1))
    unittest.main()
