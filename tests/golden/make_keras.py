"""Writes tomogan_keras.h5 and tomogan_keras.safetensors: TomoGAN's generator as Keras saves it, and what Keras computes.

    KERAS_BACKEND=torch build/peers/bin/python tests/golden/make_keras.py

The generator is built here once more, with Keras's layers, as the public reference defines it. Weights have 7 values, so that
the file stays small in a repository.
"""

import pathlib

import keras
import numpy as np
from keras import layers
from safetensors.numpy import save_file

HERE = pathlib.Path(__file__).parent
DEPTH, SIDE = 3, 24


def convolution(x, filters, kernel, activation="relu"):
    return layers.Conv2D(filters, kernel, padding="same", activation=activation)(x)


def box(x, filters):
    return convolution(convolution(x, filters, 3), filters, 3)


def generator():
    inputs = layers.Input((None, None, DEPTH))
    x = convolution(inputs, 8, 1)
    skips = []
    for filters in (32, 64, 128):
        x = box(x, filters)
        skips.append(x)
        x = layers.MaxPooling2D(2, 2, padding="same")(x)
    x = convolution(x, 128, 3)
    for filters in (64, 32, 32):
        x = layers.UpSampling2D(2, interpolation="bilinear")(x)
        x = box(layers.concatenate([skips.pop(), x]), filters)
    return keras.Model(inputs, convolution(convolution(x, 16, 1), 1, 1, None))


def main():
    random = np.random.default_rng(7)
    network = generator()
    for layer in network.layers:
        if layer.weights:
            kernel, bias = layer.get_weights()
            step = np.sqrt(6 / np.prod(kernel.shape[:3])) / 3
            layer.set_weights([random.integers(-3, 4, kernel.shape) * step, random.integers(-12, 13, bias.shape) / 128])
    image = random.random((2, SIDE, SIDE, DEPTH)).astype(np.float32)
    output = np.asarray(network.predict(image, verbose=0))
    network.save(HERE / "tomogan_keras.h5", include_optimizer=False)
    save_file({"input": np.ascontiguousarray(image.transpose(0, 3, 1, 2)),
               "output": np.ascontiguousarray(output.transpose(0, 3, 1, 2))}, HERE / "tomogan_keras.safetensors")


if __name__ == "__main__":
    main()
