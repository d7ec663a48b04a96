"""DDNet trained by lucivox against classical denoising of low-dose chest CT: total variation, non-local means and BM3D,
each with its strength tuned on the very slices that it is judged on.

On simulated slices the truth is known, so that noise and resolution are judged apart: noise is the standard deviation of
image minus truth where the truth is uniform, resolution the width of strong edges and the contrast of small vessels. One
strength is a trade-off of the two, so noise is also told at the strength at which a method's edges are as wide as DDNet's.

--quick (the default) takes the networks of `lucivox demo` and its held-out slices. --full also trains a network for about
an hour, scans the real CT in the folder given by --scans at three doses, and writes docs/ddnet-denoising.md.
"""

import argparse
import dataclasses
import datetime
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
os.environ |= {name: "1" for name in THREADS}  # before numpy and torch are up; work is shared out by slices

import numpy as np
import tifffile

import denoisers
import harness
import image_quality
import machine
from slice_pictures import write_pictures

ROOT = harness.ROOT
NAME = "ddnet-denoising"

# The hour's network: slices by size (pixels are 1.6 and 0.8 mm, real scans' 0.5 to 0.8), and their doses.
HOUR_SLICES = {256: 384, 512: 128}
HOUR_DOSES = "0.03,0.3"
HOUR_SEED = 11  # the demo's slices have 1
HOUR_TRAINING = ("train.epochs=75",)  # the default recipe in everything else

DOSES = (0.04, 0.10, 0.25)  # of the real scans
SAME_RMSE = 1e-3  # HU between lucivox's and ours: both compute in float64, from the same float32 files


@dataclasses.dataclass
class Scan:
    """A real series under --scans: every so many of its slices, and where its tissue is uniform: (top, left, height, width)."""

    folder: str
    step: int
    uniform: tuple


SCANS = (Scan("chest-ct", 1, ((300, 250, 20, 20),)), Scan("head-ct", 6, ((250, 250, 20, 20),)))


@dataclasses.dataclass
class SliceSet:
    """Slices as lucivox wrote them, folder/{LQ,HQ} and for simulated ones truth. `uniform`: as in Scan, without truth.
    `part`: the enlarged part of the pictures."""

    name: str
    folder: pathlib.Path
    part: tuple
    uniform: tuple = ()
    shown: int = 0  # slice of the pictures

    def files(self, kind):
        return sorted((self.folder / kind).glob("*.tif"))

    def read(self, kind):
        return stack(self.folder / kind)

    def sums(self):
        """SHA-256 of each file that both sides read."""
        return {f"{kind}/{path.name}": hashlib.sha256(path.read_bytes()).hexdigest()
                for kind in ("LQ", "HQ") for path in self.files(kind)}


def stack(folder):
    return np.stack([tifffile.imread(path) for path in sorted(folder.glob("*.tif"))]).astype(np.float64)


# ---- what is made in the work folder, once ----

def lucivox(options, *arguments):
    """Runs a command; returns what it printed."""
    command = [options.build / "bin" / "lucivox", *arguments, "--quiet"]
    return subprocess.run([str(word) for word in command], check=True, stdout=subprocess.PIPE, text=True,
                          env=os.environ | {name: str(options.at_once) for name in THREADS}).stdout


def make(folder, into):
    """Calls into(partial) unless the folder is there; it appears whole or not at all."""
    if folder.exists():
        return folder
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.parent.mkdir(parents=True, exist_ok=True)
    into(partial)
    partial.rename(folder)
    return folder


def demo(options):
    run = options.work / "demo"
    if not (run / "summary.json").exists():
        print("training the demo's networks", flush=True)
        lucivox(options, "demo", "--run", run)
    return run


