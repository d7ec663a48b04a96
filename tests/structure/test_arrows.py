"""No include runs against the arrows: a room includes itself and what its CMakeLists.txt says that it uses, however far
below. Linking alone does not tell, for a header of another room may need nothing linked.

test_arrows.py SOURCES   of src/lucivox
"""

import pathlib
import re
import sys
import unittest

INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]lucivox/([^>"]+)[>"]', re.MULTILINE)
ROOM = re.compile(r"lucivox_room\((\w+)(.*?)\)\s*$", re.MULTILINE | re.DOTALL)


def libraries_of(sources):
    """Folder of each library, and the libraries that it uses."""
    folders, uses = {}, {}
    for path in sources.rglob("CMakeLists.txt"):
        for name, rest in ROOM.findall(path.read_text()):
            folders[name] = path.parent.relative_to(sources).as_posix()
            uses[name] = re.findall(r"\blucivox_(\w+)", rest.partition("USES")[2])
    return folders, uses


def below(name, uses):
    found, todo = set(), [name]
    while todo:
        one = todo.pop()
        if one not in found:
            found.add(one)
            todo += uses[one]
    return found


def rooms_of(sources):
    """The rooms that each room may include. A room is a folder; it may hold several libraries."""
    folders, uses = libraries_of(sources)
    rooms = {folder: set() for folder in folders.values()}
    for name, folder in folders.items():
        rooms[folder] |= {folders[one] for one in below(name, uses)}
    return rooms


def room_of(path, rooms):
    """The innermost room that a path relative to the sources lies in; None: it lies in none."""
    return max((room for room in rooms if path.startswith(room + "/")), key=len, default=None)


def wrong_includes(sources):
    rooms, wrong = rooms_of(sources), []
    for path in sorted(sources.rglob("*")):
        if path.suffix not in (".h", ".cpp", ".cu"):
            continue
        name = path.relative_to(sources).as_posix()
        here = room_of(name, rooms)
        for included in INCLUDE.findall(path.read_text()):
            there = room_of(included, rooms)
            if here is not None and there not in rooms[here]:
                wrong.append(f"{name} includes <lucivox/{included}>")
    return wrong


class Arrows(unittest.TestCase):
    def test_no_include_runs_against_them(self):
        self.assertEqual(wrong_includes(SOURCES), [])

    def test_an_include_against_them_is_found(self):
        rooms = rooms_of(SOURCES)
        self.assertIn("base", rooms["train"])
        self.assertNotIn("train", rooms["nn"])
        self.assertNotIn("exec", rooms["nn"])
        self.assertEqual(room_of("nn/networks/ddnet.h", rooms), "nn")


if __name__ == "__main__":
    SOURCES = pathlib.Path(sys.argv.pop(1))
    unittest.main()
