"""ImageJ shows the TIFF stacks that lucivox writes, and lucivox reads what ImageJ saves:

    python3 tests/readers/test_imagej.py build/release/bin/write_stacks build/release/bin/lucivox
"""

import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

import stacks

IMAGEJ = pathlib.Path("/usr/share/java/ij.jar")
PROGRAM = pathlib.Path(__file__).with_name("ReadStacks.java")


def imagej(saved, files, home):
    """The lines that ReadStacks prints, of one start of ImageJ without a display."""
    command = ["java", "-Djava.awt.headless=true", f"-Duser.home={home}", "-cp", IMAGEJ, PROGRAM, saved, *files]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=stacks.PATIENCE_S)
    return [line.split("\t") for line in done.stdout.splitlines()]


class ImageJ(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.path = pathlib.Path(cls.folder.name)
        cls.saved = cls.path / "saved"
        cls.saved.mkdir()
        cls.stacks = stacks.write_stacks(WRITE_STACKS, cls.path)
        lines = imagej(cls.saved, [cls.path / stack["file"] for stack in cls.stacks], cls.path)
        cls.shown = {(name, int(slice_number) - 1): rest for name, slice_number, *rest in lines}

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def test_shows_every_page_with_its_values(self):
        for stack in self.stacks:
            for z in range(stack["shape"][0]):
                mean, least, greatest = (float(text) for text in self.shown[stack["file"], z][:3])
                values = stacks.page(stack, z)
                small = 1e-5 * max(1, abs(stack["low"]))  # float32
                message = f"{stack['file']}, page {z}"
                self.assertAlmostEqual(mean, sum(values) / len(values), delta=small, msg=message)
                self.assertAlmostEqual(least, min(values), delta=small, msg=message)
                self.assertAlmostEqual(greatest, max(values), delta=small, msg=message)
        self.assertEqual(len(self.shown), sum(stack["shape"][0] for stack in self.stacks))

    def test_knows_units_and_the_size_of_a_voxel(self):
        for stack in self.stacks:
            value_unit, unit, *size = self.shown[stack["file"], 0][3:]
            expected = "Gray Value" if stack["units"] == "unknown" else stack["units"]
            self.assertEqual(value_unit, expected, stack["file"])
            self.assertEqual(unit, "mm", stack["file"])
            for shown, written in zip(size, (0.5, 0.75, 2.5)):
                self.assertAlmostEqual(float(shown), written, places=6, msg=stack["file"])

    def test_saves_what_lucivox_reads(self):
        for stack in stacks.of_three_pages(self.stacks):
            apart = stacks.rmse(LUCIVOX, self.saved / stack["file"], self.path / stack["file"])
            self.assertLess(apart, 1e-4, stack["file"])


if __name__ == "__main__":
    WRITE_STACKS, LUCIVOX = sys.argv[1:]
    if not IMAGEJ.exists() or shutil.which("javac") is None:
        stacks.skip("ImageJ or a JDK is not installed (setup/apt-test.txt)")
    stacks.main()