def hour_data(options):
    """Slices of all sizes in one folder."""
    def simulate(folder):
        for size, slices in HOUR_SLICES.items():
            part = folder / str(size)
            lucivox(options, "simulate", "ct", part, "--slices", slices, "--size", size, "--seed", HOUR_SEED,
                    "--dose-fraction", HOUR_DOSES)
            for kind in ("HQ", "LQ"):
                (folder / kind).mkdir(exist_ok=True)
                for path in (part / kind).iterdir():
                    path.rename(folder / kind / f"{size}-{path.name}")
            shutil.rmtree(part)

    return make(options.work / "hour-data", simulate)


def train_for_an_hour(options):
    run, data = options.work / "hour", hour_data(options)
    if not (run / "summary.json").exists():
        print("training the hour's network", flush=True)
        settings = (f"data.train={data}", *HOUR_TRAINING)
        resume = ["--resume"] if (run / "checkpoints" / "last.safetensors").exists() else []
        lucivox(options, "train", "ddnet", "--config", ROOT / "examples" / "ddnet.toml", "--run", run,
                *(word for setting in settings for word in ("--set", setting)), *resume)
    return run / "model.safetensors"


def networks_of(options):
    """Model files by the name of their row, the one that the result is about first."""
    run = demo(options)
    networks = {"DDNet, the demo's dense network": run / "model-dense.safetensors",
                "DDNet, the demo's pruned network": run / "model.safetensors"}
    networks = {name: path for name, path in networks.items() if path.exists()}
    if options.full:
        networks = {"DDNet, an hour of training": train_for_an_hour(options)} | networks
    return networks | {f"DDNet, {path}": path for path in options.network}


def scanned(options, scan, dose):
    """A real series at a dose: every so many of its slices through the simulated scanner."""
    def simulate(folder):
        series = folder / "series"
        series.mkdir(parents=True)
        for path in sorted((options.scans / scan.folder).iterdir())[::scan.step]:
            shutil.copy(path, series)
        lucivox(options, "simulate", "ct", folder, "--from", series, "--dose-fraction", dose)

    folder = make(options.work / "scans" / f"{scan.folder}-{dose:g}", simulate)
    return SliceSet(f"{scan.folder}, {100 * dose:g} % of the dose", folder, scan.part, scan.uniform)


def sets_of(options):
    sets = [SliceSet("simulated chests, 4 % of the dose", demo(options) / "data" / "held-out", DEMO_PART)]
    if not options.full:
        return sets
    if options.scans is None:
        print("real scans are skipped: --scans does not name their folder")
        return sets
    return sets + [scanned(options, scan, dose) for scan in SCANS for dose in DOSES]


# ---- what is judged ----

def judge(images, full, truth, slices):
    row = image_quality.distances(images, full)
    return row | (truth.judge(images) if truth else {"noise": image_quality.noise_in(images, slices.uniform)})


def classical(options, slices, low, full, truth):
    """Rows of the classical methods, each by the better of its settings, and the images of the best of all."""
    tuning = denoisers.Tuning(options.work / "denoised", options.at_once)
    best = {}
    for method in denoisers.METHODS:
        # the noise at DDNet's edge width is looked for among many strengths
        tuned = tuning.tune(method, low, full, reach=2 if truth else 1)
        print(f"  {method.name:<28}{tuned.best.rmse:>8.2f} HU  {tuned.strength(tuned.best)}", flush=True)
        if method.name not in best or tuned.best.rmse < best[method.name].best.rmse:
            best[method.name] = tuned
    rows = []
    for name, tuned in best.items():
        trials = [{"strength": trial.strength, "rmse": trial.rmse, **(truth.judge(trial.images) if truth else {})}
                  for trial in tuned.trials]
        rows.append({"name": name, "kind": "classical", "strength": tuned.strength(tuned.best), "trials": trials,
                     **judge(tuned.best.images, full, truth, slices)})
    return rows, min(best.values(), key=lambda tuned: tuned.best.rmse).best.images


def enhanced(options, model, slices):
    """The folder of what a network makes of a set, by the command."""
    of = hashlib.sha256(model.read_bytes() + json.dumps(slices.sums()).encode()).hexdigest()[:16]
    return make(options.work / "enhanced" / of,
                lambda folder: lucivox(options, "enhance", model, slices.folder / "LQ", folder))


