"""Writes dxchange.h5 and dxchange_radians.h5: tiny scans as h5py writes them.

    build/peers/bin/python tests/golden/make_scans.py

Frame f, row z, column u holds first + 100 f + 10 z + u, so that a test can tell every number.
"""

import pathlib

import h5py
import numpy as np

HERE = pathlib.Path(__file__).parent


def frames(count, first, dtype):
    f, z, u = np.ogrid[:count, :3, :5]
    return (first + 100 * f + 10 * z + u).astype(dtype)


def write_usual():
    """As beamlines do: integers in chunks of one view, compressed, angles in degrees."""
    with h5py.File(HERE / "dxchange.h5", "w") as file:
        data = file.create_dataset("exchange/data", data=frames(4, 0, "u2"), chunks=(1, 3, 5), compression="gzip")
        data.attrs["units"] = "counts"
        data.attrs["axes"] = "theta:y:x"
        file["exchange/data_white"] = frames(2, 5000, "u2")
        file["exchange/data_dark"] = frames(1, 7000, "u2")
        file["exchange/theta"] = np.array([0, 45, 90, 135], "f4")
        file["exchange/theta"].attrs["units"] = "degrees"


def write_unusual():
    """Big-endian floats in the newest file format, angles in radians, an empty data set of darks, no flats."""
    with h5py.File(HERE / "dxchange_radians.h5", "w", libver="v110") as file:
        file["exchange/data"] = frames(2, -1.5, ">f4")
        file["exchange/data_dark"] = frames(0, 0, "u2")
        file["exchange/theta"] = np.array([0, 0.25])
        file["exchange/theta"].attrs["units"] = np.bytes_("Radians")


if __name__ == "__main__":
    write_usual()
    write_unusual()
