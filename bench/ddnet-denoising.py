"""DDNet trained by lucivox against classical denoising of low-dose chest CT: total variation, non-local means and
BM3D, each with its strength tuned on the very slices that it is judged on.

On simulated slices the truth is known, so that noise and resolution are judged apart: noise is the standard deviation
of image minus truth where the truth is uniform, resolution the width of strong edges and the contrast of small vessels.
One strength trades one for the other, so noise is also compared at the strength at which a method's edges are as wide
as DDNet's, and at that at which its vessels have the same contrast.

--quick (the default) takes the networks of `lucivox demo` and its held-out slices. --full also trains a network for
about an hour, scans the real CT in the folder given by --scans at three doses, and writes docs/ddnet-denoising.md.
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
import tempfile

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
os.environ |= {name: "1" for name in THREADS}  # before numpy and torch are up; work is shared out by slices

import numpy as np
import tifffile

import denoisers
import harness
import image_quality
import levels_and_edges
import machine
from slice_pictures import write_pictures

ROOT = harness.ROOT
NAME = "ddnet-denoising"


@dataclasses.dataclass
class Chests:
    """Simulated slices to train on."""

    slices: int
    size: int
    doses: str  # the least and the greatest fraction
    pixel_mm: float = 0  # 0: a field of view of 400 mm
    full_photons: float = 2e5


# The hour's network: more than half of the slices as the demo's are, the others with pixels from coarser to finer than
# those of real scans, and noise from above a chest's at 4 % of the dose (129 HU) to below a head's at 25 % (6 HU).
HOUR_SLICES = (Chests(896, 256, "0.02,0.1"), Chests(224, 512, "0.02,1"), Chests(224, 512, "0.012,1", 0.625),
               Chests(192, 512, "0.03,1", 0.45, 1e6))
HOUR_VALIDATION = (Chests(8, 256, "0.02,0.1"),)
HOUR_SEEDS = 11, 12  # the demo's slices have 1
HOUR_TRAINING = ("train.epochs=125",)  # the default recipe in everything else

DOSES = (0.04, 0.10, 0.25)  # of the real scans
SAME_RMSE = 1e-3  # HU between lucivox's and ours: both compute in float64, from the same float32 files


@dataclasses.dataclass
class Scan:
    """A real series under --scans."""

    folder: str
    step: int  # between slices that are taken
    uniform: tuple  # where its tissue is uniform: (top, left, height, width) in pixels
    part: tuple  # enlarged in pictures: (top, left, side)


SCANS = (Scan("chest-ct", 1, ((343, 291, 18, 18), (130, 235, 20, 40)), (200, 230, 160)),  # aorta, fat
         Scan("head-ct", 6, ((230, 240, 20, 20),), (160, 180, 140)))  # an insert of a phantom's head
DEMO_SHOWN, DEMO_PART = 2, (80, 110, 80)  # the slice of the demo in pictures, and the part that is enlarged


@dataclasses.dataclass
class SliceSet:
    """Slices as lucivox wrote them, folder/{LQ,HQ} and truth. `uniform` and `part` as in Scan; where `uniform` is empty
    the truth is what was simulated, else a real scan, which has noise itself."""

    name: str
    key: str  # of file names
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
        print("training the demo's networks")
        lucivox(options, "demo", "--run", run)
    return run


def hour_data(options, name, groups, seed):
    """Slices of all groups in one folder."""
    def simulate(folder):
        for i, chests in enumerate(groups):
            part = folder / str(i)
            lucivox(options, "simulate", "ct", part, "--slices", chests.slices, "--size", chests.size, "--pixel-mm",
                    chests.pixel_mm, "--full-photons", chests.full_photons, "--seed", seed + 100 * i,
                    "--dose-fraction", chests.doses)
            for kind in ("HQ", "LQ"):
                (folder / kind).mkdir(exist_ok=True)
                for path in (part / kind).iterdir():
                    path.rename(folder / kind / f"{i}-{path.name}")
            shutil.rmtree(part)

    return make(options.work / name, simulate)


def train_for_an_hour(options):
    run = options.work / "hour"
    train = hour_data(options, "hour-train", HOUR_SLICES, HOUR_SEEDS[0])
    validation = hour_data(options, "hour-validation", HOUR_VALIDATION, HOUR_SEEDS[1])
    if not (run / "summary.json").exists():
        print("training the hour's network")
        settings = (f"data.train={train}", f"data.validation={validation}", *HOUR_TRAINING)
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
    return networks | {f"DDNet, {'/'.join(path.parts[-2:])}": path for path in options.network}


def scanned(options, scan, dose):
    """A real series at a dose: every so many of its slices through the simulated scanner."""
    def simulate(folder):
        with tempfile.TemporaryDirectory(dir=options.work) as series:
            for path in sorted((options.scans / scan.folder).iterdir())[::scan.step]:
                shutil.copy(path, series)
            lucivox(options, "simulate", "ct", folder, "--from", series, "--dose-fraction", dose)

    key = f"{scan.folder}-{dose:g}"
    folder = make(options.work / "scans" / key, simulate)
    return SliceSet(f"{scan.folder}, {100 * dose:g} % of the dose", key, folder, scan.part, scan.uniform)


def sets_of(options):
    sets = [SliceSet("simulated chests, 4 % of the dose", "demo", demo(options) / "data" / "held-out", DEMO_PART,
                     shown=DEMO_SHOWN)]
    if not options.full:
        return sets
    if options.scans is None:
        print("real scans are skipped: --scans does not name their folder")
        return sets
    return sets + [scanned(options, scan, dose) for scan in SCANS for dose in DOSES]


# ---- what is judged ----

def classical(options, methods, low, full, factors, reach):
    """Each method, tuned."""
    tuning = denoisers.Tuning(options.work / "denoised", options.at_once)
    all_tuned = []
    for method in methods:
        all_tuned.append(tuning.tune(method, low, full, factors, reach))
        print(f"  {method.name:<36}{all_tuned[-1].best.rmse:>8.2f} HU  {all_tuned[-1].setting}")
    return all_tuned


def better_settings(all_tuned):
    """Of the methods under one name the better one."""
    best = {}
    for tuned in all_tuned:
        name = tuned.method.name
        if name not in best or tuned.best.rmse < best[name].best.rmse:
            best[name] = tuned
    return list(best.values())


def classical_row(tuned, measure, truth):
    trials = [{"strength": trial.strength, "rmse": trial.rmse, **(truth.judge(trial.images) if truth else {})}
              for trial in tuned.trials]
    return {"name": tuned.method.name, "kind": "classical", "strength": tuned.setting, "trials": trials,
            **measure(tuned.best.images)}


def enhanced(options, model, slices):
    """The folder of what a network makes of a set, by the command."""
    program = (options.build / "bin" / "lucivox").read_bytes()
    of = hashlib.sha256(model.read_bytes() + json.dumps(slices.sums()).encode() + program).hexdigest()[:16]
    return make(options.work / "enhanced" / of,
                lambda folder: lucivox(options, "enhance", model, slices.folder / "LQ", folder))


def enhancing(options, model):
    """From a set of images to what a network makes of them, by the command."""
    def enhance(images):
        with tempfile.TemporaryDirectory(dir=options.work) as name:
            folder = pathlib.Path(name)
            (folder / "in").mkdir()
            for i, image in enumerate(images):
                tifffile.imwrite(folder / "in" / f"{i:04}.tif", image.astype(np.float32), imagej=True,
                                 metadata={"axes": "YX", "vunit": "HU"})
            lucivox(options, "enhance", model, folder / "in", folder / "out")
            return stack(folder / "out")

    return enhance


def levels_and_edges_of(options, networks, slices):
    """A row for each network, by images of one value and crops of a set, and one for crops by BM3D."""
    low, full = slices.read("LQ"), slices.read("HQ")
    noise = denoisers.noise_of(low, full)

    def crops(denoise):
        return {"crop_low": levels_and_edges.crop_difference(denoise, low),
                "crop_full": levels_and_edges.crop_difference(denoise, full)}

    rows = []
    for name, model in networks.items():
        enhance = enhancing(options, model)
        rows.append({"name": name} | levels_and_edges.levels_kept(enhance) | crops(enhance))
    return [*rows, {"name": "BM3D"} | crops(lambda images: np.stack(
        [denoisers.bm3d_white(image, 1, of_slice) for image, of_slice in zip(images, noise)]))]


def same_rmse(options, name, folder, full_folder, row):
    theirs = json.loads(lucivox(options, "evaluate", folder, full_folder, "--json"))["mean"]["rmse"]
    return harness.Agreement(f"RMSE by lucivox evaluate, {name}, HU", abs(theirs - row["rmse"]), SAME_RMSE)


def compare(options, slices, networks, known):
    """All rows of a set. `known`: what classical() gave on an earlier set, from whose strengths the search begins."""
    print(f"{slices.name}: {len(slices.files('LQ'))} slices")
    sums = slices.sums()
    low, full = slices.read("LQ"), slices.read("HQ")
    truth = None if slices.uniform else image_quality.Truth(slices.read("truth"))

    def measure(images):
        return image_quality.distances(images, full) | (
            truth.judge(images) if truth else {"noise": image_quality.noise_in(images, slices.uniform)})

    if known:
        methods = [dataclasses.replace(tuned.method, start=tuned.best.strength) for tuned in known]
        tuned = classical(options, methods, low, full, denoisers.NARROW, reach=1)
    else:
        tuned = classical(options, denoisers.METHODS, low, full, denoisers.WIDE, reach=2)
    best = min(tuned, key=lambda one: one.best.rmse)
    rows = [{"name": "low dose", "kind": "scan", **measure(low)},
            *(classical_row(one, measure, truth) for one in better_settings(tuned))]
    agreements = [same_rmse(options, "low dose", slices.folder / "LQ", slices.folder / "HQ", rows[0])]
    pictures = {"low dose": low, best.method.name: best.best.images}
    for name, model in networks.items():
        folder = enhanced(options, model, slices)
        images = stack(folder)
        rows.append({"name": name, "kind": "network", **measure(images)})
        print(f"  {name:<36}{rows[-1]['rmse']:>8.2f} HU")
        agreements.append(same_rmse(options, name, folder, slices.folder / "HQ", rows[-1]))
        if len(pictures) < 3:
            pictures[name] = images
    changed = sum(sums[name] != after for name, after in slices.sums().items())
    agreements.append(harness.Agreement("files that changed between the sides", changed, 1))
    harness.require_agreement(agreements)
    if truth:
        add_noise_at_same_resolution(rows)
        rows.append({"name": "full dose", "kind": "scan", **measure(full)})
    write_pictures(options.work / "pictures", slices.key,
                   {title: images[slices.shown] for title, images in (pictures | {"full dose": full}).items()},
                   slices.part)
    return {"name": slices.name, "sha256": sums, "rows": rows,
            "agreements": [dataclasses.asdict(agreement) for agreement in agreements]}, tuned


def ours_among(rows):
    return next(row for row in rows if row["kind"] == "network")


def add_noise_at_same_resolution(rows):
    ours = ours_among(rows)
    for row in rows:
        if row["kind"] == "classical":
            row |= {f"noise_at_{measure}": noise_at(row["trials"], measure, ours[measure])
                    for measure in ("edge_width", "vessel_contrast")}


def noise_at(trials, measure, value):
    """Noise of a classical method where its edge width or vessel contrast is `value`, between the strengths that were
    tried; the least where there are several. In words where no strength comes to that."""
    crossings = []
    for a, b in zip(trials, trials[1:]):
        low, high = sorted((a[measure], b[measure]))
        if low <= value <= high and low < high:
            share = (value - a[measure]) / (b[measure] - a[measure])
            crossings.append(a["noise"] + share * (b["noise"] - a["noise"]))
    if crossings:
        return min(crossings)
    sharper = (trials[0][measure] < value) == (measure == "edge_width")
    return "always sharper" if sharper else "never as sharp"


def ratios(rows):
    """RMSE of each classical method over that of the first network."""
    ours = ours_among(rows)
    return {row["name"]: row["rmse"] / ours["rmse"] for row in rows if row["kind"] == "classical"}


# ---- output ----

COLUMNS = {  # key of a row: head and digits
    "strength": ("strength", None), "rmse": ("RMSE, HU", 1), "ssim": ("SSIM", 4), "ms_ssim": ("MS-SSIM", 4),
    "noise": ("noise, HU", 1), "edge_width": ("edge width, pixels", 2), "vessel_contrast": ("vessel contrast", 2),
    "noise_at_edge_width": ("noise at DDNet's edge width, HU", 1),
    "noise_at_vessel_contrast": ("noise at DDNet's vessel contrast, HU", 1),
    "tissue_level_error": ("levels to 1000 HU, off by at most", 1), "level_error": ("to 2000 HU", 1),
    "uneven": ("uneven by at most", 1), "crop_full": ("crops, full dose", 1), "crop_low": ("crops, 4 %", 1)}


def table(rows):
    keys = [key for key in COLUMNS if any(key in row for row in rows)]

    def cell(row, key):
        value = row.get(key, "")
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
        "RMSE, SSIM and MS-SSIM are distances to the full-dose slices (SSIM by scikit-image, MS-SSIM by",
        "pytorch-msssim, of HU clipped to -1024 ... 1024). Each classical method has the strength with the smallest",
        "RMSE on the very slices of its table, relative to the standard deviation of the noise of each slice, which it",
        "is given; BM3D also knows the spectrum of the noise where that is better.", "",
        "For simulated slices the truth is known. *Noise* is the standard deviation of image minus truth where the",
        "truth is uniform soft tissue; *edge width* is the distance in pixels from 10 to 90 % of the mean profile",
        "across edges of more than 300 HU; *vessel contrast* is that of vessels of at most 9 pixels to the lung around",
        "them, relative to the truth's. *Noise at DDNet's edge width* is a method's noise at the strength that makes",
        f"its edges as wide as those of \"{record['ours']}\", if one does; likewise for the contrast of",
        "vessels. For real scans *noise* is the standard deviation in fixed rectangles.", "",
        *parts,
        "## Levels and edges", "",
        f"Of images of one value from {levels_and_edges.LEVELS[0]} HU: how far their centre is off, and, to 1000 HU, how far any pixel is",
        "from the centre. Of the middle quarter of each simulated slice, as a crop: root mean square difference from the same",
        f"region of the whole slice denoised, over its outermost {levels_and_edges.EDGE} pixels, which have lost half of their neighbours;",
        "BM3D as for the low dose, also on the full. All in HU.", "", table(record["levels_and_edges"]), ""])


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    extent = parser.add_mutually_exclusive_group()
    extent.add_argument("--quick", dest="full", action="store_false", default=False,
                        help="the demo's networks and slices (default)")
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
    record["sets"], tuned = [], None
    for slices in sets_of(options):
        one, tuned = compare(options, slices, networks, tuned)
        record["sets"].append(one)
    record["levels_and_edges"] = levels_and_edges_of(options, networks, sets_of(options)[0])
    record["ratios"] = ratios(record["sets"][0]["rows"])
    harness.save(ROOT / "build" / "bench" / f"{NAME}.json", json.dumps(record, indent=2) + "\n")
    text = document(record)
    if options.full or options.write:
        harness.save(ROOT / "docs" / f"{NAME}.md", text)
    print(text)
    for name, ratio in record["ratios"].items():
        print(f"RESULT name={NAME} peer={name.lower().replace(',', '').replace(' ', '-')} ratio={ratio:.3f} agree=yes")
    print(f"RESULT name={NAME} peer=best-classical ratio={min(record['ratios'].values()):.3f} agree=yes")


if __name__ == "__main__":
    sys.exit(main())
