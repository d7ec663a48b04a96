"""Tiny files of every kind that the printed command lines read, under the names that they print."""

import array
import random
import shutil
import subprocess

from command_lines import ROOT

GOLDEN = ROOT / "tests/golden"
PATIENCE_S = 120  # with a command; it takes seconds


def make_all(lucivox, folder):
    def run(*words):
        command = [lucivox, *words, "--quiet"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=PATIENCE_S)
        if done.returncode != 0:
            raise RuntimeError(f"lucivox {' '.join(words)}: exit code {done.returncode}\n{done.stderr}")

    shutil.copytree(ROOT / "examples", folder / "examples")
    make_pairs(run, folder)
    run("train", "ddnet", "--run", "runs/chest", "--set", "data.train=data/train", "--set", "network.growth=4",
        "--set", "train.epochs=1", "--set", "train.batch=4")
    shutil.copy(folder / "runs/chest/model.safetensors", folder / "MODEL")
    make_volumes(run, folder)
    make_scans(folder)
    shutil.copy(GOLDEN / "ddnet.pt", folder / "weights.pt")
    shutil.copy(GOLDEN / "tomogan_keras.h5", folder / "weights.h5")


def make_pairs(run, folder):
    run("simulate", "ct", "data/train", "--slices", "12", "--size", "96")
    run("simulate", "ct", "data/validation", "--slices", "2", "--size", "96", "--seed", "2")
    run("simulate", "ct", "one", "--slices", "1", "--size", "32")
    run("simulate", "tomo", "MY/tomograms", "--slices", "6", "--size", "48")
    shutil.copytree(folder / "data/train", folder / "MY/train")
    shutil.copytree(folder / "data/train/LQ", folder / "A")
    shutil.copytree(folder / "data/train/HQ", folder / "B")
    shutil.copy(folder / "A/slice_0000.tif", folder / "FILE")


def make_volumes(run, folder):
    """NIfTI and DICOM from NRRD, as the enhancement of one kind may be written as another."""
    write_nrrd(folder / "slices.nrrd", (4, 96, 96))
    for volume in ("scan.nii.gz", "SERIES"):
        run("enhance", "MODEL", "slices.nrrd", volume)
    for patient in ("patient1", "patient2"):
        (folder / patient).mkdir()
    for quality in ("low", "full"):
        shutil.copy(folder / "scan.nii.gz", folder / f"patient1/{quality}.nii.gz")
        shutil.copytree(folder / "SERIES", folder / f"patient2/{quality}-series")


def write_nrrd(path, shape):
    """Noise in HU, shape [Z, Y, X]."""
    slices, rows, columns = shape
    header = ("NRRD0004", "type: short", "dimension: 3", f"sizes: {columns} {rows} {slices}", "endian: little",
              "encoding: raw", "spacings: 1 1 1")
    random.seed(1)
    values = array.array("h", (random.randrange(-1000, 1000) for _ in range(slices * rows * columns)))
    path.write_bytes("\n".join(header).encode() + b"\n\n" + values.tobytes())


def make_scans(folder):
    shutil.copy(GOLDEN / "dxchange_rods.h5", folder / "scan.h5")
    shutil.copy(ROOT / "examples/scan.toml", folder / "MY")
    for frames in ("proj", "flat", "dark"):
        shutil.copytree(folder / "data/validation/truth", folder / "MY" / frames)
