"""Classical denoising of CT slices: each method as its users apply it, its one strength tuned by RMSE on the very
slices that it is judged on."""

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

WIDE = (2, 2**0.5, 2**0.25)  # factors between strengths, each around the best so far
NARROW = WIDE[1:]  # where about the best is known
BODY = -900  # HU; scanners clip the noise of air


@dataclasses.dataclass
class Noise:
    """What a method may know about the noise of a slice, measured against full dose, which favours the method."""

    sigma: float  # HU
    spectrum: np.ndarray  # [Y, X], expected squared magnitude of its discrete Fourier transform, equal along circles


def noise_of(low, full):
    """Of each slice of a set, whose spectra have one shape."""
    noise = low - full
    shape = noise.shape[1:]
    radius = np.hypot(*np.meshgrid(*map(np.fft.fftfreq, shape), indexing="ij"))
    ring = np.rint(radius * min(shape)).astype(int).ravel()
    power = (np.abs(np.fft.fft2(noise)) ** 2).mean(axis=0).ravel()
    spectrum = (np.bincount(ring, power) / np.bincount(ring))[ring].reshape(shape)
    sigmas = [float(slice_[body].std()) for slice_, body in zip(noise, full > BODY)]
    return [Noise(sigma, spectrum * sigma**2 * spectrum.size / spectrum.mean()) for sigma in sigmas]


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
    """`denoise(image, strength, noise)`; of settings under one name the better counts. Strengths are relative to the
    noise, `start` is where the search begins."""

    name: str
    setting: str
    start: float
    denoise: Callable


METHODS = (
    Method("total variation", "weight", 1, total_variation),
    Method("non-local means", "patches of 5 within 6, h", 1, functools.partial(nonlocal_means, patch=5, distance=6)),
    Method("non-local means", "patches of 7 within 11, h", 1, functools.partial(nonlocal_means, patch=7, distance=11)),
    Method("BM3D", "white noise, sigma", 1, bm3d_white),
    Method("BM3D", "noise spectrum known, sigma", 1, bm3d_spectrum),
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
    trials: list[Trial]  # by strength

    @property
    def best(self):
        return min(self.trials, key=lambda trial: trial.rmse)

    @property
    def setting(self):
        return f"{self.method.setting} = {self.best.strength:.2f} times the noise"


class Tuning:
    """Finds the best strength of methods on a set; what was denoised once is kept in a folder."""

    def __init__(self, folder, at_once):
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self.processes = concurrent.futures.ProcessPoolExecutor(at_once)

    def tune(self, method, low, full, factors, reach=1):
        """Tries the start times f^-reach ... f^reach for the first factor f, goes on until the best strength is between
        others, and refines by the other factors."""
        noise, trials = noise_of(low, full), {}

        def rmse(strength):
            if strength not in trials:
                one = functools.partial(denoised, self.folder, method, strength)
                images = np.stack(list(self.processes.map(one, low, noise)))
                error = np.sqrt(((images - full) ** 2).mean(axis=(1, 2))).mean()
                trials[strength] = Trial(strength, float(error), images)
            return trials[strength].rmse

        def beside(strength, factor):
            return min(strength, strength / factor, strength * factor, key=rmse)

        coarse, *finer = factors
        best = min((method.start * coarse**k for k in range(-reach, reach + 1)), key=rmse)
        while (better := beside(best, coarse)) != best:
            best = better
        for factor in finer:
            best = beside(best, factor)
        return Tuned(method, sorted(trials.values(), key=lambda trial: trial.strength))


def denoised(folder, method, strength, image, noise):
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
