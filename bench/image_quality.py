"""How good a denoised CT slice is: its distance from the full-dose slice, and noise and resolution against the
simulated truth. Images are float64 [Y, X] in HU; a set is an array [S, Y, X]."""

import dataclasses

import numpy as np
import torch
from pytorch_msssim import ms_ssim
from scipy import ndimage, optimize, special
from skimage.measure import find_contours
from skimage.metrics import structural_similarity

LOW, HIGH = -1024, 1024  # HU to which images are clipped for SSIM: air to dense bone
WANG = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}  # as Wang et al. 2004 define SSIM
SOFT_TISSUE = (-150, 300)  # HU; noise is measured here, for scanners clip it in air and the lung has texture
UNIFORM = 30  # HU between the largest and the smallest value of the truth around a pixel of a uniform region
MARGIN = 3  # pixels between a uniform region and anything else, more than the blur of the scanner
SMALLEST_REGION = 30  # pixels
EDGE = -400  # HU, halfway between lung or air and soft tissue
STEP = 300  # HU across an edge, at least: so much more than noise that its place is certain
PROFILE = np.arange(-6, 6.01, 0.25)  # pixels along the normal of an edge
PLATEAU = 60  # HU of standard deviation on either side of an edge, at most; the lung's texture has 30
VESSEL = 200  # HU above the lung around it, at least
VESSEL_AREA = 9  # pixels, at most: about the width of the scanner's point spread
TEN_TO_NINETY = 2 * special.ndtri(0.9)  # width of an edge blurred by a Gaussian, in its standard deviations


def distances(images, full):
    """RMSE (HU), SSIM and MS-SSIM, each the mean over slices."""
    rmse = np.sqrt(((images - full) ** 2).mean(axis=(1, 2)))
    a, b = (np.clip(stack, LOW, HIGH) for stack in (images, full))
    ssim = [structural_similarity(x, y, data_range=HIGH - LOW, **WANG) for x, y in zip(a, b)]
    multiscale = ms_ssim(torch.from_numpy(a)[:, None], torch.from_numpy(b)[:, None], data_range=HIGH - LOW)
    return {"rmse": float(rmse.mean()), "ssim": float(np.mean(ssim)), "ms_ssim": float(multiscale)}


def noise_in(images, rectangles):
    """Standard deviation within rectangles (top, left, height, width), each around its own mean."""
    parts = [image[y:y + h, x:x + w] for image in images for y, x, h, w in rectangles]
    return float(np.sqrt(np.mean([part.var() for part in parts])))


@dataclasses.dataclass
class Edges:
    """Profiles across the strong edges of a slice: coordinates [E, P] of their samples, and the levels [E] that the
    truth has at their ends."""

    rows: np.ndarray
    columns: np.ndarray
    low: np.ndarray
    high: np.ndarray


class Truth:
    """What simulated slices should look like: judges images of them by noise, edge width and vessel contrast."""

    def __init__(self, truth):
        self.truth = truth
        self.regions = [uniform_regions(slice_) for slice_ in truth]
        self.edges = [edges_of(slice_) for slice_ in truth]
        self.vessels = [vessels_of(slice_) for slice_ in truth]

    def judge(self, images):
        return {"noise": self.noise(images), "edge_width": self.edge_width(images),
                "vessel_contrast": self.vessel_contrast(images)}

    def noise(self, images):
        """Standard deviation of image minus truth in uniform regions, around each region's mean, HU."""
        squares, pixels = 0, 0
        for error, (labels, count) in zip(images - self.truth, self.regions):
            index = np.arange(1, count + 1)
            sizes = ndimage.sum_labels(np.ones_like(error), labels, index)
            squares += (ndimage.variance(error, labels, index) * sizes).sum()
            pixels += sizes.sum()
        return float(np.sqrt(squares / pixels))

    def profile(self, images):
        """Mean profile across all edges; the truth's goes from 0 to 1."""
        profiles = []
        for image, e in zip(images, self.edges):
            values = ndimage.map_coordinates(image, (e.rows, e.columns), order=3)
            profiles.append((values - e.low[:, None]) / (e.high - e.low)[:, None])
        return np.concatenate(profiles).mean(axis=0)

    def edge_width(self, images):
        """Pixels from 10 to 90 % of the error function that fits the mean profile."""
        def blurred(x, low, step, centre, sigma):
            return low + step * special.ndtr((x - centre) / sigma)

        fit, _ = optimize.curve_fit(blurred, PROFILE, self.profile(images), p0=(0, 1, 0, 1))
        return float(TEN_TO_NINETY * abs(fit[3]))

    def vessel_contrast(self, images):
        """Contrast of small vessels to the lung around them, relative to the truth's."""
        return float(sum(map(contrasts, images, self.vessels)) / sum(map(contrasts, self.truth, self.vessels)))


