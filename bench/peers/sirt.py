"""The peer of sirt: the ASTRA toolbox's SIRT on the CPU, projector 'linear', which is Joseph's method.

Its CPU algorithms run on one thread and one slice, so that as many processes as there are threads iterate side by
side, each on a few slices of its own. Projectors, data and algorithms live through the whole run.

ASTRA's y axis points up: see tests/golden/make_astra.py.
"""

import json
import multiprocessing

import astra
import numpy as np
import torch
from safetensors.torch import load_file, save_file

import worker


class Slices:
    """SIRT on some slices, one after the other."""

    def __init__(self, plan, sinograms):
        side, views = plan["side"], plan["views"]
        self.iterations = plan["iterations"]
        volume = astra.create_vol_geom(side, side)
        rays = astra.create_proj_geom("parallel", 1.0, side, np.pi * np.arange(views) / views)
        projector = astra.create_projector("linear", rays, volume)
        self.images, self.algorithms = [], []
        for sinogram in sinograms:
            image = astra.data2d.create("-vol", volume, 0)
            self.images.append(image)
            self.algorithms.append(astra.algorithm.create({
                "type": "SIRT", "ProjectorId": projector, "ReconstructionDataId": image,
                "ProjectionDataId": astra.data2d.create("-sino", rays, sinogram)}))

    def step(self):
        for algorithm in self.algorithms:
            astra.algorithm.run(algorithm, self.iterations)

    def result(self):
        return np.stack([astra.data2d.get(image)[::-1] for image in self.images])


def serve_slices(pipe, plan, sinograms):
    slices = Slices(plan, sinograms)
    while name := pipe.recv():
        pipe.send(getattr(slices, name)())


class Pool:
    """One process a thread."""

    def __init__(self, folder, threads):
        self.folder = folder
        self.plan = json.loads((folder / "plan.json").read_text())
        shares = np.array_split(self.plan["compared"], threads)
        sinograms = load_file(folder / "sino.safetensors")["sino"].numpy()
        self.pipes = [self.start(sinograms[share]) for share in shares]

    def start(self, sinograms):
        ours, theirs = multiprocessing.Pipe()
        multiprocessing.Process(target=serve_slices, args=(theirs, self.plan, sinograms), daemon=True).start()
        return ours

    def units(self):
        return len(self.plan["compared"]) * self.plan["iterations"]

    def all(self, name):
        for pipe in self.pipes:
            pipe.send(name)
        return [pipe.recv() for pipe in self.pipes]

    def step(self):
        self.all("step")

    def check(self):
        self.step()
        images = np.concatenate(self.all("result"))
        save_file({"images": torch.from_numpy(images)}, self.folder / "peer.safetensors")


def main():
    folder, threads = worker.start()
    pool = Pool(folder, threads)
    about = {"astra-toolbox": astra.__version__, "processes": threads, "units": pool.units()}
    worker.serve(about, {"check": pool.check, "step": pool.step})


if __name__ == "__main__":
    main()
