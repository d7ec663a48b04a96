"""Writes components.safetensors: random volumes of classes and their connected components by scipy, by faces, edges and
corners; the components of each class are numbered by their first voxels.

    build/peers/bin/python tests/golden/make_components.py
"""

import pathlib

import numpy as np
from safetensors.numpy import save_file
from scipy import ndimage

HERE = pathlib.Path(__file__).parent
NEIGHBOURS = {6: 1, 18: 2, 26: 3}


def components(classes, neighbours):
    structure = ndimage.generate_binary_structure(3, NEIGHBOURS[neighbours])
    labels, count = np.zeros(classes.shape, np.int64), 0
    for one in range(1, classes.max() + 1):
        found, number = ndimage.label(classes == one, structure)
        labels[found > 0] = found[found > 0] + count
        count += number
    _, firsts, inverse = np.unique(labels, return_index=True, return_inverse=True)
    order = np.argsort(np.where(firsts == firsts[0], -1, firsts)) if labels.min() == 0 else np.argsort(firsts)
    by_first = np.empty_like(order)
    by_first[order] = np.arange(len(order))
    renumbered = by_first[inverse].reshape(labels.shape)
    return renumbered if labels.min() == 0 else renumbered + 1


def blobs(random, shape, share):
    smooth = ndimage.gaussian_filter(random.standard_normal(shape), 1.2)
    return smooth > np.quantile(smooth, 1 - share)


def main():
    random = np.random.default_rng(5)
    arrays = {}
    for i in range(50):
        shape = tuple(int(side) for side in random.integers(1, 14, 3)) if i % 3 else (9, 12, 17)
        share = random.uniform(0.05, 0.6)
        there = blobs(random, shape, share) if i % 2 else random.random(shape) < share
        classes = np.where(there, random.integers(1, 3, shape) if i % 5 == 0 else 1, 0).astype(np.uint8)
        arrays[f"{i}.classes"] = classes
        for neighbours in NEIGHBOURS:
            arrays[f"{i}.{neighbours}"] = components(classes, neighbours).astype(np.int32)
    save_file(arrays, HERE / "components.safetensors")


if __name__ == "__main__":
    main()
