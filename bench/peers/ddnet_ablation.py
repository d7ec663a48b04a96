"""The peers of ddnet-ablation: ddnet_train's step in float32 on the slices that our sides learn from.

"ready": eager, its batches lie where they are computed with before the first step, so that it reads and moves nothing.
"loader": eager, slices from their files by torch.utils.data.DataLoader, as its documentation has it.
"compiled": the same with forward and loss compiled by torch.compile.
"""

import json
import pathlib
import platform
import sys

import torch
from safetensors.torch import load_file

import ddnet_train
import worker

LOW, HIGH = -1536.0, 1536.0  # HU that become 0 and 1: our default window
READERS = 2  # processes that read ahead


class Slices(torch.utils.data.Dataset):
    """Pairs of slices in a folder of LQ/ and HQ/, in unit range."""

    def __init__(self, folder):
        self.names = sorted((folder / "LQ").iterdir())

    def __len__(self):
        return len(self.names)

    def __getitem__(self, index):
        low = self.names[index]
        return tuple((read(path) - LOW) / (HIGH - LOW) for path in (low, low.parent.parent / "HQ" / low.name))


def read(path):
    """[1, Y, X] in HU."""
    if path.suffix == ".safetensors":
        return load_file(path)["slice"]
    import tifffile  # where slices are TIFF files, it is there
    return torch.from_numpy(tifffile.imread(path))[None]


def for_ever(loader):
    while True:
        yield from loader


class Training:
    def __init__(self, setting, folder):
        self.setting, self.folder = setting, folder
        self.device = torch.device(setting["device"])
        self.done = 0

    def tell(self, answer):
        (self.folder / f"{self.setting['name']}.json").write_text(json.dumps(answer))

    def next_step(self):
        self.side.image, self.side.target = next(self.batches)
        return self.side.step()

    def check(self):
        batches = load_file(self.folder / f"{self.setting['data']}.batches.safetensors")
        ready = list(zip(*(batches[name].to(self.device) for name in ("low", "full"))))
        net = ddnet_train.DDNet()
        net.load_state_dict(load_file(self.folder / "weights.safetensors"), strict=False)
        self.side = ddnet_train.Side(net.to(self.device), *ready[0])
        self.side.window = self.side.window.to(self.device)
        if self.setting["kind"] == "compiled":
            self.side.forward = torch.compile(self.side.forward)
        self.batches = for_ever(ready)
        self.tell({"losses": [self.next_step() for _ in ready]})
        if self.setting["kind"] != "ready":
            self.batches = self.loaded()

    def loaded(self):
        on_gpu = self.device.type == "cuda"
        loader = torch.utils.data.DataLoader(
            Slices(self.folder / self.setting["data"]), batch_size=self.setting["batch"], shuffle=True, drop_last=True,
            num_workers=READERS, pin_memory=on_gpu, persistent_workers=True)
        for batch in for_ever(loader):
            yield tuple(part.to(self.device, non_blocking=True) for part in batch)

    def step(self):
        for _ in range(self.setting["steps"]):
            self.next_step()

    def rest(self):
        self.side.adam.zero_grad()
        self.side.output = self.side.loss = None
        torch.cuda.empty_cache()

    def report(self):
        on_gpu = self.device.type == "cuda"
        self.tell({"peak_memory": torch.cuda.max_memory_allocated() if on_gpu else process_peak()})


def process_peak():
    for line in pathlib.Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return 1024 * int(line.split()[1])
    return None


def main():
    setting = json.loads(sys.argv.pop(1))
    folder, threads = worker.start()
    torch.set_num_threads(threads)
    torch.backends.cudnn.allow_tf32 = False  # float32 is what is asked for
    training = Training(setting, folder)
    about = {"python": platform.python_version(), "torch": torch.__version__, "threads": torch.get_num_threads(),
             "units": setting["steps"]}
    worker.serve(about, {"check": training.check, "step": training.step, "wake": training.next_step,
                         "rest": training.rest, "report": training.report})


if __name__ == "__main__":
    main()
