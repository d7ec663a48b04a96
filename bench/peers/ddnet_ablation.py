"""The peer of ddnet-ablation: ddnet_train's step in eager float32 on the batches that our sides learn from.

They lie where they are computed with before the first step, so that the peer reads and moves nothing.
"""

import json
import pathlib
import platform
import sys

import torch
from safetensors.torch import load_file

import ddnet_train
import worker


class Training:
    def __init__(self, setting, folder):
        self.setting, self.folder = setting, folder
        self.device = torch.device(setting["device"])
        self.done = 0

    def tell(self, answer):
        (self.folder / f"{self.setting['name']}.json").write_text(json.dumps(answer))

    def next_step(self):
        batch = self.done % len(self.low)
        self.side.image, self.side.target = self.low[batch], self.full[batch]
        self.done += 1
        return self.side.step()

    def check(self):
        batches = load_file(self.folder / f"{self.setting['data']}.batches.safetensors")
        self.low, self.full = (batches[name].to(self.device) for name in ("low", "full"))
        net = ddnet_train.DDNet()
        net.load_state_dict(load_file(self.folder / "weights.safetensors"), strict=False)
        self.side = ddnet_train.Side(net.to(self.device), self.low[0], self.full[0])
        self.side.window = self.side.window.to(self.device)
        self.tell({"losses": [self.next_step() for _ in self.low]})

    def step(self):
        for _ in range(self.setting["steps"]):
            self.next_step()

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
    worker.serve(about, {"check": training.check, "step": training.step, "report": training.report})


if __name__ == "__main__":
    main()