def same_rmse(options, name, slices, folder, row):
    theirs = json.loads(lucivox(options, "evaluate", folder, slices.folder / "HQ", "--json"))["mean"]["rmse"]
    return harness.Agreement(f"RMSE by lucivox evaluate, {name}, {slices.name}, HU", abs(theirs - row["rmse"]), SAME_RMSE)


def compare(options, slices, networks):
    """All rows of a set."""
    print(f"{slices.name}: {len(slices.files('LQ'))} slices", flush=True)
    sums = slices.sums()
    low, full = slices.read("LQ"), slices.read("HQ")
    truth = image_quality.Truth(slices.read("truth")) if not slices.uniform else None
    rows = [{"name": "low dose", "kind": "scan", **judge(low, full, truth, slices)}]
    agreements = [same_rmse(options, "low dose", slices, slices.folder / "LQ", rows[0])]
    methods, best_images = classical(options, slices, low, full, truth)
    ours = []
    for name, model in networks.items():
        folder = enhanced(options, model, slices)
        images = stack(folder)
        ours.append({"name": name, "kind": "network", **judge(images, full, truth, slices)})
        agreements.append(same_rmse(options, name, slices, folder, ours[-1]))
        print(f"  {name:<28}{ours[-1]['rmse']:>8.2f} HU", flush=True)
        if len(ours) == 1:
            our_images = images
    changed = sum(sums[name] != after for name, after in slices.sums().items())
    agreements.append(harness.Agreement(f"files that changed between the sides, {slices.name}", changed, 1))
    harness.require_agreement(agreements)
    if truth:
        for row in methods:
            row["noise_at_edge_width"] = noise_at(row["trials"], ours[0]["edge_width"])
    rows += methods + ours
    if truth:
        rows.append({"name": "full dose", "kind": "scan", **judge(full, full, truth, slices)})
    show = slices.shown
    best = min(methods, key=lambda row: row["rmse"])
    write_pictures(options.work / "pictures", slices.name.replace(" % of the dose", "").replace(", ", "-").replace(" ", "-"),
                   {"low dose": low[show], best["name"]: best_images[show], ours[0]["name"]: our_images[show],
                    "full dose": full[show]}, slices.part)
    return {"name": slices.name, "sha256": sums, "rows": rows,
            "agreements": [dataclasses.asdict(agreement) for agreement in agreements]}


def noise_at(trials, width):
    """Noise of a classical method where its edges are `width` wide, between the strengths that were tried; the least if
    there are several such, none if there is no such."""
    crossings = []
    for a, b in zip(trials, trials[1:]):
        low, high = sorted((a["edge_width"], b["edge_width"]))
        if low <= width <= high and low < high:
            share = (width - a["edge_width"]) / (b["edge_width"] - a["edge_width"])
            crossings.append(a["noise"] + share * (b["noise"] - a["noise"]))
    return min(crossings, default=None)


def ratios(rows):
    """RMSE of each classical method over that of the first network."""
    ours = next(row for row in rows if row["kind"] == "network")["rmse"]
    return {row["name"]: row["rmse"] / ours for row in rows if row["kind"] == "classical"}


# ---- what is told ----

COLUMNS = {  # key of a row: head and digits
    "strength": ("strength", None), "rmse": ("RMSE, HU", 1), "ssim": ("SSIM", 4), "ms_ssim": ("MS-SSIM", 4),
    "noise": ("noise, HU", 1), "edge_width": ("edge width, pixels", 2), "vessel_contrast": ("vessel contrast", 2),
    "noise_at_edge_width": ("noise at DDNet's edge width, HU", 1)}


