"""Every command line that our guides and examples print runs, on tiny data:

    python3 tests/documents/test_command_lines.py build/release/bin/lucivox guides    # or examples
"""

import json
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

import tiny_data
from command_lines import ROOT, command_lines
from substitutions import SUBSTITUTIONS

PATIENCE_S = 300  # with a command; the longest, a sweep, takes a minute


def made_tiny(text):
    printed = sorted(SUBSTITUTIONS, key=len, reverse=True)
    pattern = rf"(?<!\S)(?:{'|'.join(map(re.escape, printed))})(?!\S)"
    return re.sub(pattern, lambda match: SUBSTITUTIONS[match[0]], text)


def output(*words):
    return subprocess.run(words, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True, timeout=PATIENCE_S).stdout


def presets(kind):
    return {preset["name"] for preset in json.loads((ROOT / "CMakePresets.json").read_text())[kind]}


class CommandLines(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.data = pathlib.Path(folder.name) / "data"
        cls.data.mkdir()
        tiny_data.make_all(LUCIVOX, cls.data)

    def test_all(self):
        check = {"lucivox": self.runs, "srun": self.runs, "./run": self.is_task, "sbatch": self.is_script,
                 "cmake": self.is_preset}
        lines = command_lines(GROUP)
        self.assertTrue(lines, f"no command line is found in the {GROUP}")
        for line in lines:
            with self.subTest(str(line)):
                check[line.text.split(" ")[0]](line)

    def runs(self, line):
        """In a folder of its own, with a copy of all data."""
        tiny = made_tiny(line.text).removeprefix("srun ")
        words = shlex.split(tiny)[1:]
        with tempfile.TemporaryDirectory() as temporary:
            folder = pathlib.Path(temporary) / "work"
            shutil.copytree(self.data, folder)
            if "--run" in words and "--resume" not in words:  # a training makes the folder of its run
                shutil.rmtree(folder / words[words.index("--run") + 1], ignore_errors=True)
            begun = time.monotonic()
            done = subprocess.run([LUCIVOX, *words], cwd=folder, capture_output=True, text=True, timeout=PATIENCE_S)
        print(f"{time.monotonic() - begun:6.1f} s  {tiny}", flush=True)
        self.assertEqual(done.returncode, 0, f"""
{line}
was run as
    {tiny}
and failed:
{done.stdout}{done.stderr}
Mend the document. If the line is right, change its values in tests/documents/substitutions.py to what
tests/documents/tiny_data.py makes, or make there what it needs.""")

    def is_task(self, line):
        """Of the script ./run; what the task does is not run."""
        task, *arguments = shlex.split(line.text)[1:]
        self.assertIn(task, re.findall(r"^\./run (\S+)", output("./run", "help"), re.MULTILINE), line)
        names = [argument for argument in arguments[:1] if not argument.isupper()]  # a placeholder fits everywhere
        known = {"bench": output("./run", "bench").split(), "build": presets("configurePresets"),
                 "tidy": [path.name for path in (ROOT / "src/lucivox").iterdir()]}
        for name in names:
            self.assertTrue(name.startswith("-") or name in known.get(task, []), f"{line}: no '{name}'")

    def is_script(self, line):
        script, *files = [word for word in shlex.split(line.text)[1:] if word.startswith("examples/")]
        output("bash", "-n", script)
        for file in files:
            self.assertTrue((ROOT / file).is_file(), line)

    def is_preset(self, line):
        words = shlex.split(line.text)
        kind = "buildPresets" if "--build" in words else "configurePresets"
        self.assertIn(words[words.index("--preset") + 1], presets(kind), line)


if __name__ == "__main__":
    LUCIVOX, GROUP = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2]
    unittest.main(argv=sys.argv[:1], verbosity=2)
