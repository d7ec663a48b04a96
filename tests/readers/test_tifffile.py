"""tifffile reads the TIFF stacks that lucivox writes, and lucivox those that tifffile writes for ImageJ:

    python3 tests/readers/test_tifffile.py build/release/bin/write_stacks build/release/bin/lucivox
"""

import os
import pathlib
import sys
import tempfile
import unittest

import stacks

PYTHON = pathlib.Path(__file__).resolve().parents[2] / "build/readers/bin/python"


def stored(stack):
    """The numbers in the file, as an array [Z, Y, X]."""
    pages = [stacks.page(stack, z) for z in range(stack["shape"][0])]
    values = numpy.array(pages).reshape(stack["shape"])
    return ((values - stack["intercept"]) / stack["slope"]).astype(stack["type"])


class Tifffile(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.path = pathlib.Path(cls.folder.name)
        cls.stacks = stacks.write_stacks(WRITE_STACKS, cls.path)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def test_reads_the_numbers_of_every_page(self):
        for stack in self.stacks:
            read = tifffile.imread(self.path / stack["file"])
            self.assertEqual(read.dtype, stack["type"], stack["file"])
            numpy.testing.assert_array_equal(read.reshape(stack["shape"]), stored(stack), stack["file"])
            with tifffile.TiffFile(self.path / stack["file"]) as file:  # without what the description says
                pages = numpy.stack([page.asarray() for page in file.pages])
            numpy.testing.assert_array_equal(pages, stored(stack), stack["file"])

    # tifffile writes one page for ImageJ, with the pixels of the others behind it
    def test_writes_for_imagej_what_lucivox_reads(self):
        for stack in stacks.of_three_pages(self.stacks):
            theirs = self.path / f"theirs-{stack['file']}"
            values = stored(stack).astype("float32") * stack["slope"] + stack["intercept"]
            tifffile.imwrite(theirs, values.astype("float32"), imagej=True)
            self.assertLess(stacks.rmse(LUCIVOX, theirs, self.path / stack["file"]), 1e-4, stack["file"])


if __name__ == "__main__":
    WRITE_STACKS, LUCIVOX = sys.argv[1:]
    if not PYTHON.exists():
        stacks.skip("tifffile is not installed (setup/readers.txt)")
    if pathlib.Path(sys.prefix) != PYTHON.parents[1]:
        os.execv(PYTHON, [PYTHON, *sys.argv])
    import numpy
    import tifffile

    stacks.main()
