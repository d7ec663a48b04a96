"""What sparsity costs in quality, over seeds: small trainings of DDNet, dense and by the hybrid schedule with each
criterion at 50 %, on the same simulated slices. Writes docs/ddnet-quality.md.

A criterion holds when its mean MS-SSIM is not below that of dense training by more than the spread of dense training
over seeds (Table 2 of Chaturvedi et al.). "pruned, left alone" is the dense model, pruned when it was finished.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

import harness
import machine

ROOT = harness.ROOT
CRITERIA = ("random", "magnitude", "magnitude-global", "filters-l1", "filters-l2", "channels-l1", "channels-l2",
            "corners", "2:4")
SLICES, HELD_OUT, SIZE = 48, 8, 256
# The default recipe in everything else. A pruned network begins anew, as examples/ddnet-sparse.toml has it.
GRADUAL_EPOCHS, SPARSE_LEARNING_RATE = 5, 1e-3
FIRST_SEED = 11  # nothing was chosen by what it did on these


def lucivox(options, *arguments):
    """Runs a command; returns what it printed."""
    command = [options.build / "bin" / "lucivox", *arguments, "--quiet"]
    return subprocess.run([str(word) for word in command], check=True, stdout=subprocess.PIPE, text=True,
                          env=os.environ | {"OMP_NUM_THREADS": "1"}).stdout


def simulate(options):
    for part, slices, seed in (("train", SLICES, 1), ("held-out", HELD_OUT, 2)):
        if not (options.work / part).exists():
            lucivox(options, "simulate", "ct", options.work / part, "--slices", slices, "--size", SIZE, "--seed", seed)


def train(options, criterion, seed):
    """A run, or the one that stands in the work folder already; returns its folder."""
    run = options.work / f"{criterion.replace(':', '-')}-{seed}"
    if not (run / "summary.json").exists():
        settings = [f"data.train={options.work / 'train'}", f"data.validation={options.work / 'held-out'}",
                    f"train.epochs={options.epochs}", f"train.seed={seed}",
                    # dense training is the same schedule with nothing pruned: a rate that begins anew helps by itself
                    *(("train.sparsity.criterion=random", "train.sparsity.amount=0") if criterion == "dense" else
                      (f"train.sparsity.criterion={criterion}", "train.sparsity.amount=0.5")),
                    f"train.sparsity.dense_epochs={dense_epochs(options)}",
                    f"train.sparsity.gradual_epochs={1 if criterion == '2:4' else GRADUAL_EPOCHS}",
                    f"train.sparsity.learning_rate={SPARSE_LEARNING_RATE}"]
        sets = [word for setting in settings for word in ("--set", setting)]
        resume = ["--resume"] if (run / "checkpoints" / "last.safetensors").exists() else []
        lucivox(options, "train", "ddnet", "--run", run, *sets, *resume)
    return run


def dense_epochs(options):
    return 2 * options.epochs // 3


def measured(run):
    summary = json.loads((run / "summary.json").read_text())
    return {"ms_ssim": summary["after"]["ms_ssim"], "before": summary["before"]["ms_ssim"],
            "psnr": summary["after"]["psnr"], "sparsity": summary["sparsity"]}


def left_alone(options, criterion, seed):
    """MS-SSIM of the finished dense model, pruned and not retrained."""
    with tempfile.TemporaryDirectory(prefix="bench-ddnet-quality-") as folder:
        model, enhanced = pathlib.Path(folder) / "pruned.safetensors", pathlib.Path(folder) / "enhanced"
        lucivox(options, "prune", train(options, "dense", seed) / "model.safetensors", model,
                "--criterion", criterion, "--seed", seed)
        lucivox(options, "enhance", model, options.work / "held-out" / "LQ", enhanced)
        quality = lucivox(options, "evaluate", enhanced, options.work / "held-out" / "HQ", "--json")
    return json.loads(quality)["mean"]["ms_ssim"]


def spread(values):
    return max(values) - min(values)


def table(results, options):
    dense = [one["ms_ssim"] for one in results["dense"]]
    floor = statistics.mean(dense) - spread(dense)
    rows = []
    for name, runs in results.items():
        final = [one["ms_ssim"] for one in runs]
        pruned = [one["pruned"] for one in runs if "pruned" in one]
        verdict = "" if name == "dense" else "yes" if statistics.mean(final) >= floor else "no"
        rows.append(f"| {name} | {100 * runs[0]['sparsity']:.0f} % | {statistics.mean(final):.4f} | "
                    f"{spread(final):.4f} | {statistics.mean(one['psnr'] for one in runs):.2f} | "
                    f"{f'{statistics.mean(pruned):.4f}' if pruned else ''} | {verdict} |")
    low = statistics.mean(one["before"] for one in results["dense"])
    return "\n".join([
        "# What sparsity costs in quality", "",
        f"DDNet, {options.epochs} epochs on {SLICES} simulated slices of {SIZE}x{SIZE}, {HELD_OUT} others to judge by, "
        f"{options.seeds} seeds; the hybrid schedule begins to prune after {dense_epochs(options)} epochs. "
        f"MS-SSIM of the low-dose slices is {low:.4f}. Spread is the largest minus the smallest over seeds. A "
        "criterion holds when its mean is not below that of dense training by more than dense training's spread. "
        f"Made by `./run bench ddnet-quality` (commit {machine.commit(ROOT)}).", "",
        f"Trained by the default recipe on crops, judged on whole slices. The weights to prune go in {GRADUAL_EPOCHS} "
        "epochs, little by little (2:4 at once, there is no less of it); from where it begins, the learning rate starts "
        "anew, in dense training, too. \"Pruned, left alone\" is the finished dense model after `lucivox prune`.", "",
        "| training | weights pruned | MS-SSIM | spread | PSNR, dB | pruned, left alone | holds |",
        "|---|---|---|---|---|---|---|", *rows, ""])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each kind (3)")
    parser.add_argument("--epochs", type=int, default=60, help="of a training (60)")
    parser.add_argument("--at-once", type=int, default=len(os.sched_getaffinity(0)),
                        help="trainings, of one thread each (one a core)")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build" / "release")
    parser.add_argument("--work", type=pathlib.Path, default=ROOT / "build" / "bench" / "ddnet-quality",
                        help="folder for data and runs; what is finished there is not repeated")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    simulate(options)
    seeds = range(FIRST_SEED, FIRST_SEED + options.seeds)

    def result(name, seed):
        one = measured(train(options, name, seed))
        print(f"seed {seed}  {name:<16}  MS-SSIM {one['ms_ssim']:.4f}", flush=True)
        return one

    with concurrent.futures.ThreadPoolExecutor(options.at_once) as trainings:
        under_way = {(name, seed): trainings.submit(result, name, seed)
                     for seed in seeds for name in ("dense", *CRITERIA)}
        results = {name: [under_way[name, seed].result() for seed in seeds] for name in ("dense", *CRITERIA)}
    for name in CRITERIA:
        for one, seed in zip(results[name], seeds):
            one["pruned"] = left_alone(options, name, seed)
    text = table(results, options)
    harness.save(ROOT / "build" / "bench" / "ddnet-quality.json", json.dumps(results, indent=2) + "\n")
    harness.save(ROOT / "docs" / "ddnet-quality.md", text)
    print(text)


if __name__ == "__main__":
    sys.exit(main())
