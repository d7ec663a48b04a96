"""The peer of msd-train: one training step of a Mixed-Scale Dense network in PyTorch, in its default layout or
channels-last.

    msd_train.py pytorch|pytorch-channels-last FOLDER THREADS
"""

import sys

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

import worker
from msd_tile import Msdnet

LEARNING_RATE = 1e-3


class Training:
    def __init__(self, layout, folder, threads):
        self.layout, self.folder = layout, folder
        torch.set_num_threads(threads)

    def load(self):
        weights = load_file(self.folder / "network.safetensors")
        self.input, self.classes = weights.pop("input"), weights.pop("classes").long()[:, 0]
        self.net = Msdnet(weights, "reflect")
        if self.layout == "pytorch-channels-last":
            self.net = self.net.to(memory_format=torch.channels_last_3d)
            self.input = self.input.to(memory_format=torch.channels_last_3d)
        self.adam = torch.optim.Adam(self.net.parameters(), lr=LEARNING_RATE)

    def gradients(self):
        self.adam.zero_grad()
        self.loss = F.cross_entropy(self.net.logits(self.input), self.classes)
        self.loss.backward()

    def check(self):
        self.load()
        self.gradients()
        results = {"loss": self.loss.detach()}
        for name, weight in self.net.named_parameters():
            ours = name.replace("layers.", "layer")
            results[f"grad.{ours}"] = weight.grad.contiguous()
        save_file(results, self.folder / "peer.safetensors")

    def step(self):
        self.gradients()
        self.adam.step()


def main():
    layout = sys.argv.pop(1)
    folder, threads = worker.start()
    training = Training(layout, folder, threads)
    worker.serve({"torch": torch.__version__}, {"check": training.check, "step": training.step})


if __name__ == "__main__":
    main()
