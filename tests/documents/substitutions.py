"""What makes the printed command lines small enough to run in a test.

Whole words on the left, wherever a document prints them, are replaced by those on the right, the longest match first.
Only values and paths may change: an option or a setting on the left must also be on the right. Everything else that the
lines name is made by tiny_data.py under the printed name.
"""

SUBSTITUTIONS = {
    # trainings: a few steps of a narrow network
    "lucivox train ddnet": "lucivox train ddnet --set network.growth=4 --set train.epochs=1",
    # goes on with the run of one epoch that tiny_data.py has trained
    "lucivox train ddnet --run runs/chest": "lucivox train ddnet --set train.epochs=2 --run runs/chest",
    "--set train.batch=32": "--set train.batch=8",
    "--config examples/ddnet-sparse.toml": "--config examples/ddnet-sparse.toml --set train.epochs=3"
    " --set train.sparsity.dense_epochs=1 --set train.sparsity.gradual_epochs=1",
    # sweeps: of up to 74 such trainings, on one slice
    "--sweep hybrid": "--set data.train=one --set data.validation=one --set train.crop=32 --set train.batch=1"
    " --sweep hybrid",
    "--sweep sparsity": "--set data.train=one --set data.validation=one --set train.crop=32 --set train.batch=1"
    " --set train.epochs=2 --set network.growth=1 --sweep sparsity",
    "lucivox train tomogan --config examples/tomogan.toml --set data.train=MY/train": "lucivox train tomogan"
    " --config examples/tomogan.toml --set train.epochs=1 --set train.batch=2 --set data.train=MY/tomograms",
    # simulations: a few small slices; some are made before as training data
    "--slices 100": "--slices 2 --size 64",
    "--slices 200": "--slices 2 --size 64 --overwrite",
    "--slices 20": "--slices 2 --size 64 --overwrite",
    "--size 512 --slices 64": "--size 64 --slices 2",
    # the axis of the tiny scan
    "--centre-sweep 280,310,2": "--centre-sweep 23,27,1",
    # any command
    "lucivox COMMAND --help": "lucivox enhance --help",
}
