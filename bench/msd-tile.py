"""A Mixed-Scale Dense network of 100K parameters (3D, depth 86, dilations 1 to 10, 53 GFLOP at 64^3) over one tile.

The peers are PyTorch, eager, in its default layout and channels-last, and OpenVINO, in float32 and as it runs when
nothing is said (bfloat16 where the CPU has it). The sides agree when the probabilities are equal: in float32 to what 86
layers make of its rounding, in bfloat16, which has 8 bits, to a few per cent.
"""

from safetensors.torch import load_file

import harness

EXACT_BOUND, BFLOAT16_BOUND = 1e-5, 3e-2
PEERS = {"openvino-f32": EXACT_BOUND, "openvino": BFLOAT16_BOUND, "pytorch": EXACT_BOUND, "pytorch-channels-last": EXACT_BOUND}
CASES = [(64, "zeros"), (96, "zeros"), (64, "reflect")]


def add_options(parser):
    parser.add_argument("--side", type=int, help="only cases of this side")


def main():
    bench = harness.Bench("msd-tile", __doc__, add_options)
    for side, border in CASES:
        if bench.options.side not in (None, side):
            continue
        for peer, bound in PEERS.items():
            def compare(folder, bound=bound):
                ours, theirs = (load_file(folder / f"{name}.safetensors")["output"] for name in ("ours", "peer"))
                return [harness.Agreement("probabilities", harness.relative_error(ours, theirs), bound)]

            bench.against(peer, harness.peer("msd_tile.py") + [peer, border], lambda folder: None, compare, "tile",
                          ours=bench.program(str(side), border), case=f"{side}^3 {border}")
    bench.finish()


if __name__ == "__main__":
    main()
