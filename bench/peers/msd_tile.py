"""The peers of msd-tile: a Mixed-Scale Dense network in PyTorch, and the same converted to OpenVINO.

    msd_tile.py pytorch|pytorch-channels-last|openvino-f32|openvino BORDER FOLDER THREADS
"""

import sys

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import nn

import worker

DILATIONS = 10


class Msdnet(nn.Module):
    def __init__(self, weights, border):
        super().__init__()
        self.border = border
        depth = sum(name.startswith("layer") and name.endswith(".weight") for name in weights)
        self.layers = nn.ModuleList()
        for i in range(depth):
            dilation = i % DILATIONS + 1
            self.layers.append(nn.Conv3d(i + 1, 1, 3, dilation=dilation, padding=dilation, padding_mode=border))
            self.layers[i].load_state_dict({key: weights[f"layer{i}.{key}"] for key in ("weight", "bias")})
        self.out = nn.Conv3d(depth + 1, 2, 1)
        self.out.load_state_dict({key: weights[f"out.{key}"] for key in ("weight", "bias")})

    def logits(self, x):
        for layer in self.layers:
            x = torch.cat((x, F.relu(layer(x))), 1)
        return self.out(x)

    def forward(self, x):
        return F.softmax(self.logits(x), 1)


class Tile:
    def __init__(self, engine, border, folder, threads):
        self.engine, self.border, self.folder, self.threads = engine, border, folder, threads
        torch.set_num_threads(threads)

    def load(self):
        weights = load_file(self.folder / "network.safetensors")
        self.input = weights.pop("input")
        self.net = Msdnet(weights, self.border).eval()
        if self.engine == "pytorch-channels-last":
            self.net = self.net.to(memory_format=torch.channels_last_3d)
            self.input = self.input.to(memory_format=torch.channels_last_3d)
        if self.engine.startswith("openvino"):
            import openvino

            model = openvino.convert_model(self.net, example_input=self.input, input=tuple(self.input.shape))
            hints = {"INFERENCE_NUM_THREADS": self.threads, "PERFORMANCE_HINT": "LATENCY"}
            if self.engine == "openvino-f32":
                hints["INFERENCE_PRECISION_HINT"] = "f32"
            self.compiled = openvino.Core().compile_model(model, "CPU", hints)
            print("openvino computes in", self.compiled.get_property("INFERENCE_PRECISION_HINT"), file=sys.stderr)

    def check(self):
        self.load()
        self.step()
        save_file({"output": self.output.contiguous()}, self.folder / "peer.safetensors")

    def step(self):
        if self.engine.startswith("openvino"):
            self.output = torch.from_numpy(self.compiled(self.input.numpy())[0].copy())
        else:
            with torch.inference_mode():
                self.output = self.net(self.input)


def main():
    engine, border = sys.argv[1:3]
    del sys.argv[1:3]
    folder, threads = worker.start()
    tile = Tile(engine, border, folder, threads)
    worker.serve({"torch": torch.__version__}, {"check": tile.check, "step": tile.step})


if __name__ == "__main__":
    main()
