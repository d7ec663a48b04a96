"""The frame of every benchmark: proves that two sides agree, then times them in turns. See README.md.

    bench = harness.Bench("ddnet-train", __doc__)
    bench.against("pytorch", harness.peer("ddnet_train.py"), prepare, compare)
    bench.finish()

A side that does more or less work in a step than the other says so: its `units` count it, and seconds are
compared by the unit.
"""

import argparse
import contextlib
import dataclasses
import datetime
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import machine

ROOT = pathlib.Path(__file__).resolve().parent.parent
SCATTER = 1.25  # between the rounds' ratios, above which a quiet machine would not come
PAUSE_S = 0.05  # between turns, until the threads of the side that just worked sleep
TURN_S = 1.0  # of steps in a turn, at least: as in training, most follow another of their own side


@dataclasses.dataclass
class Agreement:
    """One figure on which both sides must agree."""

    what: str
    error: float
    bound: float

    @property
    def holds(self):
        return self.error < self.bound  # false for NaN


def relative_error(ours, peer):
    """||ours - peer|| / ||peer|| of two tensors of one shape, computed in float64."""
    assert ours.shape == peer.shape, f"shapes differ: {tuple(ours.shape)} and {tuple(peer.shape)}"
    ours, peer = ours.double(), peer.double()
    return ((ours - peer).norm() / peer.norm()).item()


def worst_of(agreements):
    """Of many figures those that do not hold, eight at most, or else the worst."""
    failed = [a for a in agreements if not a.holds]
    if failed:
        return failed[:8]
    worst = max(agreements, key=lambda a: a.error / a.bound)
    return [dataclasses.replace(worst, what=f"worst of {len(agreements)}: {worst.what}")]


class Worker:
    """One side: a process that runs the commands it is told, one a line, and answers with the seconds each took."""

    def __init__(self, side, command, folder, threads):
        self.side = side
        # the variables as well as the argument, for runtimes that are up before a program can set its threads
        environment = os.environ | {name: str(threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
        # threads that wait sleep soon, as our command has it: who shares a core would else wait for a spinning one
        environment.setdefault("GOMP_SPINCOUNT", "1000")
        self.process = subprocess.Popen([*map(str, command), str(folder), str(threads)], env=environment, text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.about = json.loads(self._answer("ready"))
        self.units = self.about.get("units", 1)  # of work in a step

    def run(self, command):
        """Runs one command; returns its seconds."""
        with contextlib.suppress(BrokenPipeError):  # _answer tells why
            self.process.stdin.write(command + "\n")
            self.process.stdin.flush()
        return float(self._answer("ok"))

    def turn(self):
        """Steps for TURN_S; returns the median of their seconds."""
        seconds = []
        while sum(seconds) < TURN_S:
            seconds.append(self.run("step"))
        return statistics.median(seconds)

    def peak_memory_mb(self):
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) // 1024
        return None

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()

    def _answer(self, expected):
        line = self.process.stdout.readline()
        word, _, rest = line.strip().partition(" ")
        if word != expected:
            sys.exit(f"error: the side '{self.side}' answered {line.strip()!r} instead of '{expected}'\n"
                     "hint: its own message stands above")
        return rest


def peer(script):
    """The command of a peer's side, a script of bench/peers."""
    return [sys.executable, ROOT / "bench" / "peers" / script]


class Bench:
    def __init__(self, name, description, add_options=None):
        """`add_options(parser)` adds options of the benchmark's own."""
        sys.stdout.reconfigure(line_buffering=True)  # so that it keeps its order with the sides' messages in a log
        self.name = name
        self.options = parse_arguments(description, add_options)
        self.json = ROOT / "build" / "bench" / f"{name}.json"
        self.json.unlink(missing_ok=True)
        self.record = {"name": name, "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
                       "commit": machine.commit(ROOT), "machine": machine.facts(), "threads": self.options.threads, "peers": []}
        print(f"{name} on {machine.describe(self.record['machine'])}; {self.options.threads} threads a side")

    def program(self, *arguments):
        """The command of our side."""
        return [self.options.build / "bin" / f"bench_{self.name.replace('-', '_')}", *arguments]

    def against(self, peer, peer_command, prepare, compare, unit="step", afterwards=None, ours=None, case=None):
        """Compares with one peer. `prepare(folder)` writes what both sides read, `compare(folder)` returns the
        Agreements on what they wrote when told to `check`. `unit` is what the sides count as `units`;
        `afterwards(worker, folder)` measures more on our side, and what it returns is recorded. `ours` is our side's
        command if it takes arguments, `case` tells comparisons with the same peer apart."""
        with contextlib.ExitStack() as stack:
            folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=f"bench-{self.name}-")))
            prepare(folder)
            sides = {}
            for side, command in (("ours", ours or self.program()), (peer, peer_command)):
                sides[side] = Worker(side, command, folder, self.options.threads)
                stack.callback(sides[side].close)
            sides["ours"].run("prepare")
            for worker in sides.values():
                worker.run("check")
            agreements = compare(folder)
            require_agreement(agreements)
            times = alternate(sides, self.options.warmup, self.options.rounds)
            self.add(peer, case, sides, agreements, times, unit)
            if afterwards:
                self.record["peers"][-1]["afterwards"] = afterwards(sides["ours"], folder)

    def finish(self):
        """Writes the JSON file, then prints the result lines, the first peer's last."""
        save(self.json, json.dumps(self.record, indent=2) + "\n")
        print(f"everything measured is in {self.json.relative_to(ROOT)}")
        for entry in reversed(self.record["peers"]):
            case = f" case={entry['case']}" if entry["case"] else ""
            print(f"RESULT name={self.name}{case} peer={entry['peer']} ratio={entry['ratio']:.2f} agree=yes")

    def add(self, peer, case, sides, agreements, times, unit):
        """Takes up what was measured; a side is a Worker or the like of one."""
        medians = {side: statistics.median(seconds) for side, seconds in times.items()}
        each = [theirs / ours for ours, theirs in zip(times["ours"], times[peer])]
        entry = {
            "peer": peer,
            "case": case,
            "ratio": medians[peer] / medians["ours"],
            "ratio_of_each_round": each,
            "unit": unit,
            "units_of_a_step": {side: worker.units for side, worker in sides.items()},
            "median_s": medians,
            "times_s": times,
            "peak_memory_mb": {side: worker.peak_memory_mb() for side, worker in sides.items()},
            "about": {side: worker.about for side, worker in sides.items()},
            "agreements": [dataclasses.asdict(a) for a in agreements],
        }
        self.record["peers"].append(entry)
        print_times(entry)


