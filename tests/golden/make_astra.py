"""Writes astra.safetensors: what the ASTRA toolbox's CPU algorithms make of a head phantom.

    build/peers/bin/python tests/golden/make_astra.py

Conventions. ASTRA's y axis points up and row 0 of its images is the top; ours points down. ASTRA is handed images
turned upside down and what it returns is turned back: then its rays are ours for the same angles, detectors
running the same way along n = (cos t, sin t), its source on the same side of the axis. Lengths are in pixels on
both sides, the detector's spacing too; its `origin_det` is our source_detector_mm - source_mm.

Projectors. 'linear' is Joseph's method in a parallel beam, as ours. For fans the CPU has no Joseph: 'strip_fanflat'
averages over the width of a detector, 'line_fanflat' adds up the chords of pixels. The strips are nearer to ours
and are used here; what the two differ by among themselves is written too, as a measure for the tests.

Nothing is square or of spacing 1, so that swapped axes and forgotten factors show.
"""

import importlib.metadata
import pathlib

import astra
import numpy as np
from safetensors.numpy import save_file
from scipy.ndimage import gaussian_filter
from skimage.data import shepp_logan_phantom
from skimage.transform import resize

HERE = pathlib.Path(__file__).parent
ROWS, COLUMNS = 88, 96
VIEWS = 90
ITERATIONS = (1, 10, 100)

VOLUME = astra.create_vol_geom(ROWS, COLUMNS)
PARALLEL = astra.create_proj_geom("parallel", 1.1, 120, np.pi * np.arange(VIEWS) / VIEWS)
FAN = astra.create_proj_geom("fanflat", 1.75, 120, 2 * np.pi * np.arange(VIEWS) / VIEWS, 180, 120)


def head():
    """The Shepp-Logan head, lying on its side a little off the axis; blurred, for on edges sharper than a pixel every
    model of a projector is wrong in its own way."""
    image = np.zeros((ROWS, COLUMNS), np.float32)
    image[6:80, 5:83] = resize(shepp_logan_phantom().T, (74, 78), anti_aliasing=True)
    return gaussian_filter(image, 1)


def upside_down(image):
    return np.ascontiguousarray(image[::-1])


def sinogram_of(image, projector):
    return astra.create_sino(upside_down(image), projector)[1]


def reconstruct(name, sinogram, projector, iterations=1, **options):
    """What an algorithm makes of a sinogram after each of so many iterations, all 0 before."""
    geometry = astra.projector.projection_geometry(projector)
    sino_id = astra.data2d.create("-sino", geometry, sinogram)
    image_id = astra.data2d.create("-vol", VOLUME, 0)
    algorithm = astra.algorithm.create({
        "type": name, "ProjectorId": projector, "ProjectionDataId": sino_id, "ReconstructionDataId": image_id,
        "option": options})
    astra.algorithm.run(algorithm, iterations)
    return upside_down(astra.data2d.get(image_id))


def scan(name, kernel, geometry, image):
    projector = astra.create_projector(kernel, geometry, VOLUME)
    sinogram = sinogram_of(image, projector)
    images = {f"{name}.sirt{n}": reconstruct("SIRT", sinogram, projector, n) for n in ITERATIONS}
    return projector, {f"{name}.sino": sinogram} | images


def main():
    image = head()
    projector, parallel = scan("parallel", "linear", PARALLEL, image)
    parallel["parallel.fbp"] = reconstruct("FBP", parallel["parallel.sino"], projector, FilterType="ram-lak")
    _, fan = scan("fan", "strip_fanflat", FAN, image)
    _, lines = scan("fan", "line_fanflat", FAN, image)
    between = {f"between_models.{key}": np.float64(np.linalg.norm(lines[key] - fan[key]) / np.linalg.norm(fan[key]))
               for key in fan}
    save_file({"head": image} | parallel | fan | {name: np.array(value) for name, value in between.items()},
              HERE / "astra.safetensors", {"astra-toolbox": importlib.metadata.version("astra-toolbox")})
    for name, value in between.items():
        print(f"{name}: {value:.4f}")


if __name__ == "__main__":
    main()
