"""Which ways to train DDNet work every time: 5 seeds of each sensible recipe, and 3 of those known to fail, on the same
simulated slices, every training with as many pixels to compute, judged on whole slices that it has not seen. Writes
docs/ddnet-recipes.md.

A training fails when one of the held-out slices comes out worse (by RMSE) than it was. The best weights of a training are
chosen by slices that are neither learnt from nor judged on.
"""

import argparse
import concurrent.futures
import dataclasses
import hashlib
import json
import os
import pathlib
import statistics
import subprocess
import sys

import harness
import machine

ROOT = harness.ROOT
PARTS = {"train": (48, 1), "validation": (4, 3), "held-out": (8, 2)}  # slices and their seed
SIZE = 256
STEPS = 2000  # of the default recipe: the shortest training that is to be trusted
DEFAULT_CROP, DEFAULT_BATCH, MARGIN = 64, 1, 16


@dataclasses.dataclass
class Recipe:
    name: str
    what: str
    crop: int = DEFAULT_CROP  # 0: whole slices
    batch: int = DEFAULT_BATCH
    margin: int = MARGIN
    settings: tuple = ()
    seeds: int = 5

    def epochs(self, steps):
        """As many as give this recipe the pixels that `steps` steps of the default one compute."""
        side = (self.crop or SIZE) + 2 * self.margin
        pixels = steps * DEFAULT_BATCH * (DEFAULT_CROP + 2 * MARGIN) ** 2
        return max(3, round(pixels / (self.batch * side ** 2) / (PARTS["train"][0] // self.batch)))


LIVE = ("train.freeze_norms_after=0",)
FEW = 3  # seeds of recipes that are known not to work
PAPER = ("train.augment=false", "train.learning_rate=1e-4", "train.beta2=0.999", "train.normalize_gradients=false",
         "train.schedule=exponential", "train.vary_levels=0", "train.freeze_norms_after=0", "network.statistics=batch",
         "train.loss.mse=1")
RECIPES = (
    Recipe("default", "crops of 64, mirrored by 16, batches of 1, gradients of length 1, norms frozen after a tenth"),
    Recipe("crops of 96", "", crop=96),
    Recipe("whole slices", "batches of 1", crop=0, batch=1, seeds=FEW),
    Recipe("batches of 2", "", batch=2),
    Recipe("batches of 4", "", batch=4),
    Recipe("gradients as they are", "train.normalize_gradients = false", settings=("train.normalize_gradients=false",)),
    Recipe("the paper's loss", "train.loss.mse = 1", settings=("train.loss.mse=1",)),
    Recipe("more other levels", "train.vary_levels = 0.5", settings=("train.vary_levels=0.5",)),
    Recipe("no other levels", "train.vary_levels = 0", settings=("train.vary_levels=0",)),
    Recipe("zeros at the edges", "train.margin = 0", margin=0),
    Recipe("norms never frozen", "evaluated by running statistics", settings=LIVE, seeds=FEW),
    Recipe("zeros, norms frozen early", "after 3 epochs, batches of 4, gradients as they are", batch=4, margin=0,
           settings=("train.normalize_gradients=false", "train.freeze_norms_after=3", "train.schedule=exponential",
                     "train.decay=0.94", "train.loss.mse=1"), seeds=FEW),
    Recipe("the paper's", "examples/ddnet-paper.toml: whole slices, zeros, evaluated by batch statistics", crop=0,
           batch=1, margin=0, settings=PAPER, seeds=FEW),
)


def lucivox(options, *arguments):
    """Runs a command on one thread; returns what it printed."""
    command = [options.build / "bin" / "lucivox", *arguments, "--quiet", "--threads", 1]
    return subprocess.run([str(word) for word in command], check=True, stdout=subprocess.PIPE, text=True,
                          env=os.environ | {"OMP_NUM_THREADS": "1"}).stdout


def simulate(options):
    for part, (slices, seed) in PARTS.items():
        if not (options.work / part).exists():
            partial = options.work / f"{part}.partial"
            subprocess.run(["rm", "-rf", partial], check=True)
            lucivox(options, "simulate", "ct", partial, "--slices", slices, "--size", SIZE, "--seed", seed)
            partial.rename(options.work / part)


def train(options, recipe, seed):
    """A run, or the one in the work folder; returns its folder."""
    settings = [f"train.epochs={recipe.epochs(options.steps)}", f"train.seed={seed}", f"train.crop={recipe.crop}",
                f"train.batch={recipe.batch}", f"train.margin={recipe.margin}", *recipe.settings]
    defaults = (ROOT / "examples" / "ddnet.toml").read_bytes()
    of = hashlib.sha256(json.dumps(settings).encode() + defaults).hexdigest()[:8]
    run = options.work / f"{recipe.name.replace(' ', '-').replace(',', '')}-{seed}-{of}"
    if not (run / "summary.json").exists():
        settings += [f"data.train={options.work / 'train'}", f"data.validation={options.work / 'validation'}"]
        sets = [word for setting in settings for word in ("--set", setting)]
        resume = ["--resume"] if (run / "checkpoints" / "last.safetensors").exists() else []
        lucivox(options, "train", "ddnet", "--run", run, *sets, *resume)
    return run


def judged(options, images):
    """RMSE of each held-out slice, and the means, through the command."""
    report = json.loads(lucivox(options, "evaluate", images, options.work / "held-out" / "HQ", "--json"))
    return [one["rmse"] for one in report["slices"]], report["mean"]


def measured(options, run):
    """What the run's model, and its last weights, make of every held-out slice."""
    last = run / "model-last.safetensors"
    of = {}
    for name, model in (("best", run / "model.safetensors"), ("last", last if last.exists() else run / "model.safetensors")):
        enhanced = run / f"enhanced-{name}"
        lucivox(options, "enhance", model, options.work / "held-out" / "LQ", enhanced, "--overwrite")
        of[name] = judged(options, enhanced)
    low, mean_low = judged(options, options.work / "held-out" / "LQ")
    slices, mean = of["best"]
    summary = json.loads((run / "summary.json").read_text())
    constant = max((abs(region["error_hu"]) for region in summary["constant_regions"]
                    if -1000 <= region["hu"] <= 1000), default=0)
    return {"rmse": mean["rmse"], "ssim": mean["ssim"], "low": mean_low["rmse"], "last": of["last"][1]["rmse"],
            "worst_slice": max(slices), "failed": any(not a < b for a, b in zip(slices, low)), "constant": constant,
            "steps": summary["steps"], "seconds": summary["training_seconds"]}


def table(results, options):
    low = next(iter(results.values()))[0]["low"]
    rows = []
    for recipe in RECIPES:
        if recipe.name not in results:
            continue
        runs = results[recipe.name]
        of = {key: [one[key] for one in runs] for key in runs[0]}
        rows.append(f"| {recipe.name} | {recipe.what} | {of['steps'][0]} | {statistics.mean(of['rmse']):.1f} | "
                    f"{max(of['rmse']):.1f} | {max(of['worst_slice']):.1f} | {max(of['last']):.1f} | {statistics.mean(of['ssim']):.4f} | "
                    f"{max(of['constant']):.0f} | {sum(of['failed'])} of {len(runs)} |")
    about = machine.describe(machine.facts())
    return "\n".join([
        "# Which training works", "",
        f"DDNet on {PARTS['train'][0]} simulated slices of {SIZE}x{SIZE} at 4 % of the dose, judged on {PARTS['held-out'][0]} whole slices that",
        "it has not seen; as many seeds of each recipe as the last column says. All trainings compute as many pixels as",
        f"{options.steps} steps of the default one. RMSE is in HU against full dose; the low-dose slices have {low:.1f}.",
        "\"Worst\" is the worst of the seeds, by the best weights, which are chosen by other slices; beside it are the worst",
        "slice of any seed, and the worst seed by the last weights. \"Constant images\" is the",
        "largest error on images of one value between -1000 and 1000 HU, by the worst seed. A training fails when one",
        f"slice comes out worse than it was. Made by `./run bench ddnet-recipes{options.flags}` on {about}, one thread for",
        f"each training (commit {machine.commit(ROOT)}).", "",
        "RMSE alone does not choose a recipe. These slices end in air, so what zeros at the edges do there (hundreds of HU",
        "where tissue is cut) does not show, and without margins a training takes more than twice the steps. Nor does it show",
        "how a network treats levels that chests rarely have: \"constant images\" does.", "",
        "| recipe | what differs | steps | RMSE, mean | worst | worst slice | worst, last weights | SSIM, mean | constant images | failed |",
        "|---|---|---|---|---|---|---|---|---|---|", *rows, ""])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true",
                        help="all recipes, two hours of processor time; without: 2 seeds of 4 by half as many steps")
    parser.add_argument("--at-once", type=int, default=len(os.sched_getaffinity(0)),
                        help="trainings, of one thread each (one for each core)")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build" / "release")
    parser.add_argument("--work", type=pathlib.Path, help="folder for data and runs; what is finished there is not repeated")
    options = parser.parse_args()
    options.flags = " --full" if options.full else ""
    options.steps = STEPS if options.full else STEPS // 2
    recipes = RECIPES if options.full else [r for r in RECIPES if r.name in
                                            ("default", "zeros at the edges", "norms never frozen", "the paper's")]
    options.work = options.work or ROOT / "build" / "bench" / f"ddnet-recipes{options.flags.replace(' --', '-')}"
    options.work.mkdir(parents=True, exist_ok=True)
    simulate(options)

    def seeds_of(recipe):
        return recipe.seeds if options.full else 2

    def result(recipe, seed):
        one = measured(options, train(options, recipe, seed))
        print(f"seed {seed}  {recipe.name:<40}  RMSE {one['rmse']:7.2f} HU, worst slice {one['worst_slice']:7.2f}"
              f"{'  FAILED' if one['failed'] else ''}", flush=True)
        return one

    with concurrent.futures.ThreadPoolExecutor(options.at_once) as trainings:
        under_way = {(recipe.name, seed): trainings.submit(result, recipe, seed)
                     for seed in range(1, max(map(seeds_of, recipes)) + 1) for recipe in recipes
                     if seed <= seeds_of(recipe)}
        results = {recipe.name: [under_way[recipe.name, seed].result() for seed in range(1, seeds_of(recipe) + 1)]
                   for recipe in recipes}
    text = table(results, options)
    record = {"machine": machine.facts(), "commit": machine.commit(ROOT), "results": results}
    harness.save(ROOT / "build" / "bench" / "ddnet-recipes.json", json.dumps(record, indent=2) + "\n")
    if options.full:
        harness.save(ROOT / "docs" / "ddnet-recipes.md", text)
    print(text)
    if any(one["failed"] for one in results["default"]):
        sys.exit("error: a training by the default recipe failed\nhint: look at its report.html in " + str(options.work))


if __name__ == "__main__":
    sys.exit(main())
