"""Writes ms_ssim.json and ms_ssim.safetensors: what public packages say about pairs of images.

    build/peers/bin/python tests/golden/make_ms_ssim.py

pytorch-msssim and scikit-image compute in float64 from the stored float32 images; the data range is 1.
"""

import importlib.metadata
import json
import pathlib

import numpy as np
import torch
from pytorch_msssim import ms_ssim, ssim
from safetensors.numpy import save_file
from scipy.ndimage import gaussian_filter
from skimage import metrics

HERE = pathlib.Path(__file__).parent


def smooth(rng, shape, sigma):
    """A random field with structures of about `sigma` pixels, stretched to [0, 1]."""
    field = gaussian_filter(rng.standard_normal(shape), sigma)
    return (field - field.min()) / (field.max() - field.min())


def make_pairs():
    rng = np.random.default_rng(0)
    fine, coarse = smooth(rng, (192, 192), 3), smooth(rng, (192, 192), 12)
    wide = smooth(rng, (176, 208), 6)  # not square: catches swapped axes
    return {
        "light_noise": (fine, fine + 0.02 * rng.standard_normal(fine.shape)),
        "heavy_noise": (coarse, coarse + 0.2 * rng.standard_normal(coarse.shape)),
        "blur": (fine, gaussian_filter(fine, 2)),
        "contrast": (wide, 0.7 * wide + 0.2),
    }


def window():
    """The 11 weights of sigma 1.5 in float64; the package's own are rounded to float32, which moves MS-SSIM by 2e-6."""
    weights = torch.exp(-(torch.arange(11, dtype=torch.float64) - 5) ** 2 / (2 * 1.5**2))
    return (weights / weights.sum()).reshape(1, 1, 1, 11)


def measure(a, b):
    a, b = a.astype(np.float64), b.astype(np.float64)
    ta, tb = torch.from_numpy(a), torch.from_numpy(b)
    return {
        "pytorch_msssim": {
            "ssim": ssim(ta, tb, data_range=1, win=window()).item(),
            "ms_ssim": ms_ssim(ta, tb, data_range=1, win=window()).item(),
        },
        "skimage": {
            # these three settings make it the SSIM of Wang et al. 2004 (11x11 Gaussian, sigma 1.5)
            "ssim": metrics.structural_similarity(
                a[0, 0], b[0, 0], data_range=1, gaussian_weights=True, sigma=1.5, use_sample_covariance=False),
            "psnr": metrics.peak_signal_noise_ratio(a, b, data_range=1),
            "mse": metrics.mean_squared_error(a, b),
        },
    }


def main():
    images, pairs = {}, {}
    for name, pair in make_pairs().items():
        a, b = (np.ascontiguousarray(image[None, None], dtype=np.float32) for image in pair)
        images[f"{name}.a"], images[f"{name}.b"] = a, b
        pairs[name] = measure(a, b)
    versions = {p: importlib.metadata.version(p) for p in ("torch", "pytorch-msssim", "scikit-image")}
    save_file(images, HERE / "ms_ssim.safetensors")
    text = json.dumps({"data_range": 1, "versions": versions, "pairs": pairs}, indent=2, default=float)
    (HERE / "ms_ssim.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
