"""What makes training DDNet fast, one optimisation at a time and all together, dense and half pruned.

The tables are those of Chaturvedi et al. (figures 8 and 9a, table 2), in numbers of the machine at hand: mixed
precision, slices that wait in memory instead of in their files (DoLL), the step captured into a graph (GPUs only).
Sparse is 50 % of the filters by their L1 norm, the network shrunk. The baseline is our own step in float32 with
slices read from TIFF files ahead of their use. All sides and PyTorch's float32 step take turns in one run: eager with
its own data loader, eager with batches that lie ready in memory, so that it reads nothing, and compiled (GPUs only). No
ratio is printed unless all sides compute the same.
"""

import contextlib
import dataclasses
import json
import math
import pathlib
import statistics
import tempfile
import time

import torch

import ablation_tables
import harness

# How PyTorch trains, by the kinds of peers/ddnet_ablation.py; the last one printed is the first here
PEERS = {"pytorch": "loader", "pytorch-ready": "ready"}
PEERS_ON_GPU = PEERS | {"pytorch-compiled": "compiled"}
BASELINE, TOGETHER = "baseline", "all together"
# Relative errors of a loss. The first is a mean over all pixels, from the same weights: float32's rounding averages
# out. A loss in fewer bits may be off by about 4 times what bfloat16 was seen to be; tf32's steps are 8 times finer
FIRST = {"fp32": 1e-5, "tf32": 2.5e-3, "fp16": 2e-2, "bf16": 2e-2}
# Adam's first steps turn the sign of a gradient that is nothing but rounding into a whole step: PyTorch's own float32
# is 1e-3 off its float64 in the third loss. On the CPU our float32 sides run the same sums, and must stay together
AFTER_UPDATES = 2e-2

# 192: PyTorch's MS-SSIM needs 11 pixels at its fifth level. "training": the batch of the short trainings
QUICK = {"size": 192, "batch": 1, "slices": 8, "learn": 24, "judge": 2, "training": 1, "epochs": 6, "seeds": 1}
FULL = {"size": 512, "batch": 1, "slices": 8, "learn": 48, "judge": 6, "training": 4, "epochs": 24, "seeds": 3}
FULL_ON_GPU = FULL | {"batch": 2, "slices": 16}
LEARN_SIZE = 128  # of the slices that the short trainings for table 2 learn from


# The step of the paper and of the peer: whole slices as they are (examples/ddnet-paper.toml).
PAPER = {"crop": 0, "margin": 0, "augment": False, "vary_levels": 0, "learning_rate": 1e-4, "beta2": 0.999,
         "normalize_gradients": False, "schedule": "exponential", "freeze_norms_after": 0,
         "loss": {"mse": 1}}


@dataclasses.dataclass
class Side:
    """One way to train: `train` are options of the product's own."""

    network: str  # dense or shrunk
    variant: str
    train: dict
    steps: int = 1  # in a turn

    @property
    def name(self):
        return f"{self.network}-{self.variant}".replace(" ", "-")

    @property
    def precision(self):
        return self.train["precision"]


def cpu_has_bf16():
    """Whether this CPU multiplies bfloat16 numbers, rather than converting each before and after."""
    words = set(pathlib.Path("/proc/cpuinfo").read_text().split())
    return bool(words & {"avx512_bf16", "amx_bf16", "bf16"})


def variants(device):
    """The optimisations that `device` can have, by name."""
    plain = PAPER | {"precision": "fp32", "staging": "streaming", "capture": False}
    resident, captured = {"staging": "device"}, {"capture": True}
    if device == "cpu":
        fewer_bits = {"precision": "bf16"} if cpu_has_bf16() else {}
        return {BASELINE: plain, "bf16": plain | {"precision": "bf16"}, "resident loader": plain | resident,
                TOGETHER: plain | resident | fewer_bits}
    together = plain | resident | captured
    return {BASELINE: plain} | {bits: plain | {"precision": bits} for bits in ("tf32", "fp16", "bf16")} | {
        "resident loader": plain | resident, "graph capture": plain | captured,
        TOGETHER: together | {"precision": "fp16"}, f"{TOGETHER} in bf16": together | {"precision": "bf16"}}


