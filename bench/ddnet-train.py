"""One training step of DDNet (forward, MSE + MS-SSIM loss, backward, Adam) on one 512x512 slice.

The peer is PyTorch as the public reference uses it, with the same weights and the same pictures. The sides agree
when output, loss, every gradient and the loss after three steps are equal in float64 on each quarter of the picture,
the float32 gradients there and the float32 output of the whole as near to float64's as PyTorch's own are, and the
losses of the whole equal.
"""

import math
import statistics

import torch
from safetensors.torch import load_file, save_file

import harness

SIZE = 512
# 45 layers carry float64's 1e-16 to less than this
EXACT_BOUND = 1e-8
# a mean over all pixels: float32's rounding of 6e-8, which 45 layers carry to about 1e-5 in an output, averages out
LOSS_BOUND = 1e-5
# how many times as far from float64 as the peer's own float32 ours may be: Winograd's 5x5 convolutions are 5 times as
# far as direct ones, and so is the output. A gradient jumps where that puts a pixel on the other side of a leaky ReLU's
# or a maximum's kink, by chance: of eight pictures ours was off by 0.7 to 4.4 %, the peer's by 0.06 to 1.3 %, so that
# several are judged together
ROUNDING_FACTOR = 6
QUARTERS = range(4)


def write_images(folder):
    """A smooth picture and the same with noise, both in [0, 1]."""
    torch.manual_seed(0)
    x = torch.linspace(0, 2 * math.pi, SIZE)
    target = 0.5 + 0.25 * torch.sin(2 * x)[:, None] * torch.cos(3 * x)[None] + 0.2 * torch.sin(x)[None]
    noisy = (target + 0.1 * torch.randn(SIZE, SIZE)).clamp(0, 1)
    save_file({"input": noisy[None, None], "target": target[None, None].contiguous()}, folder / "images.safetensors")


def all_gradients(side, prefix):
    return torch.cat([side[name].flatten().double() for name in sorted(side) if name.startswith(prefix)])


def gradient_error(side, truth):
    """Root mean square over the quarters."""
    return math.sqrt(statistics.fmean(
        harness.relative_error(all_gradients(side, f"rounded{i}.grad."), all_gradients(truth, f"exact{i}.grad.")) ** 2
        for i in QUARTERS))


def compare(folder):
    ours, peer = load_file(folder / "ours.safetensors"), load_file(folder / "peer.safetensors")
    truth = peer.pop("truth.output")
    assert ours.keys() == peer.keys(), f"only one side has {ours.keys() ^ peer.keys()}"
    exact = [harness.Agreement(name, harness.relative_error(ours[name], peer[name]), EXACT_BOUND)
             for name in peer if name.startswith("exact")]
    return harness.worst_of(exact) + [
        harness.Agreement("float32 gradients", gradient_error(ours, peer), ROUNDING_FACTOR * gradient_error(peer, peer)),
        harness.Agreement("float32 output", harness.relative_error(ours["output"], truth),
                          ROUNDING_FACTOR * harness.relative_error(peer["output"], truth)),
        harness.Agreement("loss", harness.relative_error(ours["loss"], peer["loss"]), LOSS_BOUND)]


def main():
    bench = harness.Bench("ddnet-train", __doc__)
    bench.against("pytorch", harness.peer("ddnet_train.py"), write_images, compare)
    bench.finish()


if __name__ == "__main__":
    main()
