"""One training step of DDNet on one 512x512 slice after half of it was pruned, against our own dense step.

Structured sparsity (filters by their L1 norm) leaves a smaller network, which has to be faster. Unstructured criteria
leave zeros among the weights of a network as large as before, which no machine here skips: their ratio tells so. The
sides agree when the smaller network gives the output and the gradients of the whole one with its pruned weights held
at zero.
"""

from safetensors.torch import load_file

import harness

CRITERIA = ("filters-l1", "magnitude", "random")
# the same sums, grouped otherwise, in float32; a gradient jumps where that puts a pixel on the other side of a kink
OUTPUT_BOUND, GRADIENT_BOUND = 1e-5, 1e-2


def compare(folder):
    ours, peer = load_file(folder / "ours.safetensors"), load_file(folder / "peer.safetensors")
    assert ours.keys() == peer.keys(), f"only one side has {ours.keys() ^ peer.keys()}"
    largest = max(peer[name].norm() for name in peer if name != "output")
    gradients = max(((ours[name] - peer[name]).norm() / largest).item() for name in peer if name != "output")
    return [harness.Agreement("output", harness.relative_error(ours["output"], peer["output"]), OUTPUT_BOUND),
            harness.Agreement("worst gradient", gradients, GRADIENT_BOUND)]


def main():
    bench = harness.Bench("ddnet-sparse", __doc__)
    for criterion in CRITERIA:
        bench.against("dense", bench.program("dense"), lambda folder: None, compare, ours=bench.program(criterion),
                      case=criterion)
    bench.finish()


if __name__ == "__main__":
    main()