def table(rows):
    keys = [key for key in COLUMNS if any(key in row for row in rows)]

    def cell(row, key):
        value = row.get(key, "")
        if value is None:
            return "never"
        return value if isinstance(value, str) else f"{value:.{COLUMNS[key][1]}f}"

    heads = ["image", *(COLUMNS[key][0] for key in keys)]
    lines = [heads, ["---"] * len(heads), *([row["name"], *(cell(row, key) for key in keys)] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def document(record):
    facts = machine.describe(record["machine"])
    parts = [f"## {one['name'][0].upper()}{one['name'][1:]}\n\n{table(one['rows'])}\n" for one in record["sets"]]
    return "\n".join([
        "# DDNet and classical denoising of low-dose chest CT", "",
        f"Made by `./run bench {NAME}` (commit {record['commit']}) on {facts}.", "",
        "RMSE, SSIM and MS-SSIM are those to the full-dose slices (SSIM by scikit-image, MS-SSIM by pytorch-msssim, of values",
        "clipped to -1024 ... 1024 HU). Each classical method has the strength with the smallest RMSE on the very slices of",
        "its table, and knows the noise of these slices. BM3D takes noise for white, as it is usually called; in a row of its",
        "own it knows the spectrum of the noise.", "",
        "Of simulated slices the truth is known. *Noise* is the standard deviation of image minus truth where the truth is",
        "uniform soft tissue, *edge width* the distance in pixels from 10 to 90 % of the mean profile across edges of more",
        "than 300 HU, *vessel contrast* that of vessels of at most 9 pixels to the lung around them, 1 being the truth's.",
        "*Noise at DDNet's edge width* is the noise of a method at that strength which makes its edges as wide as those of",
        f"\"{record['ours']}\", \"never\" if none does. On real scans *noise* is the standard deviation in fixed rectangles.",
        "", *parts])


def save(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text)
    partial.rename(path)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    extent = parser.add_mutually_exclusive_group()
    extent.add_argument("--quick", dest="full", action="store_false", help="the demo's networks and slices (default)")
    extent.add_argument("--full", action="store_true", help="also the hour's network and real scans")
    parser.add_argument("--scans", type=pathlib.Path, metavar="DIR",
                        help="folder with real series: " + ", ".join(scan.folder for scan in SCANS) + " (with --full)")
    parser.add_argument("--network", type=pathlib.Path, action="append", default=[], metavar="MODEL",
                        help="one more row: a model file; may be repeated")
    parser.add_argument("--write", action="store_true", help=f"write docs/{NAME}.md, as --full does")
    parser.add_argument("--at-once", type=harness.positive, default=1, help="cores to use (1)")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build" / "release",
                        help="where lucivox was built (build/release)")
    parser.add_argument("--work", type=pathlib.Path, default=ROOT / "build" / "bench" / NAME,
                        help="folder for data, runs and pictures; what is finished there is not repeated")
    options = parser.parse_args()
    if options.scans and not options.full:
        parser.error("--scans needs --full")
    return options


def main():
    options = arguments()
    sys.stdout.reconfigure(line_buffering=True)
    record = {"name": NAME, "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
              "commit": machine.commit(ROOT), "machine": machine.facts()}
    print(f"{NAME} on {machine.describe(record['machine'])}")
    harness.require_agreement([harness.Agreement(*known) for known in image_quality.errors_on_known_images()])
    networks = networks_of(options)
    record["ours"] = next(iter(networks))
    record["networks"] = {name: {"path": str(path), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
                          for name, path in networks.items()}
    record["sets"] = [compare(options, slices, networks) for slices in sets_of(options)]
    record["ratios"] = ratios(record["sets"][0]["rows"])
    save(ROOT / "build" / "bench" / f"{NAME}.json", json.dumps(record, indent=2) + "\n")
    text = document(record)
    if options.full or options.write:
        save(ROOT / "docs" / f"{NAME}.md", text)
    print(text)
    for name, ratio in record["ratios"].items():
        print(f"RESULT name={NAME} peer={name.lower().replace(',', '').replace(' ', '-')} ratio={ratio:.3f} agree=yes")
    print(f"RESULT name={NAME} peer=best-classical ratio={min(record['ratios'].values()):.3f} agree=yes")


if __name__ == "__main__":
    sys.exit(main())
