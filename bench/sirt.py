"""One iteration of SIRT on a stack of slices: 64 of 512x512 from 180 parallel views over half a turn, 512 detectors.

The peer is the ASTRA toolbox on the CPU. It runs on one thread, so that one process a thread works side by side, each
on two slices; seconds are compared by slice and iteration. The sides agree when the images after three iterations
from the same sinogram are equal.

Then our side alone: what its time grows with, and how near A and A' come to what the machine can do.
"""

import json
import math
import statistics

import numpy as np
import torch
from safetensors.torch import load_file, save_file

import harness

ITERATIONS = 3  # of a step
SLICES_OF_A_PROCESS = 2
REPEATS = 7  # of what is measured on our side alone
# Joseph's method on both sides, single floats: positions are rounded at 1e-5 of a pixel. A wrong weight or half a
# pixel would show in tenths.
BOUND = 1e-2
# (x, y, a, b, value) in units of half the side: a body, two lungs, a spine
ELLIPSES = ((0, 0, 0.9, 0.7, 0.02), (-0.4, 0, 0.3, 0.45, -0.015), (0.4, 0, 0.3, 0.45, -0.015), (0, 0.45, 0.12, 0.12, 0.02))


def add_options(parser):
    parser.add_argument("--slices", type=harness.positive, default=64)
    parser.add_argument("--views", type=harness.positive, default=180)
    parser.add_argument("--side", type=harness.positive, default=512, help="pixels and detectors (512)")


def sinogram(slices, views, side):
    """Exact line integrals of ellipses that shrink from slice to slice."""
    t = (np.pi * np.arange(views) / views)[:, None]
    s = (np.arange(side) - (side - 1) / 2)[None]
    sino = np.zeros((slices, views, side), np.float32)
    for z in range(slices):
        r = side / 2 * (1 - 0.3 * z / slices)
        for x, y, a, b, value in ELLIPSES:
            r2 = (a * r * np.cos(t)) ** 2 + (b * r * np.sin(t)) ** 2
            inside = r2 - (s - x * r * np.cos(t) - y * r * np.sin(t)) ** 2
            sino[z] += 2 * value * a * b * r * r * np.sqrt(np.maximum(inside, 0)) / r2
    return sino


def curves(slices, views, side):
    """Around the work, one of its sizes changed at a time: name -> works."""
    return {"slices": [(slices * k // 4, views, side) for k in (1, 2, 4, 8)],
            "angles": [(slices, views * k // 4, side) for k in (1, 2, 4, 8)],
            "pixels": [(slices, views, side * k // 2) for k in (1, 2, 4)]}


class Sirt:
    def __init__(self, options):
        self.work = (options.slices, options.views, options.side)
        self.curves = curves(*self.work)
        # a size that several curves share is measured once
        self.points = sorted({point for works in self.curves.values() for point in works})
        count = min(options.slices, SLICES_OF_A_PROCESS * options.threads)
        self.plan = dict(zip(("slices", "views", "side"), self.work)) | {
            "iterations": ITERATIONS, "repeats": REPEATS, "points": self.points,
            "compared": np.linspace(0, options.slices - 1, count).astype(int).tolist()}

    def prepare(self, folder):
        (folder / "plan.json").write_text(json.dumps(self.plan))
        save_file({"sino": torch.from_numpy(sinogram(*self.work))}, folder / "sino.safetensors")

    def compare(self, folder):
        ours, peer = (load_file(folder / f"{side}.safetensors")["images"] for side in ("ours", "peer"))
        return harness.worst_of([
            harness.Agreement(f"slice {z} after {ITERATIONS} iterations", harness.relative_error(*pair), BOUND)
            for z, *pair in zip(self.plan["compared"], ours, peer)])

    def afterwards(self, worker, folder):
        for name in ("limits", "curves"):
            worker.run(name)
        limits, seconds = (json.loads((folder / f"{name}.json").read_text()) for name in ("limits", "curves"))
        return {"limits": self.limits(limits), "curves": self.curve_tables(dict(zip(self.points, seconds)))}

    def limits(self, of):
        print(f"\n  this machine: {of['peak_fma_per_s'] / 1e9:.1f} G multiply-adds/s, copies at"
              f" {of['copy_bytes_per_s'] / 1e9:.1f} GB/s; A and A' need {of['fma'] / 1e9:.2f} G multiply-adds and"
              f" {of['least_bytes'] / 1e6:.0f} MB each")
        of["share"] = {}
        for name in ("A", "A'"):
            seconds = of[f"{name}_s"]
            share = {"fma": of["fma"] / seconds / of["peak_fma_per_s"],
                     "bandwidth": of["least_bytes"] / seconds / of["copy_bytes_per_s"]}
            of["share"][name] = share
            print(f"  {name:<2} {seconds:.4f} s: {share['fma']:.0%} of the multiply-adds, {share['bandwidth']:.1%} of the"
                  " bandwidth")
        rest = of["iteration_s"] - of["A_s"] - of["A'_s"]
        print(f"  an iteration {of['iteration_s']:.4f} s: {rest / of['iteration_s']:.0%} of it is neither A nor A'")
        return of

    def curve_tables(self, seconds):
        result = {}
        for name, works in self.curves.items():
            size = [math.prod(work) * (work[2] if name == "pixels" else 1) for work in works]
            times = [seconds[work] for work in works]
            # rays and lines: with pixels, detectors grow too
            exponent = statistics.linear_regression(np.log(size).tolist(), np.log(times).tolist()).slope
            print(f"  an iteration grows as {name} to the power of {exponent:.2f}")
            for work, time in zip(works, times):
                slices, views, side = work
                print(f"    {slices:>4} x {side:>4}^2, {views:>4} angles  {time:>8.4f} s")
            result[name] = {"works": works, "median_s": times, "exponent": exponent}
        return result


def main():
    bench = harness.Bench("sirt", __doc__, add_options)
    sirt = Sirt(bench.options)
    bench.against("astra-toolbox", harness.peer("sirt.py"), sirt.prepare, sirt.compare, "slice and iteration", sirt.afterwards)
    bench.finish()


if __name__ == "__main__":
    main()
