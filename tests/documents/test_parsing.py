"""Command lines are found in the documents, and the table that makes them tiny fits them:

    python3 tests/documents/test_parsing.py
"""

import collections
import pathlib
import unittest

from command_lines import GROUPS, ROOT, command_lines, documents, printed_in
from substitutions import SUBSTITUTIONS

MARKDOWN = """\
Prose with `lucivox info
FILE` over two lines, `lucivox train ddnet`, which is a name, and `other FILE`.

```
lucivox train ddnet --run a   # a comment
# lucivox commented
lucivox enhance a \\
  b c
other lucivox
```
Then `./run demo`.
"""
TOML = """\
# A configuration, used by lucivox train ddnet:
#
#   lucivox train ddnet --config a.toml   # a comment
#   srun lucivox info \\
#     a
"""


def found(document, text):
    return [(line.number, " ".join(line.text.split())) for line in printed_in(document, text)]


def options(text):
    """Options and the names of settings, each as often as it is there."""
    return collections.Counter(
        word.split("=")[0] for word in text.split() if word.startswith("-") or "=" in word)


class Parsing(unittest.TestCase):
    def test_finds_blocks_and_inline_code_in_markdown(self):
        self.assertEqual(found("a.md", MARKDOWN), [
            (5, "lucivox train ddnet --run a"), (7, "lucivox enhance a b c"), (1, "lucivox info FILE"),
            (11, "./run demo")])

    def test_finds_indented_comments_elsewhere(self):
        self.assertEqual(found("a.toml", TOML), [
            (3, "lucivox train ddnet --config a.toml"), (4, "srun lucivox info a")])

    def test_every_example_shows_how_it_is_used(self):
        for document in documents("examples"):
            lines = printed_in(document, (ROOT / document).read_text())
            self.assertTrue(any(pathlib.Path(document).name in line.text for line in lines), document)


class Substitutions(unittest.TestCase):
    def test_keep_every_option(self):
        for printed, tiny in SUBSTITUTIONS.items():
            lost = sorted(options(printed) - options(tiny))
            self.assertFalse(lost, f"the substitution of '{printed}' drops {', '.join(lost)}")

    def test_are_all_needed(self):
        everything = "\n".join(f"{line.text} " for group in GROUPS for line in command_lines(group))
        for printed in SUBSTITUTIONS:
            self.assertTrue(f"{printed} " in everything, f"no document prints '{printed}': remove its substitution")


if __name__ == "__main__":
    unittest.main(verbosity=2)
