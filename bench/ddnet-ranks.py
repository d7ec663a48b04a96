"""Two processes of one thread that train DDNet together, against one process of two threads, the batch the same.

Both sides are the command itself (`lucivox train ddnet`, with and without --ranks); what is compared is the seconds of
an epoch that it recorded, the first one of each run left out. They agree when their first loss and the weights' effect
on it after an epoch do, to what float32's other order of sums explains.
"""

import json
import os
import pathlib
import subprocess
import tempfile

import harness

RANKS = 2
SLICES, SIZE, BATCH, EPOCHS = 8, 256, 4, 3
# the first loss is of the same weights; after an epoch Adam has turned rounding in small gradients into steps
FIRST, LATER = 1e-5, 2e-2


class Side:
    """A run of the command for every turn."""

    units = SLICES // BATCH * (EPOCHS - 1)  # steps
    about = {}

    def __init__(self, name, ranks, options, folder):
        self.name, self.ranks, self.options, self.folder = name, ranks, options, folder
        self.runs = 0

    def turn(self):
        """Seconds of the epochs after the first."""
        self.runs += 1
        run = self.folder / f"{self.name}-{self.runs}"
        settings = (f"data.train={self.folder / 'slices'}", f"train.epochs={EPOCHS}", f"train.batch={BATCH}")
        lucivox(self.options, "train", "ddnet", "--run", run, "--ranks", self.ranks,
                *(word for setting in settings for word in ("--set", setting)))
        lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        self.losses = [line["loss"] for line in lines if line["kind"] == "step"]
        seconds = [line["seconds"] for line in lines if line["kind"] == "epoch"]
        self.memory = json.loads((run / "summary.json").read_text())["peak_memory"]
        return seconds[-1] - seconds[0]

    def peak_memory_mb(self):
        """Of one process."""
        return round(self.memory / 2**20)


def lucivox(options, *arguments):
    command = [options.build / "bin" / "lucivox", *arguments, "--quiet"]
    subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL,
                   env=os.environ | {"OMP_NUM_THREADS": str(RANKS)})


def agreements(ours, peer):
    errors = [abs(a - b) / abs(b) for a, b in zip(ours.losses, peer.losses)]
    return [harness.Agreement("first loss", errors[0], FIRST),
            harness.Agreement("worst loss of all steps", max(errors), LATER)]


def main():
    bench = harness.Bench("ddnet-ranks", __doc__)
    with tempfile.TemporaryDirectory(prefix="bench-ddnet-ranks-") as name:
        folder = pathlib.Path(name)
        lucivox(bench.options, "simulate", "ct", folder / "slices", "--slices", SLICES, "--size", SIZE)
        sides = {"ours": Side("together", RANKS, bench.options, folder),
                 "threads": Side("alone", 1, bench.options, folder)}
        for side in sides.values():
            side.turn()
        found = agreements(*sides.values())
        harness.require_agreement(found)
        times = harness.alternate(sides, bench.options.warmup, bench.options.rounds)
        bench.add("threads", None, sides, found, times, "step")
    bench.finish()


if __name__ == "__main__":
    main()