def save(path, text):
    """Writes a file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text)
    partial.rename(path)


def parse_arguments(description, add_options):
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    cores = len(os.sched_getaffinity(0))
    parser.add_argument("--threads", type=positive, default=cores, help="of each side (all cores)")
    parser.add_argument("--rounds", type=positive, default=7, help="timed turns of each side, at least 5 (7)")
    parser.add_argument("--warmup", type=positive, default=2, help="turns before these that do not count (2)")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build" / "release",
                        help="where our side was built (build/release)")
    if add_options:
        add_options(parser)
    options = parser.parse_args()
    if options.rounds < 5:
        parser.error("--rounds: fewer than 5 prove nothing")
    return options


def positive(text):
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


def require_agreement(agreements):
    """Prints the agreement; ends the program when it does not hold."""
    assert agreements, "nothing was compared"
    width = max(len(a.what) for a in agreements)
    for a in agreements:
        verdict = "ok" if a.holds else "DISAGREES"
        print(f"  {a.what:<{width}}  error {a.error:.2e}  must be below {a.bound:.0e}  {verdict}")
    if not all(a.holds for a in agreements):
        sys.exit("error: the two sides do not compute the same thing, so there is no ratio\n"
                 "hint: find out which side is wrong before timing either")


def alternate(sides, warmup, rounds, resting=False):
    """Seconds of each side's steps, by the unit of work, taken in turns so that both see the same machine. `resting`:
    between its turns a side holds nothing (command "rest"), and gets ready for the next untimed ("wake")."""
    times = {side: [] for side in sides}
    for turn in range(warmup + rounds):
        for side, worker in sides.items():
            time.sleep(PAUSE_S)
            if resting:
                worker.run("wake")
            seconds = worker.turn() / worker.units
            if resting:
                worker.run("rest")
            if turn >= warmup:
                times[side].append(seconds)
        show_turn(turn + 1, warmup + rounds)
    return times


def show_turn(done, total):
    if sys.stderr.isatty():
        print(f"\r  turn {done} of {total}", end="\n" if done == total else "", file=sys.stderr, flush=True)


def print_times(entry):
    width = max(map(len, entry["times_s"]))
    if entry["case"]:
        print(f"  {entry['case']}")
    print(f"  {'side':<{width}}  {'median':>9}  {'fastest':>9}  {'slowest':>9}  {'memory':>8}")
    for side, seconds in entry["times_s"].items():
        print(f"  {side:<{width}}  {statistics.median(seconds):>7.4f} s  {min(seconds):>7.4f} s  {max(seconds):>7.4f} s"
              f"  {entry['peak_memory_mb'][side]:>5} MB")
    each = entry["ratio_of_each_round"]
    print(f"  {entry['peer']} takes {entry['ratio']:.2f} times as long a {entry['unit']}"
          f" ({min(each):.2f} to {max(each):.2f} in single rounds)")
    if max(each) > SCATTER * min(each):
        print("  the rounds scatter: something else works on this machine; run this again when it is quiet")
