"""Writes tiny scans as h5py writes them: dxchange.h5, dxchange_radians.h5 and dxchange_rods.h5.

    build/peers/bin/python tests/golden/make_scans.py

In the first two, frame f, row z, column u holds first + 100 f + 10 z + u, so that a test can tell every number. The
third can be reconstructed.
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


def write_rods():
    """Two rods of 2 and 3 /mm, 32 views over a half turn, detector pixels of 0.01 mm, the axis at column 25."""
    view, _, column = np.ogrid[:32, :4, :48]
    angle = np.pi * view / 32
    integrals = 0
    for x, y, radius, attenuation in ((6, 2, 9, 2), (-8, -5, 5, 3)):  # x, y, radius in pixels from the axis
        distance = column - 25 - x * np.cos(angle) - y * np.sin(angle)
        integrals = integrals + 0.01 * attenuation * 2 * np.sqrt(np.clip(radius**2 - distance**2, 0, None))
    counts = np.broadcast_to(100 + 40000 * np.exp(-integrals), (32, 4, 48))
    with h5py.File(HERE / "dxchange_rods.h5", "w") as file:
        data = file.create_dataset("exchange/data", data=counts.astype("u2"), chunks=(1, 4, 48), compression="gzip")
        data.attrs["element_size_um"] = [0.0, 10.0, 10.0]  # views have none
        file["exchange/data_white"] = np.full((2, 4, 48), 40100, "u2")
        file["exchange/data_dark"] = np.full((1, 4, 48), 100, "u2")
        file["exchange/theta"] = np.arange(32) * 180 / 32
        file["exchange/theta"].attrs["units"] = "degrees"


if __name__ == "__main__":
    write_usual()
    write_unusual()
    write_rods()
