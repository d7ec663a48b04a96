"""Writes msdnet_segmentation.h5 and msdnet_regression.h5 by the public msdnet, msd_pytorch_*.pt with the names of
msd_pytorch (which itself needs a GPU), and msdnet_imports.safetensors: a small image for each and what the network makes
of it.

    git clone https://github.com/dmpelt/msdnet
    build/peers/bin/python tests/golden/make_msdnet_imports.py msdnet
"""

import pathlib
import shutil
import subprocess
import sys
import tempfile
import types

import numpy as np
import torch
from safetensors.torch import save_file

from make_msdnet import network

HERE = pathlib.Path(__file__).parent
DEPTH = 6


def public_msdnet(checkout):
    """The package, its C library compiled, without its GPU half."""
    folder = pathlib.Path(tempfile.mkdtemp())
    shutil.copytree(pathlib.Path(checkout) / "msdnet", folder / "msdnet")
    subprocess.run(["gcc", "-shared", "-fPIC", "-O2", "-fopenmp", "-DDECLDIR=", folder / "msdnet" / "operations.c", "-lm",
                    "-o", folder / "msdnet" / "libcoperations.so"], check=True)
    sys.path.insert(0, str(folder))
    for unused in ("tqdm", "tifffile"):  # by training and its data
        sys.modules.setdefault(unused, types.ModuleType(unused))
    import msdnet.dilations
    import msdnet.network

    return msdnet


def by_msdnet(msdnet, kind, inputs, outputs, mapped):
    random = np.random.default_rng(3)
    net = kind(DEPTH, msdnet.dilations.IncrementDilations(4), inputs, outputs, gpu=False)
    net.initialize()
    for array in [*net.f, net.w, net.o, net.oo]:
        array[:] = random.standard_normal(array.shape) * 0.3
    if mapped:
        net.setinputscale(np.array([0.5, 2.0], np.float32)[:inputs], np.array([-1.0, 0.25], np.float32)[:inputs])
        net.setoutputscale(np.array([3.0], np.float32), np.array([10.0], np.float32))
    image = random.standard_normal((inputs, 13, 17)).astype(np.float32)
    return net, torch.from_numpy(image)[None], torch.from_numpy(net.forward(image))[None].clone()


def by_msd_pytorch(dimensions, width, classes):
    torch.manual_seed(4)
    kernel, shape = [3] * dimensions, (1, 1, *[9] * dimensions)
    weights = {f"layer{i}.weight": torch.randn(width, 1 + width * i, *kernel) * 0.2 for i in range(DEPTH)}
    weights |= {f"layer{i}.bias": torch.randn(width) * 0.1 for i in range(DEPTH)}
    weights |= {"out.weight": torch.randn(max(classes, 1), 1 + width * DEPTH, *[1] * dimensions), "out.bias": torch.randn(max(classes, 1))}
    block = "1.0.msd_block" if classes else "1.msd_block"
    last = block.replace("msd_block", "final_layer.linear")
    ones = [1] * dimensions
    state = {"0.weight": torch.full((1, 1, *ones), 0.7), "0.bias": torch.full((1,), -0.2),
             f"{block}.bias": torch.cat([weights[f"layer{i}.bias"] for i in range(DEPTH)])}
    state |= {f"{block}.weight{i}": weights[f"layer{i}.weight"] for i in range(DEPTH)}
    state |= {f"{last}.weight": weights["out.weight"].flatten(2), f"{last}.bias": weights["out.bias"]}
    image = torch.randn(shape)
    options = {"depth": DEPTH, "dilations": [1, 2, 4, 8], "classes": classes}
    output = network(0.7 * image - 0.2, weights, options)
    if not classes:
        state |= {"2.weight": torch.full((1, 1, *ones), 5.0), "2.bias": torch.full((1,), 2.0)}
        output = 5 * output + 2
    return {"epoch": 3, "state_dict": state, "optimizer": {}}, image, output


def main():
    msdnet = public_msdnet(sys.argv[1])
    tensors = {}
    cases = {"msdnet_segmentation": (msdnet.network.SegmentationMSDNet, 1, 3, False),
             "msdnet_regression": (msdnet.network.MSDNet, 2, 1, True)}
    for name, case in cases.items():
        net, tensors[f"{name}.input"], tensors[f"{name}.output"] = by_msdnet(msdnet, *case)
        (HERE / f"{name}.h5").unlink(missing_ok=True)
        net.to_file(str(HERE / f"{name}.h5"))
    for name, case in {"msd_pytorch_classes": (3, 2, 2), "msd_pytorch_values": (2, 1, 0)}.items():
        saved, tensors[f"{name}.input"], tensors[f"{name}.output"] = by_msd_pytorch(*case)
        torch.save(saved, HERE / f"{name}.pt")
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, HERE / "msdnet_imports.safetensors")


if __name__ == "__main__":
    main()
