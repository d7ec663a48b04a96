"""One step of TomoGAN's training: an update of the generator (20 adversarial + 0.5 MSE + 2 perceptual), two of the discriminator.

On two crops of 256x256 of three adjacent slices. The peer is PyTorch, eager, with the same weights and the same crops.
The sides agree when in float64, on a corner of the crops, everything that the first and the third step come to is
equal: output, both losses, every gradient; when their float32 is there as near to float64 as PyTorch's own is; and when losses and output
of the whole are equal to float32's rounding. VGG-19 has random weights: those that were trained are not ours to give, and cost the same.
"""

import math

import torch
from safetensors.torch import load_file, save_file

import harness

SIDE, BATCH, DEPTH = 256, 2, 3
EXACT_BOUND = 1e-8
# as in ddnet-train.py: kinks of ReLUs and maxima, and Winograd's sums
GRADIENT_FACTOR = 6
WHOLE_BOUND = 1e-5
VGG19 = (2, 2, 4, 4, 4)  # convolutions in each block


def write_vgg(path):
    """Weights that neither fade nor grow from layer to layer (He et al., 2015), under torchvision's names."""
    weights, place, channels = {}, 0, 3
    for block, layers in enumerate(VGG19):
        out = min(64 << block, 512)
        for _ in range(layers):
            weights[f"features.{place}.weight"] = torch.randn(out, channels, 3, 3) * math.sqrt(2 / (9 * channels))
            weights[f"features.{place}.bias"] = torch.zeros(out)
            place, channels = place + 2, out
        place += 1
    save_file(weights, path)


def write_inputs(folder):
    torch.manual_seed(0)
    x = torch.linspace(0, 2 * math.pi, SIDE)
    clean = torch.stack([0.5 + 0.3 * torch.sin((2 + i) * x)[:, None] * torch.cos(3 * x)[None] for i in range(BATCH)])
    noisy = clean[:, None] + 0.1 * torch.randn(BATCH, DEPTH, SIDE, SIDE)
    save_file({"noisy": noisy, "clean": clean[:, None].contiguous()}, folder / "images.safetensors")
    write_vgg(folder / "vgg19.safetensors")


def gradients(side, prefix, player):
    start = f"{prefix}.grad.{player}."
    return torch.cat([side[name].flatten().double() for name in sorted(side) if name.startswith(start)])


def compare(folder):
    ours, peer = load_file(folder / "ours.safetensors"), load_file(folder / "peer.safetensors")
    assert ours.keys() == peer.keys(), f"only one side has {ours.keys() ^ peer.keys()}"
    exact = [harness.Agreement(name, harness.relative_error(ours[name], peer[name]), EXACT_BOUND)
             for name in peer if name.startswith("exact.") and ".grad." not in name]
    agreements = harness.worst_of(exact)
    for player in ("generator", "discriminator"):
        truth = gradients(peer, "exact", player)
        agreements.append(harness.Agreement(f"gradients of the {player}",
                                            harness.relative_error(gradients(ours, "exact", player), truth), EXACT_BOUND))
        mine, theirs = (harness.relative_error(gradients(side, "rounded", player), truth) for side in (ours, peer))
        agreements.append(harness.Agreement(f"float32 gradients of the {player}", mine, GRADIENT_FACTOR * theirs))
    return agreements + [harness.Agreement(name, harness.relative_error(ours[name], peer[name]), WHOLE_BOUND)
                         for name in ("whole.made", "whole.loss", "whole.opponent_loss")]


def main():
    bench = harness.Bench("tomogan-train", __doc__)
    bench.against("pytorch", harness.peer("tomogan_train.py"), write_inputs, compare)
    bench.finish()


if __name__ == "__main__":
    main()
