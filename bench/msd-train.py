"""One training step (forward, cross-entropy, backward, Adam) of a Mixed-Scale Dense network, 3D, depth 40, dilations 1 to
10, mirrored edges, on a patch of 48^3.

The peer is PyTorch, eager, in its default layout and channels-last. The sides agree when the loss and the gradients of
all weights together are equal to what 40 layers make of float32's rounding, where some pixels fall to the other side of
a ReLU's kink.
"""

import torch
from safetensors.torch import load_file

import harness

LOSS_BOUND, GRADIENT_BOUND = 1e-5, 1e-4


def compare(folder):
    ours, peer = load_file(folder / "ours.safetensors"), load_file(folder / "peer.safetensors")
    assert ours.keys() == peer.keys(), f"only one side has {ours.keys() ^ peer.keys()}"
    gradients = (torch.cat([side[name].flatten() for name in sorted(side) if name != "loss"]) for side in (ours, peer))
    return [harness.Agreement("loss", harness.relative_error(ours["loss"], peer["loss"]), LOSS_BOUND),
            harness.Agreement("gradients", harness.relative_error(*gradients), GRADIENT_BOUND)]


def main():
    bench = harness.Bench("msd-train", __doc__)
    for peer in ("pytorch", "pytorch-channels-last"):
        bench.against(peer, harness.peer("msd_train.py") + [peer], lambda folder: None, compare)
    bench.finish()


if __name__ == "__main__":
    main()
