"""What a user of examples/slurm/train-ddnet.sbatch does, on a real Slurm:

    tests/slurm/one_node_slurm.sh python3 tests/slurm/test_train_ddnet.py build/release/bin/lucivox
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import unittest

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "examples/slurm/train-ddnet.sbatch"
PATIENCE_S = 600  # with a job that hangs; on a busy machine a step takes many seconds
ENDED = {"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY"}
EPOCHS, SLICES, BATCH = 20, 8, 4
STEPS = EPOCHS * SLICES // BATCH
CONFIGURATION = f"""
[data]
train = "data"
validation = false
[network]
growth = 4
[train]
epochs = {EPOCHS}
batch = {BATCH}
crop = 32
learning_rate = 1e-3
"""


def answer(*command):
    words = [str(word) for word in command]
    return subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def steps_recorded(run):
    metrics = run / "metrics.jsonl"
    return metrics.read_text().count('"kind":"step"') if metrics.exists() else 0


def tensors(run):
    """The model's bytes behind its header, which tells how long it was trained."""
    data = (run / "model.safetensors").read_bytes()
    return data[8 + int.from_bytes(data[:8], "little"):]


class Job:
    def __init__(self, options, arguments):
        small = ("--cpus-per-task=1", "--mem-per-cpu=100M")
        self.number = answer("sbatch", "--parsable", *small, *options, SCRIPT, *arguments)

    def described(self):
        return answer("scontrol", "show", "job", self.number)

    def all_of(self, field):
        """Of every job in an array."""
        return set(re.findall(rf"\b{field}=(\S+)", self.described()))

    def log(self):
        log = pathlib.Path(f"ddnet-{self.number}.log")
        return log.read_text() if log.exists() else ""

    def ended(self):
        return self.all_of("JobState") <= ENDED

    def wait_for(self, what, happened):
        limit = time.monotonic() + PATIENCE_S
        while True:
            hopeless = self.ended() or time.monotonic() > limit
            if happened():
                return
            if hopeless:
                raise AssertionError(f"no {what}\n{self.described()}\n{self.log()}")
            time.sleep(0.1)

    def wait_for_steps(self, run):
        self.wait_for("training steps", lambda: steps_recorded(run) >= 1)

    def wait_for_end(self):
        self.wait_for("end", self.ended)

    def update(self, setting):
        answer("scontrol", "update", f"JobId={self.number}", setting)

    def cancel(self, *options):
        answer("scancel", *options, self.number)


class TrainingScript(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.addClassCleanup(os.chdir, pathlib.Path.cwd())
        os.chdir(folder.name)
        answer("lucivox", "simulate", "ct", "data", "--slices", SLICES, "--size", 64, "--quiet")
        pathlib.Path("ddnet.toml").write_text(CONFIGURATION)
        cls.straight = pathlib.Path("straight")
        cls.first = Job([], ["ddnet.toml", cls.straight])
        cls.first.wait_for_end()

    def submit(self, run, *arguments, options=()):
        return Job(options, ["ddnet.toml", run, *arguments])

    def assert_ended(self, job, state, code):
        job.wait_for_end()
        self.assertEqual((job.all_of("JobState"), job.all_of("ExitCode")), ({state}, {f"{code}:0"}), job.log())

    def assert_trained(self, job, run, steps=STEPS):
        self.assert_ended(job, "COMPLETED", 0)
        self.assertEqual(json.loads((run / "summary.json").read_text())["steps"], steps)
        self.assertEqual(steps_recorded(run), steps)

    def test_trains_and_only_the_first_task_reports(self):
        self.assert_trained(self.first, self.straight)
        self.assertEqual(self.first.log().count("trained in"), 1, self.first.log())

    # Two tasks that did not know of each other would take a batch of any size.
    def test_two_tasks_share_a_batch(self):
        job = self.submit("odd", "--set", "train.batch=3")
        self.assert_ended(job, "FAILED", 2)
        self.assertIn("a batch of 3 cannot be shared by 2 ranks", job.log())

    # Stopped and resumed is the same as straight through, bit for bit.
    def test_submitted_again_it_goes_on_where_it_was_stopped(self):
        run = pathlib.Path("stopped")
        job = self.submit(run, options=["--no-requeue"])
        job.wait_for_steps(run)
        job.cancel("--signal=TERM")
        self.assert_ended(job, "FAILED", 130)
        self.assertIn("not requeued", job.log())
        self.assertLess(steps_recorded(run), STEPS, "it ended before it could be stopped")
        again = self.submit(run)
        self.assert_trained(again, run)
        self.assertIn("resuming after", again.log())
        self.assertEqual(tensors(run), tensors(self.straight))

    # Slurm warns when less than the 5 minutes of the script are left, and looks every half minute.
    def test_comes_back_from_the_queue_when_its_time_is_up(self):
        run = pathlib.Path("slow")
        job = self.submit(run, "--set", "train.epochs=100000")
        job.wait_for_steps(run)
        job.update("TimeLimit=3")
        job.wait_for("requeue", lambda: job.all_of("Restarts") == {"1"} and job.all_of("JobState") == {"PENDING"})
        self.assertIn("stopped after", job.log())
        job.update("StartTime=now+3")  # not in two minutes; but in the second of its end Slurm would still refuse it
        job.wait_for("resumption", lambda: "resuming after" in job.log().partition("stopped after")[2])
        job.cancel()
        job.wait_for_end()
        self.assertEqual(job.all_of("JobState"), {"CANCELLED"})

    def test_an_array_trains_a_run_for_each_seed(self):
        runs = pathlib.Path("seeds")
        job = self.submit(runs, "--set", "train.epochs=1", options=["--array=4,7", "--ntasks=1"])
        for seed in (4, 7):
            run = runs / f"seed-{seed}"
            self.assert_trained(job, run, steps=SLICES // BATCH)
            summary = json.loads((run / "summary.json").read_text())
            self.assertEqual(summary["configuration"]["train"]["seed"], seed)


if __name__ == "__main__":
    command = pathlib.Path(sys.argv.pop(1)).resolve()
    os.environ["PATH"] = f"{command.parent}:{os.environ['PATH']}"
    unittest.main(verbosity=2)
