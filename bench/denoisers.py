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
from scipy import ndimage
from skimage.restoration import denoise_nl_means, denoise_tv_chambolle

WIDE = (2, 2**0.5, 2**0.25)  # factors between strengths, each around the best so far
NARROW = WIDE[1:]  # where about the best is known
BODY = -900  # HU; scanners clip the noise of air
LAPLACIANS = np.outer((1, -2, 1), (1, -2, 1))  # sees noise alone: J. Immerkaer, Comput. Vis. Image Underst. 64(2), 1996


@dataclasses.dataclass
class Noise:
    """What a method may know about the noise of a set, measured against full dose, which favours the method."""

    sigma: float  # HU
    spectrum: np.ndarray  # [Y, X], mean squared magnitude of the discrete Fourier transform, equal along circles
    mapped: float  # mean of noise_map()

    @staticmethod
    def of(low, full):
        noise = low - full
        power = np.abs(np.fft.fft2(noise)) ** 2
        radius = np.hypot(*np.meshgrid(*map(np.fft.fftfreq, noise.shape[1:]), indexing="ij"))
        ring = np.rint(radius * min(noise.shape[1:])).astype(int)
        around = np.bincount(ring.ravel(), power.mean(axis=0).ravel()) / np.bincount(ring.ravel())
        spectrum = around[ring]
        body = full > BODY
        sigma = float(noise[body].std())
        mapped = float(np.stack([noise_map(slice_) for slice_ in low])[body].mean())
        return Noise(sigma, spectrum * sigma**2 * ring.size / spectrum.mean(), mapped)


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


def noise_map(image):
    """Proportional to the noise around each pixel, estimated from the image itself: the median, over an eighth of the
    field, of what is left when edges and slopes are gone. Noise of CT is strongest amid the body."""
    step = max(len(image) // 128, 1)
    coarse = ndimage.median_filter(abs(ndimage.convolve(image, LAPLACIANS))[::step, ::step], 16)
    return ndimage.zoom(ndimage.gaussian_filter(coarse, 4), np.divide(image.shape, coarse.shape), order=1)


def equalised(denoise, image, strength, noise):
    """Denoises an image whose noise was made the same everywhere, and the same as in the set's other slices."""
    factor = np.maximum(noise_map(image) / noise.mapped, 0.2)  # there is little noise in clipped air
    return denoise(image / factor, strength, noise) * factor


@dataclasses.dataclass(frozen=True)
class Method:
    """`denoise(image, strength, noise)`; of settings under one name the better counts. Strengths are relative to the
    noise, `start` is where the search begins."""

    name: str
    setting: str
    start: float
    denoise: Callable


PLAIN = (
    Method("total variation", "weight", 1, total_variation),
    Method("non-local means", "patches of 5 within 6, h", 1, functools.partial(nonlocal_means, patch=5, distance=6)),
    Method("non-local means", "patches of 7 within 11, h", 1, functools.partial(nonlocal_means, patch=7, distance=11)),
    Method("BM3D", "white noise, sigma", 1, bm3d_white),
    Method("BM3D", "noise spectrum known, sigma", 1, bm3d_spectrum),
)
METHODS = PLAIN + tuple(Method(f"{plain.name}, noise equalised", plain.setting, plain.start,
                               functools.partial(equalised, plain.denoise)) for plain in PLAIN)


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

    def tune(self, method, low, full, factors, reach=1):
        """Tries the start times f^-reach ... f^reach for the first factor f, goes on until the best strength is between
        others, and refines by the other factors."""
        noise, trials = Noise.of(low, full), {}

        def rmse(strength):
            if strength not in trials:
                one = functools.partial(denoised, self.folder, method, strength, noise)
                images = np.stack(list(self.processes.map(one, low)))
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
    about = (method.name, method.setting, strength, noise.sigma, noise.mapped, image.shape,
             *map(importlib.metadata.version, ("scikit-image", "bm3d", "bm4d")))
    return hashlib.sha256(repr(about).encode() + image.tobytes() + noise.spectrum.tobytes()).hexdigest()[:32]
