"""Adds to same_bits.json what this build computes on a processor that is not in it: losses of short trainings and hashes of
what they made.

make_same_bits.py build/release/tests/program/test_program
"""

import json
import os
import pathlib
import subprocess
import sys

GOLDEN = pathlib.Path(__file__).parent / "same_bits.json"
TARGETS = {}, {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"}  # as in tests/program/CMakeLists.txt


def main():
    golden = json.loads(GOLDEN.read_text())
    for target in TARGETS:
        run = subprocess.run([sys.argv[1], "--gtest_filter=*SameBits*"], env=os.environ | target, stdout=subprocess.PIPE,
                             text=True, check=False)
        for line in run.stdout.splitlines():
            if line.startswith("same-bits "):
                one = json.loads(line.removeprefix("same-bits "))
                golden.setdefault(one["key"], {})[one["kind"]] = one["now"]
    GOLDEN.write_text(json.dumps(golden, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
