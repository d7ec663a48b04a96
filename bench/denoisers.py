"""Classical denoising of CT slices: each method as its users apply it, its one strength tuned by RMSE on the very slices
that it is judged on."""

import concurrent.futures
import dataclasses
import functools
import hashlib
import importlib.metadata
from typing import Callable

import numpy as np

np.trapz = np.trapezoid  # numpy 2.4 removed the old name, which bm4d 4.2.5 calls
import bm3d
from skimage.restoration import denoise_nl_means, denoise_tv_chambolle

REFINEMENTS = (2**0.5, 2**0.25)  # factors between strengths around the best, after the first search by factors of 2
BODY = -900  # HU; scanners clip the noise of air


@dataclasses.dataclass
class Noise:
    """What a method may know about the noise of a set, measured against full dose, which favours the method."""

    sigma: float  # HU
    spectrum: np.ndarray  # [Y, X], mean squared magnitude of the discrete Fourier transform, equal along circles

    @staticmethod
    def of(low, full):
        noise = low - full
        power = np.abs(np.fft.fft2(noise)) ** 2
        radius = np.hypot(*np.meshgrid(*map(np.fft.fftfreq, noise.shape[1:]), indexing="ij"))
        ring = np.rint(radius * min(noise.shape[1:])).astype(int)
        around = np.bincount(ring.ravel(), power.mean(axis=0).ravel()) / np.bincount(ring.ravel())
        spectrum = around[ring]
        sigma = float(noise[full > BODY].std())
        return Noise(sigma, spectrum * sigma**2 * ring.size / spectrum.mean())


def total_variation(image, strength, noise):
    return denoise_tv_chambolle(image, weight=strength * noise.sigma)


def nonlocal_means(image, strength, noise, patch, distance):
    return denoise_nl_means(image, patch_size=patch, patch_distance=distance, h=strength * noise.sigma,
                            sigma=noise.sigma, fast_mode=True)


def bm3d_white(image, strength, noise):
    return bm3d.bm3d(image, strength * noise.sigma, one_thread())


def bm3d_spectrum(image, strength, noise):
    return bm3d.bm3d(image, strength**2 * noise.spectrum, one_thread())


def one_thread():
    profile = bm3d.BM3DProfile()
    profile.num_threads = 1  # more of them add in another order every time
    return profile


@dataclasses.dataclass(frozen=True)
class Method:
    """`denoise(image, strength, noise)`; strengths are relative to the noise, `start` is where the search begins."""

    name: str
    setting: str
    start: float
    denoise: Callable


METHODS = (
    Method("total variation", "weight", 1, total_variation),
    Method("non-local means", "patches of 5 within 6, h", 0.8,
           functools.partial(nonlocal_means, patch=5, distance=6)),
    Method("non-local means", "patches of 7 within 11, h", 0.8,
           functools.partial(nonlocal_means, patch=7, distance=11)),
    Method("BM3D", "sigma", 1, bm3d_white),
    Method("BM3D, noise spectrum known", "sigma", 1, bm3d_spectrum),
)


@dataclasses.dataclass
class Trial:
    """A set denoised with one strength."""

    strength: float  # relative to the noise
    rmse: float  # HU, the mean over slices
    images: np.ndarray  # [S, Y, X]


@dataclasses.dataclass
class Tuned:
    method: Method
    noise: Noise
    trials: list[Trial]  # by strength

    @property
    def best(self):
        return min(self.trials, key=lambda trial: trial.rmse)

    def strength(self, trial):
        return f"{self.method.setting} = {trial.strength * self.noise.sigma:.1f} HU"


class Tuning:
    """Finds the best strength of methods on a set; what was denoised once is kept in a folder."""

    def __init__(self, folder, at_once):
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self.processes = concurrent.futures.ProcessPoolExecutor(at_once)

    def tune(self, method, low, full, reach=1):
        """Tries the start times 2^-reach ... 2^reach, goes on until the best strength is between others, and refines."""
        noise, trials = Noise.of(low, full), {}

        def rmse(strength):
            if strength not in trials:
                one = functools.partial(denoised, self.folder, method, strength, noise)
                images = np.stack(list(self.processes.map(one, low)))
                trials[strength] = Trial(strength, float(np.sqrt(((images - full) ** 2).mean(axis=(1, 2))).mean()), images)
            return trials[strength].rmse

        def beside(strength, factor):
            return min(strength, strength / factor, strength * factor, key=rmse)

        best = min((method.start * 2.0**k for k in range(-reach, reach + 1)), key=rmse)
        while (better := beside(best, 2)) != best:
            best = better
        for factor in REFINEMENTS:
            best = beside(best, factor)
        return Tuned(method, noise, sorted(trials.values(), key=lambda trial: trial.strength))


def denoised(folder, method, strength, noise, image):
    """One slice, from the folder if it is there."""
    path = folder / f"{key_of(method, strength, noise, image)}.npy"
    if not path.exists():
        partial = path.with_suffix(".partial")
        with partial.open("wb") as file:
            np.save(file, method.denoise(image, strength, noise).astype(np.float32))
        partial.rename(path)
    return np.load(path).astype(np.float64)


def key_of(method, strength, noise, image):
    """Changes with all that the result depends on."""
    about = (method.name, method.setting, strength, noise.sigma, image.shape,
             *map(importlib.metadata.version, ("scikit-image", "bm3d", "bm4d")))
    return hashlib.sha256(repr(about).encode() + image.tobytes() + noise.spectrum.tobytes()).hexdigest()[:32]
