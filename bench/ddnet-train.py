"""One training step of DDNet (forward, MSE + MS-SSIM loss, backward, Adam) on one 512x512 slice.

The peer is PyTorch as the public reference uses it, with the same weights and the same pictures. The sides agree
when the first step's output, loss and gradients are equal to rounding, and the loss after three steps still is.
"""

import math

import torch
from safetensors.torch import load_file, save_file

import harness

SIZE = 512
# float32 rounds at 6e-8; 45 layers, each with a division by a measured deviation, carry that to about 1e-5, and
# gradients, which are sums with cancellation over 262,144 pixels, ten times further
OUTPUT_BOUND, GRADIENT_BOUND = 1e-4, 1e-3
# Adam's first steps depend on the sign of a gradient only, so those that are nothing but rounding differ
LOSS_AFTER_BOUND = 1e-3


def write_images(folder):
    """A smooth picture and the same with noise, both in [0, 1]."""
    torch.manual_seed(0)
    x = torch.linspace(0, 2 * math.pi, SIZE)
    target = 0.5 + 0.25 * torch.sin(2 * x)[:, None] * torch.cos(3 * x)[None] + 0.2 * torch.sin(x)[None]
    noisy = (target + 0.1 * torch.randn(SIZE, SIZE)).clamp(0, 1)
    save_file({"input": noisy[None, None], "target": target[None, None].contiguous()}, folder / "images.safetensors")


def compare(folder):
    ours, peer = load_file(folder / "ours.safetensors"), load_file(folder / "peer.safetensors")
    assert ours.keys() == peer.keys(), f"only one side has {ours.keys() ^ peer.keys()}"
    error = {name: harness.relative_error(ours[name], peer[name]) for name in peer}
    agreements = [harness.Agreement(name, error.pop(name), bound) for name, bound in
                  (("output", OUTPUT_BOUND), ("loss", OUTPUT_BOUND), ("loss_after", LOSS_AFTER_BOUND))]
    gradients = [harness.Agreement(name, e, GRADIENT_BOUND) for name, e in error.items()]
    return agreements + harness.worst_of(gradients)


def main():
    bench = harness.Bench("ddnet-train", __doc__)
    bench.against("pytorch", "ddnet_train.py", write_images, compare)
    bench.finish()


if __name__ == "__main__":
    main()
