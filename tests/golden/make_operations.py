"""Writes operations.safetensors: what PyTorch makes of a small image by each operation that a graph can have, in two and
three dimensions, and the gradient of a random product with it for the image and the weights, in float64.

    build/peers/bin/python tests/golden/make_operations.py

A case's graph stands in the metadata under the case's name, as in a model file.
"""

import json
import pathlib

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).parent
CHANNELS = 4
SIZES = {2: (6, 8), 3: (4, 4, 6)}


def same_padding(kernel, dilation):
    return [d * (k - 1) // 2 for k, d in zip(kernel, dilation)]


def convolution(dimensions, kernel, stride=None, dilation=None, groups=1, padding="zeros"):
    stride, dilation = stride or [1] * dimensions, dilation or [1] * dimensions
    out = 6
    node = {"op": "convolution", "in": CHANNELS, "out": out, "kernel": kernel, "stride": stride, "dilation": dilation,
            "groups": groups, "padding": padding}
    weights = {"weight": torch.randn(out, CHANNELS // groups, *kernel), "bias": torch.randn(out)}
    run = {2: F.conv2d, 3: F.conv3d}[dimensions]

    def truth(x, weight, bias):
        around = same_padding(kernel, dilation)
        if padding == "zeros":
            return run(x, weight, bias, stride, around, dilation, groups)
        sides = [side for along in reversed(around) for side in (along, along)]
        return run(F.pad(x, sides, padding), weight, bias, stride, 0, dilation, groups)

    return node, weights, truth


def from_origins(x, factor):
    """TensorFlow 1: position p reads from p / factor, and the last pixel is repeated beyond."""
    for dimension, times in enumerate(factor, start=2):
        size = x.shape[dimension]
        places = [p / times for p in range(size * times)]
        columns = []
        for place in places:
            below = int(place)
            above = min(below + 1, size - 1)
            columns.append(x.select(dimension, below) * (1 - (place - below)) + x.select(dimension, above) * (place - below))
        x = torch.stack(columns, dimension)
    return x


def upsample(factor, mode, grids):
    linear = {2: "bilinear", 3: "trilinear"}[len(factor)]
    node = {"op": "upsample", "factor": factor, "interpolation": mode, "align_corners": grids == "corners", "grids": grids}

    def truth(x):
        if mode == "nearest":
            return F.interpolate(x, scale_factor=factor, mode="nearest")
        if grids == "origins":
            return from_origins(x, factor)
        return F.interpolate(x, scale_factor=factor, mode=linear, align_corners=grids == "corners")

    return node, {}, truth


def pool(name, kernel, stride, padding):
    dimensions = len(kernel)
    if name == "max_pool":
        run = {2: F.max_pool2d, 3: F.max_pool3d}[dimensions]
        return {"op": name, "kernel": kernel, "stride": stride, "padding": padding}, {}, lambda x: run(x, kernel, stride, padding)
    run = {2: F.avg_pool2d, 3: F.avg_pool3d}[dimensions]
    return ({"op": name, "kernel": kernel, "stride": stride, "padding": padding}, {},
            lambda x: run(x, kernel, stride, padding, count_include_pad=False))


def batch_norm():
    weights = {"weight": torch.randn(CHANNELS), "bias": torch.randn(CHANNELS), "running_mean": torch.randn(CHANNELS),
               "running_var": torch.rand(CHANNELS) + 0.5}
    return ({"op": "batch_norm", "channels": CHANNELS, "eps": 1e-5, "momentum": 0.1}, weights,
            lambda x, weight, bias, running_mean, running_var: F.batch_norm(x, running_mean, running_var, weight, bias))


def cases():
    for dimensions in (2, 3):
        axes = lambda *values: list(values[-dimensions:])
        of = {
            "convolution": convolution(dimensions, axes(3, 3, 3)),
            "convolution of axes": convolution(dimensions, axes(1, 3, 5), axes(1, 2, 1), axes(1, 1, 2)),
            "dilated convolution": convolution(dimensions, axes(3, 3, 3), None, axes(1, 2, 3)),
            "convolution in groups": convolution(dimensions, axes(3, 3, 3), groups=2),
            "convolution of reflected": convolution(dimensions, axes(3, 3, 5), padding="reflect"),
            "convolution of replicated": convolution(dimensions, axes(3, 5, 3), axes(1, 2, 2), padding="replicate"),
            "batch norm": batch_norm(),
            "leaky relu": ({"op": "leaky_relu", "slope": 0.2}, {}, lambda x: F.leaky_relu(x, 0.2)),
            "elu": ({"op": "elu", "alpha": 0.7}, {}, lambda x: F.elu(x, 0.7)),
            "swish": ({"op": "swish"}, {}, F.silu),
            "sigmoid": ({"op": "sigmoid"}, {}, torch.sigmoid),
            "softmax": ({"op": "softmax"}, {}, lambda x: F.softmax(x, 1)),
            "max pool": pool("max_pool", axes(1, 3, 2), axes(1, 2, 2), axes(0, 1, 0)),
            "average pool": pool("average_pool", axes(2, 3, 2), axes(2, 2, 2), axes(0, 1, 1)),
            "nearest": upsample(axes(1, 2, 3), "nearest", "edges"),
            "linear by corners": upsample(axes(2, 2, 3), "linear", "corners"),
            "linear by edges": upsample(axes(2, 2, 3), "linear", "edges"),
            "linear by origins": upsample(axes(1, 2, 3), "linear", "origins"),
        }
        for name, (node, weights, truth) in of.items():
            yield f"{name} {dimensions}d", dimensions, node, weights, truth


def main():
    torch.manual_seed(1)
    torch.set_default_dtype(torch.float64)
    tensors, graphs = {}, {}
    for name, dimensions, node, weights, truth in cases():
        x = torch.randn(1, CHANNELS, *SIZES[dimensions], requires_grad=True)
        for key, weight in weights.items():
            weight.requires_grad_(not key.startswith("running"))
        y = truth(x, *weights.values())
        probe = torch.randn_like(y)
        (y * probe).sum().backward()
        tensors |= {f"{name}.input": x.detach(), f"{name}.output": y.detach(), f"{name}.probe": probe, f"{name}.grad.input": x.grad}
        for key, weight in weights.items():
            tensors[f"{name}.{key}"] = weight.detach()
            if weight.grad is not None:
                tensors[f"{name}.grad.{key}"] = weight.grad
        graphs[name] = json.dumps({"architecture": "one", "dimensions": dimensions, "nodes": [
            {"name": "x", "inputs": [], "op": "input", "channels": CHANNELS}, {"name": "y", "inputs": [0]} | node]})
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, HERE / "operations.safetensors", graphs)


if __name__ == "__main__":
    main()