def uniform_regions(truth):
    """Labels of the regions of soft tissue with (almost) one value, and their number."""
    side = 2 * MARGIN + 1
    spread = ndimage.maximum_filter(truth, side) - ndimage.minimum_filter(truth, side)
    uniform = (spread < UNIFORM) & (truth > SOFT_TISSUE[0]) & (truth < SOFT_TISSUE[1])
    labels, count = ndimage.label(uniform)
    sizes = ndimage.sum_labels(uniform, labels, np.arange(count + 1))  # 0 for what is not uniform
    return ndimage.label((sizes >= SMALLEST_REGION)[labels])


def edges_of(truth):
    """The edges through EDGE whose two sides are level."""
    points = np.concatenate(find_contours(truth, EDGE))
    normal = np.stack([ndimage.map_coordinates(g, points.T, order=1)
                       for g in np.gradient(ndimage.gaussian_filter(truth, 1))], axis=1)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-9
    rows, columns = (points[:, :, None] + normal[:, :, None] * PROFILE).transpose(1, 0, 2)
    values = ndimage.map_coordinates(truth, (rows, columns), order=1)
    below, above = values[:, PROFILE <= -2], values[:, PROFILE >= 2]
    low, high = below.mean(axis=1), above.mean(axis=1)
    height, width = truth.shape
    inside = (rows >= 0) & (rows <= height - 1) & (columns >= 0) & (columns <= width - 1)
    chosen = inside.all(axis=1) & (high - low > STEP) & (below.std(axis=1) < PLATEAU) & (above.std(axis=1) < PLATEAU)
    return Edges(rows[chosen], columns[chosen], low[chosen], high[chosen])


def vessels_of(truth):
    """The brightest pixel of each small vessel in the lung, and the ring of lung around it: a list of (pixel, ring)."""
    lung = ndimage.median_filter(truth, 15)
    vessel = (truth - lung > VESSEL) & (lung < -600)
    labels, count = ndimage.label(vessel, np.ones((3, 3)))
    areas = ndimage.sum_labels(vessel, labels, np.arange(count + 1))
    small = [label for label in range(1, count + 1) if areas[label] <= VESSEL_AREA]
    rings = []
    for row, column in ndimage.maximum_position(truth, labels, small):
        y, x = np.ogrid[:truth.shape[0], :truth.shape[1]]
        distance = np.hypot(y - row, x - column)
        ring = (distance >= 3) & (distance <= 5) & (abs(truth - lung) < VESSEL / 2)
        if ring.sum() >= 20:
            rings.append(((row, column), np.nonzero(ring)))
    return rings


def contrasts(image, vessels):
    """Sum over the vessels of a slice."""
    return sum(image[pixel] - image[ring].mean() for pixel, ring in vessels)


def errors_on_known_images():
    """What the measures above make of images whose noise, blur and contrast are known: (what, error, bound)."""
    def disc(row, column, radius):
        return np.clip(radius + 0.5 - np.hypot(y - row, x - column), 0, 1)

    y, x = np.mgrid[:256, :256]
    vessels = sum(disc(row, column, 1) for row in (108, 128, 148) for column in (108, 128, 148))
    body = -1000 + 1050 * disc(127.6, 127.3, 100) - 900 * disc(128.2, 127.5, 50) + 850 * vessels
    noisy, faint = body + 20 * np.random.default_rng(1).standard_normal(body.shape), -850 + 0.6 * (body + 850)
    blur = 1.2
    width = TEN_TO_NINETY * np.hypot(blur, 12**-0.5)  # a pixel is a box, with this standard deviation
    truth = Truth(body[None])
    measured = truth.edge_width(ndimage.gaussian_filter(noisy, blur)[None])
    return (("measured noise of 20 HU, relative", abs(truth.noise(noisy[None]) / 20 - 1), 0.03),
            ("measured width of blurred edges, relative", float(abs(measured / width - 1)), 0.03),
            ("measured contrast of faint vessels", abs(truth.vessel_contrast(faint[None]) - 0.6), 0.01))
