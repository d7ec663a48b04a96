"""One training step of DDNet (forward, MSE + MS-SSIM loss, backward, Adam) on one 512x512 slice.

The peer is PyTorch as the public reference uses it, with the same weights and the same pictures. The sides agree
when output, loss and every gradient are equal in float64 on a corner of the picture, the gradients in float32 as
near to those as PyTorch's own are, and output, loss and the loss after three steps equal on the whole.
"""

import math

import torch
from safetensors.torch import load_file, save_file

import harness

SIZE = 512
# 45 layers carry float64's 1e-16 to less than this
EXACT_BOUND = 1e-8
# float32 rounds at 6e-8; 45 layers, each with a division by a measured deviation, carry that to about 1e-5
OUTPUT_BOUND = 1e-4
# in float32 a gradient jumps where rounding puts a pixel on the other side of a leaky ReLU's or a maximum's kink, the
# same share of pixels on both sides: ours may be at most this many times as far from float64 as the peer's own
GRADIENT_FACTOR = 2
# Adam's first steps depend on the sign of a gradient only, so those that are nothing but rounding differ
LOSS_AFTER_BOUND = 1e-3


def write_images(folder):
    """A smooth picture and the same with noise, both in [0, 1]."""
    torch.manual_seed(0)
    x = torch.linspace(0, 2 * math.pi, SIZE)
    target = 0.5 + 0.25 * torch.sin(2 * x)[:, None] * torch.cos(3 * x)[None] + 0.2 * torch.sin(x)[None]
    noisy = (target + 0.1 * torch.randn(SIZE, SIZE)).clamp(0, 1)
    save_file({"input": noisy[None, None], "target": target[None, None].contiguous()}, folder / "images.safetensors")


def all_gradients(side, prefix):
    return torch.cat([side[name].flatten().double() for name in sorted(side) if name.startswith(prefix)])


def compare(folder):
    ours, peer = load_file(folder / "ours.safetensors"), load_file(folder / "peer.safetensors")
    assert ours.keys() == peer.keys(), f"only one side has {ours.keys() ^ peer.keys()}"
    exact = [harness.Agreement(name, harness.relative_error(ours[name], peer[name]), EXACT_BOUND)
             for name in peer if name.startswith("exact.")]
    agreements = [harness.Agreement(name, harness.relative_error(ours[name], peer[name]), bound) for name, bound in
                  (("output", OUTPUT_BOUND), ("loss", OUTPUT_BOUND), ("loss_after", LOSS_AFTER_BOUND))]
    truth = all_gradients(peer, "exact.grad.")
    mine, theirs = (harness.relative_error(all_gradients(side, "rounded.grad."), truth) for side in (ours, peer))
    return harness.worst_of(exact) + agreements + [
        harness.Agreement("float32 gradients", mine, GRADIENT_FACTOR * theirs)]


def main():
    bench = harness.Bench("ddnet-train", __doc__)
    bench.against("pytorch", "ddnet_train.py", write_images, compare)
    bench.finish()


if __name__ == "__main__":
    main()
