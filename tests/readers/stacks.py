"""Stacks that write_stacks writes, and what is in them, for the tests that give them to other programs."""

import json
import pathlib
import subprocess
import sys
import unittest

PATIENCE_S = 300  # with another program; it takes seconds
SKIPPED = 77


def skip(why):
    print(f"skipped: {why}; ./run test installs it")
    sys.exit(SKIPPED)


def write_stacks(program, folder):
    subprocess.run([program, folder], check=True, timeout=PATIENCE_S)
    return json.loads((pathlib.Path(folder) / "stacks.json").read_text())


def value(stack, z, y, x):
    return stack["low"] + stack["step"] * ((13 * z + 7 * y + x) % 256)


def page(stack, z):
    """The values of a page, row after row."""
    _, rows, columns = stack["shape"]
    return [value(stack, z, y, x) for y in range(rows) for x in range(columns)]


def of_three_pages(stacks):
    """One of each kind, as each of the files in a test by rmse() takes a start of lucivox."""
    return [stack for stack in stacks if stack["shape"][0] == 3]


def rmse(lucivox, path, truth):
    """How far lucivox finds two of its images apart."""
    command = [lucivox, "evaluate", path, truth, "--window=-1024,1024", "--json", "--quiet"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=PATIENCE_S)
    return json.loads(done.stdout)["mean"]["rmse"]


def main():
    """Runs the tests of a script that was called as SCRIPT WRITE_STACKS LUCIVOX."""
    unittest.main(argv=sys.argv[:1], verbosity=2)
