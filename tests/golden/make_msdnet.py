"""Writes msdnet.safetensors: what PyTorch makes of small images by Mixed-Scale Dense networks, written as the public codes
have them (github.com/ahendriksen/msd_pytorch, github.com/dmpelt/msdnet): every layer reads what lies beyond the edge
by mirrored indices or as zeros. In float64, with the gradient of a random product with the output.

    build/peers/bin/python tests/golden/make_msdnet.py

A case's options stand in the metadata under the case's name.
"""

import json
import pathlib

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).parent
CASES = {
    "volume_mirrored": ({"classes": 2, "depth": 12, "dilations": [1, 2, 3, 4, 5]}, (1, 1, 9, 11, 21)),
    "volume_zeros": ({"channels": 2, "classes": 0, "width": 3, "depth": 4, "dilations": [1, 3], "border": "zeros"}, (1, 2, 6, 7, 40)),
    "thin_volume": ({"classes": 3, "depth": 11, "dilations": list(range(1, 11))}, (1, 1, 4, 1, 33)),
    "slices": ({"dimensions": 2, "classes": 2, "width": 2, "depth": 7, "dilations": [1, 2, 4, 8]}, (2, 1, 18, 70)),
    "slices_zeros": ({"dimensions": 2, "classes": 0, "depth": 8, "dilations": [1], "border": "zeros"}, (1, 1, 10, 16)),
}


def mirrored(x, dimension, around):
    """By an index map: F.pad refuses to mirror an axis more than once."""
    n = x.shape[dimension]
    places = np.abs(np.arange(-around, n + around))
    if n == 1:
        places[:] = 0
    else:
        places %= 2 * (n - 1)
        places = np.where(places < n, places, 2 * (n - 1) - places)
    return x.index_select(dimension, torch.from_numpy(places))


def network(x, weights, options):
    dimensions = x.dim() - 2
    convolve = {2: F.conv2d, 3: F.conv3d}[dimensions]
    maps = x
    for layer in range(options["depth"]):
        dilation = options["dilations"][layer % len(options["dilations"])]
        read = maps
        if options.get("border", "reflect") == "zeros":
            padding = dilation
        else:
            padding = 0
            for dimension in range(2, 2 + dimensions):
                read = mirrored(read, dimension, dilation)
        y = convolve(read, weights[f"layer{layer}.weight"], weights[f"layer{layer}.bias"], padding=padding, dilation=dilation)
        maps = torch.cat((maps, F.relu(y)), 1)
    y = convolve(maps, weights["out.weight"], weights["out.bias"])
    return torch.softmax(y, 1) if options["classes"] else y


def random_weights(options, channels, dimensions):
    width, weights = options.get("width", 1), {}
    kernel = [3] * dimensions
    for layer in range(options["depth"]):
        seen = channels + width * layer
        weights[f"layer{layer}.weight"] = torch.randn(width, seen, *kernel) * (2 / (seen * 3**dimensions)) ** 0.5
        weights[f"layer{layer}.bias"] = 0.1 * torch.randn(width)
    weights["out.weight"] = torch.randn(max(options["classes"], 1), channels + width * options["depth"], *[1] * dimensions)
    weights["out.bias"] = torch.randn(max(options["classes"], 1))
    return weights


def main():
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float64)
    tensors, metadata = {}, {}
    for name, (options, shape) in CASES.items():
        x = torch.randn(shape, requires_grad=True)
        weights = {key: value.requires_grad_() for key, value in random_weights(options, shape[1], len(shape) - 2).items()}
        y = network(x, weights, options)
        probe = torch.randn_like(y)
        (y * probe).sum().backward()
        tensors |= {f"{name}.input": x.detach(), f"{name}.output": y.detach(), f"{name}.probe": probe, f"{name}.grad.input": x.grad}
        for key, value in weights.items():
            tensors |= {f"{name}.{key}": value.detach(), f"{name}.grad.{key}": value.grad}
        metadata[name] = json.dumps(options)
    save_file({key: value.contiguous() for key, value in tensors.items()}, HERE / "msdnet.safetensors", metadata)


if __name__ == "__main__":
    main()
