"""A peer's side of a benchmark in Python: the twin of bench/worker.h. README.md tells the protocol."""

import json
import pathlib
import sys
import time


def start():
    """(folder, threads) from the arguments that harness.py gives."""
    _, folder, threads = sys.argv
    return pathlib.Path(folder), int(threads)


def serve(about, commands):
    """Announces itself with the versions in `about`, then runs and times commands until standard input ends."""
    print("ready", json.dumps(about), flush=True)
    for line in sys.stdin:
        begin = time.perf_counter()
        commands[line.strip()]()
        print(f"ok {time.perf_counter() - begin:.9f}", flush=True)
