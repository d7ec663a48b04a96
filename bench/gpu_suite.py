"""Everything that a GPU has to show, in one program for a machine with CUDA, CMake, a C++ compiler and torch 2.11.

Builds what computes (-DLUCIVOX_CORE_ONLY=ON) against the torch of the python that runs this; holds every operator,
network and kernel against the CPU's float64, and says what 2:4 sparsity comes to on tensor cores; then runs
ddnet-ablation on batches of 32 slices of 512x512. What both printed and measured goes into bench/results/, with the
machine's description. With --device cpu it is the same of the CPU, in the ablation's quick form.

    python3 bench/gpu_suite.py [--prefix FOLDER]    FOLDER: where Highway, fmt, nlohmann-json and, for --tests,
                                                    GoogleTest are, unless installed
"""

import argparse
import contextlib
import datetime
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

import torch

import harness
import machine

ROOT = harness.ROOT
BUILD = ROOT / "build" / "suite"
GPU_BATCH = 32  # of the paper's timings
# Tests that run on every device, by their programs
DEVICE_TESTS = {"test_exec": "Operations.*", "test_sparse": "PruningMasks.*", "test_tomo": "Project.*",
                "test_train": "TrainingStep.*:Trainer.ResumesASparseRunOnEveryDevice"}


class Suite:
    def __init__(self, options):
        self.options = options
        self.deadline = time.monotonic() + 60 * options.minutes
        self.log = []
        self.facts = machine.facts() | {"torch": torch.__version__, "cuda": torch.version.cuda,
                                        "cudnn": torch.backends.cudnn.version()}

    def say(self, line=""):
        print(line, flush=True)
        self.log.append(line)

    def run(self):
        self.say(f"lucivox {machine.commit(ROOT)}, {datetime.date.today()}, on {self.options.device}")
        self.say(f"{machine.describe(self.facts)}; {', '.join(self.facts['gpus']) or 'no GPU'}; torch "
                 f"{self.facts['torch']}, CUDA {self.facts['cuda']}, cuDNN {self.facts['cudnn']}")
        self.build()
        if self.options.tests:
            self.tests()
        numerics = self.numerics()
        self.show_numerics(numerics)
        self.keep(numerics, self.ablation())
        if not all(harness.Agreement(**a).holds for a in numerics["agreements"]):
            sys.exit("error: this device does not compute what the CPU does\nhint: see the lines that say DISAGREES")

    def build(self):
        on_gpu = self.options.device == "cuda"
        settings = {"CMAKE_BUILD_TYPE": "Release", "LUCIVOX_CORE_ONLY": "ON", "LUCIVOX_BENCH": "ON",
                    "LUCIVOX_TESTS": "ON" if self.options.tests else "OFF", "LUCIVOX_CUDA": "ON" if on_gpu else "OFF",
                    "LIBTORCH_ROOT": pathlib.Path(torch.__file__).parent}
        if self.options.prefix:
            settings["CMAKE_PREFIX_PATH"] = self.options.prefix.resolve()
        subprocess.run(["cmake", "-S", ROOT, "-B", BUILD, *(f"-D{name}={value}" for name, value in settings.items())],
                       check=True, stdout=subprocess.DEVNULL)
        subprocess.run(["cmake", "--build", BUILD, "--parallel", str(jobs()), "--target", "bench_gpu_suite",
                        "bench_ddnet_ablation", *(DEVICE_TESTS if self.options.tests else ())],
                       check=True, stdout=subprocess.DEVNULL)

    def tests(self):
        for program, tests in DEVICE_TESTS.items():
            path = next((BUILD / "tests").glob(f"*/{program}"))
            status = subprocess.run([path, "--gtest_brief=1", f"--gtest_filter={tests}"]).returncode
            self.say(f"{program} {tests}: {'passed' if status == 0 else 'FAILED'}")

    def numerics(self):
        with tempfile.TemporaryDirectory(prefix="bench-gpu-suite-") as folder:
            command = [BUILD / "bin" / "bench_gpu_suite", self.options.device]
            with contextlib.closing(harness.Worker("suite", command, folder, threads())) as worker:
                worker.run("check")
                return json.loads((pathlib.Path(folder) / "suite.json").read_text())

    def show_numerics(self, numerics):
        self.say("\nNumerics against the CPU in float64")
        for a in (harness.Agreement(**a) for a in numerics["agreements"]):
            self.say(f"  {a.what:<44}  error {a.error:.2e}  bound {a.bound:.0e}  {'ok' if a.holds else 'DISAGREES'}")
        if numerics["two_four"]:
            self.say("\n2:4 on sparse tensor cores: DDNet's layers as products in half precision, microseconds")
            self.say(f"  {'layer':<16}  {'2:4':>8}  {'dense':>8}  {'gain':>5}  {'cuDNN convolution':>18}")
        for layer in numerics["two_four"]:
            self.say(two_four_line(layer))

    def ablation(self):
        """Returns what it measured."""
        left = max(1, (self.deadline - time.monotonic()) / 60)
        on_gpu = ["--full", "--batch", str(GPU_BATCH), "--rounds", "5", "--minutes", f"{left:.1f}"]
        if self.options.device != "cuda":
            on_gpu = []
        command = [sys.executable, ROOT / "bench" / "ddnet-ablation.py", "--build", BUILD, "--device",
                   self.options.device, *on_gpu]
        with subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, text=True) as process:
            self.say()
            for line in process.stdout:
                self.say(line.rstrip("\n"))
        if process.returncode != 0:
            sys.exit("error: the ablation failed\nhint: its own message stands above")
        return json.loads((ROOT / "build" / "bench" / "ddnet-ablation.json").read_text())

    def keep(self, numerics, ablation):
        device = self.facts["gpus"][0] if self.options.device == "cuda" else self.facts["cpu"]
        name = re.sub(r"[^a-z0-9]+", "-", device.lower()).strip("-")
        results = ROOT / "bench" / "results"
        results.mkdir(exist_ok=True)
        (results / f"{name}.txt").write_text("\n".join(self.log) + "\n")
        (results / f"{name}.json").write_text(
            json.dumps({"machine": self.facts, "numerics": numerics, "ablation": ablation}, indent=1) + "\n")
        print(f"kept in bench/results/{name}.txt and .json")


def two_four_line(layer):
    start = f"  {layer['layer']:<16}  "
    if "refused" in layer:
        return start + "refused: " + layer["refused"].splitlines()[0]
    sparse, dense, convolution = (1e6 * layer[key] for key in ("sparse_s", "dense_s", "convolution_s"))
    return start + f"{sparse:>8.1f}  {dense:>8.1f}  {dense / sparse:>5.2f}  {convolution:>18.1f}"


def threads():
    return len(os.sched_getaffinity(0))


def jobs():
    """A compiler that reads libtorch's headers takes up to 2 GB."""
    memory = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return max(1, min(threads(), memory // 2**31))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cuda")
    parser.add_argument("--prefix", type=pathlib.Path, help="folder of the headers that the machine lacks")
    parser.add_argument("--minutes", type=float, default=8, help="about as long on a GPU, the build included (8)")
    parser.add_argument("--tests", action="store_true", help="also the tests that run on every device")
    Suite(parser.parse_args()).run()


if __name__ == "__main__":
    main()
