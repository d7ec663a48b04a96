"""Pictures of CT slices side by side, each with an enlarged part below."""

import numpy as np
from PIL import Image, ImageDraw

WINDOWS = {"soft-tissue": (40, 400), "lung": (-600, 1500)}  # centre and width, HU
SIDE, TITLE, GAP = 480, 18, 4  # pixels


def write_pictures(folder, name, slices, part):
    """One file per window. `slices`: HU by title, from left to right; `part`: (top, left, side) in pixels."""
    folder.mkdir(parents=True, exist_ok=True)
    top, left, side = part
    for window, (centre, width) in WINDOWS.items():
        picture = Image.new("L", (len(slices) * (SIDE + GAP) - GAP, TITLE + 2 * SIDE + GAP), 255)
        draw = ImageDraw.Draw(picture)
        for column, (title, hu) in enumerate(slices.items()):
            grey = ((hu - centre) / width + 0.5).clip(0, 1)
            x = column * (SIDE + GAP)
            draw.text((x + 2, 3), title, fill=0)
            whole = enlarged(grey)
            scale = SIDE / hu.shape[0]
            box = [scale * left, scale * top, scale * (left + side), scale * (top + side)]
            ImageDraw.Draw(whole).rectangle(box, outline=255)
            picture.paste(whole, (x, TITLE))
            picture.paste(enlarged(grey[top:top + side, left:left + side]), (x, TITLE + SIDE + GAP))
        picture.save(folder / f"{name}-{window}.png", optimize=True)


def enlarged(grey):
    return Image.fromarray((255 * grey).round().astype(np.uint8)).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