class Ablation:
    def __init__(self, bench):
        self.bench, self.options = bench, bench.options
        self.device = self.options.device or default_device(self.options.build)
        self.plan = QUICK if not self.options.full else FULL if self.device == "cpu" else FULL_ON_GPU
        if self.options.batch:
            self.plan = self.plan | {"batch": self.options.batch, "slices": 8 * self.options.batch}
        self.deadline = time.monotonic() + 60 * self.options.minutes if self.options.minutes else math.inf
        self.peers = PEERS if self.device == "cpu" or self.options.minutes else PEERS_ON_GPU  # compiling takes minutes
        self.resting = self.device != "cpu"  # all sides together would not fit into one GPU's memory
        self.checked_steps = 3 if self.device == "cpu" else 6  # the fourth is the first that is captured
        self.sides = [Side(network, variant, train | {"batch": self.plan["batch"]}, self.steps_of(train))
                      for network in ("dense", "shrunk") for variant, train in variants(self.device).items()]

    def steps_of(self, train):
        """An epoch a turn, but where it would take minutes."""
        slow = self.device == "cpu" and train["precision"] == "bf16" and not cpu_has_bf16()
        return 1 if slow else self.plan["slices"] // self.plan["batch"]

    def describe(self):
        p = self.plan
        print(f"  on {self.device}: {p['slices']} slices of {p['size']}x{p['size']}, batches of {p['batch']}")
        if self.device == "cpu":
            print("  a CPU has no graphs to capture into: that optimisation is for GPUs")
            if not cpu_has_bf16():
                print("  this CPU has no bfloat16 arithmetic (AVX512-BF16, AMX): 'all together' stays in"
                      " float32 and is the resident loader alone; a turn of bf16 is one step")

    # --- processes

    def worker(self, side, folder, **more):
        setting = {"name": side.name, "device": self.device, "network": side.network, "steps": side.steps,
                   "checked_steps": self.checked_steps, "data": "timed",
                   "train": side.train | {"sparsity": {"criterion": "filters-l1", "amount": 0.5}}} | more
        return harness.Worker(side.name, self.bench.program(json.dumps(setting)), folder, self.options.threads)

    def peer(self, name, folder):
        setting = {"name": name, "kind": self.peers[name], "device": self.device, "data": "timed",
                   "batch": self.plan["batch"], "steps": self.sides[0].steps}
        command = [*harness.peer("ddnet_ablation.py"), json.dumps(setting)]
        return harness.Worker(name, command, folder, self.options.threads)

    def prepare(self, folder):
        """Slices to time with, to learn from and to judge by."""
        plan = self.plan
        for seed, (data, slices, size) in enumerate((("timed", plan["slices"], plan["size"]),
                                                     ("learn", plan["learn"], LEARN_SIZE),
                                                     ("judge", plan["judge"], LEARN_SIZE)), 1):
            maker = Side("dense", f"maker of {data}", {"seed": seed})
            with contextlib.closing(self.worker(maker, folder, data=data, slices=slices, size=size,
                                                train=maker.train | {"batch": min(slices, plan["batch"])})) as worker:
                worker.run("prepare")

    # --- agreement

    def agreements(self, folder, workers):
        losses, found = {}, []
        for name, worker in workers.items():
            losses[name] = answer(worker, "check", folder, name)
            if self.resting:
                worker.run("rest")
        for side in (side for side in self.sides if side.variant != BASELINE):
            found += self.agreement(side, losses[side.name], losses[f"{side.network}-{BASELINE}"])
        for peer in self.peers:
            found += self.agreement(self.sides[0], losses[peer], losses[self.sides[0].name], peer)
        masked = Side("masked", "and whole", self.side("shrunk", BASELINE).train)
        with contextlib.closing(self.worker(masked, folder)) as worker:
            whole = answer(worker, "check", folder, masked.name)
        return found + self.agreement(masked, whole, losses[f"shrunk-{BASELINE}"])

    def agreement(self, side, mine, reference, name=None):
        """Of one side's losses the one nearest to its bound, those that an overflow came before left out."""
        skipped = mine.get("skipped", [])
        together = next((i + 1 for i, count in enumerate(skipped) if count), len(mine["losses"]))
        same_sums = self.device == "cpu" and side.precision == "fp32" and name not in self.peers
        each = []
        for i, (a, b) in enumerate(zip(mine["losses"][:together], reference["losses"])):
            a = math.nan if a is None else a  # JSON has no NaN
            bound = FIRST[side.precision] if i == 0 or same_sums else max(AFTER_UPDATES, FIRST[side.precision])
            each.append(harness.Agreement(f"{name or side.name}, loss {i + 1}", abs(a - b) / abs(b), bound))
        return harness.worst_of(each)

    def side(self, network, variant):
        return next(s for s in self.sides if (s.network, s.variant) == (network, variant))

    # --- measurements

    def measure_speed(self, folder):
        """A dictionary for each side, the peers among them."""
        with contextlib.ExitStack() as stack:
            workers = {side.name: self.worker(side, folder) for side in self.sides}
            workers |= {name: self.peer(name, folder) for name in self.peers}
            for worker in workers.values():
                stack.callback(worker.close)
            harness.require_agreement(found := self.agreements(folder, workers))
            self.bench.record["agreements"] = [dataclasses.asdict(a) for a in found]
            times = harness.alternate(workers, self.options.warmup, self.options.rounds, resting=self.resting)
            return {name: answer(worker, "report", folder, name) | {
                "times_s": times[name], "step_s": statistics.median(times[name]), "about": worker.about}
                for name, worker in workers.items()}

    def measure_quality(self, folder):
        """By side, what a short training of each seed came to."""
        found = {side.name: [] for side in self.sides}
        for seed in range(1, self.plan["seeds"] + 1):
            start = time.monotonic()
            for side in self.sides:
                name = f"{side.name}-seed-{seed}"
                train = side.train | self.training(seed) | self.schedule(side)
                with contextlib.closing(self.worker(side, folder, name=name, data="learn", held_out="judge",
                                                    train=train)) as worker:
                    found[side.name].append(answer(worker, "train", folder, name))
                print(f"  seed {seed}  {side.name:<28}  MS-SSIM {found[side.name][-1]['quality']['ms_ssim']:.4f}")
            now = time.monotonic()
            if now + (now - start) > self.deadline:
                break
        return found

    def training(self, seed):
        epochs = self.plan["epochs"]
        return {"seed": seed, "epochs": epochs, "batch": self.plan["training"], "crop": 64, "learning_rate": 2e-3,
                "decay": 0.9, "freeze_norms_after": 3 * epochs // 4}

    def schedule(self, side):
        if side.network == "dense":
            return {}
        return {"sparsity": {"criterion": "filters-l1", "amount": 0.5, "dense_epochs": self.plan["epochs"] // 2}}

    def run(self):
        self.describe()
        with tempfile.TemporaryDirectory(prefix="bench-ddnet-ablation-") as name:
            folder = pathlib.Path(name)
            self.prepare(folder)
            speed = self.measure_speed(folder)
            quality = self.measure_quality(folder)
        rows = [dataclasses.asdict(side) | {"name": side.name} | speed[side.name] for side in self.sides]
        ablation_tables.show(rows, {name: speed[name] for name in self.peers}, quality, BASELINE)
        self.record(rows, speed, quality)

    def record(self, rows, speed, quality):
        self.bench.record |= {"device": self.device, "plan": self.plan, "sides": rows, "quality": quality,
                              "peers_speed": {name: speed[name] for name in self.peers}}
        for peer in self.peers:
            self.record_peer(peer, self.side("dense", TOGETHER).name, speed)

    def record_peer(self, peer, ours, speed):
        times = {"ours": speed[ours]["times_s"], peer: speed[peer]["times_s"]}
        ratio, each = speed[peer]["step_s"] / speed[ours]["step_s"], [b / a for a, b in zip(*times.values())]
        print(f"  {peer} takes {ratio:.2f} times as long a step as {ours}"
              f" ({min(each):.2f} to {max(each):.2f} in single rounds)")
        if max(each) > harness.SCATTER * min(each):
            print("  the rounds scatter: something else works on this machine; run this again when it is quiet")
        self.bench.record["peers"].append({"peer": peer, "case": None, "ratio": ratio, "ratio_of_each_round": each,
                                           "unit": "step", "times_s": times})


def answer(worker, command, folder, name):
    """Runs a command and returns what it told."""
    worker.run(command)
    return json.loads((folder / f"{name}.json").read_text())


def default_device(build):
    cache = build / "CMakeCache.txt"
    with_cuda = cache.exists() and "LUCIVOX_CUDA:BOOL=ON" in cache.read_text()
    return "cuda" if with_cuda and torch.cuda.is_available() else "cpu"


def add_options(parser):
    parser.set_defaults(warmup=1)
    parser.add_argument("--full", action="store_true",
                        help="slices of 512x512, longer trainings over 3 seeds; hours on a CPU")
    parser.add_argument("--device", choices=("cpu", "cuda"), help="cuda where there is one and --build knows it")
    parser.add_argument("--batch", type=harness.positive, help="slices in a step")
    parser.add_argument("--minutes", type=float,
                        help="about as long: as many seeds of the short trainings as fit, without PyTorch's compiled step")


def main():
    bench = harness.Bench("ddnet-ablation", __doc__, add_options)
    Ablation(bench).run()
    bench.finish()


if __name__ == "__main__":
    main()
