"""Whether a network keeps levels, and what it makes of the pixels at the edge of a slice. Images are float64 [Y, X] in
HU; a set is an array [S, Y, X]; `enhance` and `denoise` take and give a set."""

import numpy as np

LEVELS = (-1000, -850, -700, -500, -300, -100, 0, 50, 150, 300, 600, 1000, 1500, 2000)  # HU
SIDE = 128  # of an image of one value, pixels
EDGE = 8  # pixels, the outermost of a crop


def levels_kept(enhance):
    """By images of one value: the largest error at the centre over all levels, over those that tissue has (to 1000 HU),
    and the largest difference between a pixel and the centre."""
    enhanced = enhance(np.stack([np.full((SIDE, SIDE), float(level)) for level in LEVELS]))
    centre = enhanced[:, SIDE // 2, SIDE // 2]
    error = np.abs(centre - LEVELS)
    tissue = np.array(LEVELS) <= 1000
    uneven = np.abs(enhanced - centre[:, None, None]).max(axis=(1, 2))
    return {"level_error": float(error.max()), "tissue_level_error": float(error[tissue].max()),
            "uneven": float(uneven[tissue].max())}


def middle_of(images):
    rows, columns = images.shape[1:]
    return images[:, rows // 4:rows - rows // 4, columns // 4:columns - columns // 4]


def crop_difference(denoise, images):
    """Root mean square difference, over the outermost pixels of the middle quarter of each image, between the quarter
    denoised by itself and as a part of its image."""
    parts = (denoise(middle_of(images)) - middle_of(denoise(images))) ** 2
    ring = np.ones(parts.shape[1:], bool)
    ring[EDGE:-EDGE, EDGE:-EDGE] = False
    return float(np.sqrt(parts[:, ring].mean()))
