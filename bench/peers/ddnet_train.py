"""The peer of ddnet-train: DDNet's training step in PyTorch, written as the public reference writes it.

Transposed convolutions, NCHW, MS-SSIM by 11x11 two-dimensional windows, torch.optim.Adam. Parameters carry the
reference's names, so that both sides start from the same weights.
"""

import copy
import platform

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import nn

import worker

LEARNING_RATE = 1e-4
SSIM_WEIGHT = 0.1
LEVEL_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # Wang, Simoncelli, Bovik 2003
QUARTER = 256  # half the picture's side
CHECKED_STEPS = 3


class DenseBlock(nn.Module):
    def __init__(self, growth):
        super().__init__()
        for i in range(4):
            seen = growth * (i + 1)
            self.add_module(f"batch_norm1_{i}", nn.BatchNorm2d(seen))
            self.add_module(f"conv1_{i}", nn.Conv2d(seen, 4 * growth, 1))
            self.add_module(f"batch_norm2_{i}", nn.BatchNorm2d(4 * growth))
            self.add_module(f"conv2_{i}", nn.Conv2d(4 * growth, growth, 5, padding=2))

    def forward(self, x):
        for i in range(4):
            y = F.leaky_relu(getattr(self, f"conv1_{i}")(getattr(self, f"batch_norm1_{i}")(x)))
            y = F.leaky_relu(getattr(self, f"conv2_{i}")(getattr(self, f"batch_norm2_{i}")(y)))
            x = torch.cat((x, y), dim=1)
        return x


class DDNet(nn.Module):
    def __init__(self, growth=16):
        super().__init__()
        self.batch1 = nn.BatchNorm2d(1)
        self.conv1 = nn.Conv2d(1, growth, 7, padding=3)
        for i in range(1, 5):
            self.add_module(f"dnet{i}", DenseBlock(growth))
            self.add_module(f"batch{i + 1}", nn.BatchNorm2d(5 * growth))
            self.add_module(f"conv{i + 1}", nn.Conv2d(5 * growth, growth, 1))
        for i in range(4):
            out = growth if i < 3 else 1
            self.add_module(f"batch{2 * i + 6}", nn.BatchNorm2d(2 * growth))
            self.add_module(f"convT{2 * i + 1}", nn.ConvTranspose2d(2 * growth, 2 * growth, 5, padding=2))
            self.add_module(f"batch{2 * i + 7}", nn.BatchNorm2d(2 * growth))
            self.add_module(f"convT{2 * i + 2}", nn.ConvTranspose2d(2 * growth, out, 1))

    def layer(self, convolution, norm, x):
        return F.leaky_relu(getattr(self, convolution)(getattr(self, norm)(x)))

    def forward(self, x):
        x = self.layer("conv1", "batch1", x)
        skips = []
        for i in range(1, 5):
            skips.append(x)
            x = getattr(self, f"dnet{i}")(F.max_pool2d(x, 3, stride=2, padding=1))
            x = self.layer(f"conv{i + 1}", f"batch{i + 1}", x)
        for i in range(4):
            x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
            x = torch.cat((x, skips.pop()), dim=1)
            x = self.layer(f"convT{2 * i + 1}", f"batch{2 * i + 6}", x)
            x = self.layer(f"convT{2 * i + 2}", f"batch{2 * i + 7}", x)
        return x


def gaussian_window(size=11, sigma=1.5):
    x = torch.arange(size, dtype=torch.float64) - size // 2
    g = torch.exp(-x.square() / (2 * sigma**2))
    g = g / g.sum()
    return torch.outer(g, g)[None, None]


def ssim(a, b, window):
    """Mean SSIM and mean contrast-structure term of each image at one level; a data range of 1."""
    c1, c2 = 0.01**2, 0.03**2
    mean_a, mean_b = F.conv2d(a, window), F.conv2d(b, window)
    var_a = F.conv2d(a * a, window) - mean_a.square()
    var_b = F.conv2d(b * b, window) - mean_b.square()
    cov = F.conv2d(a * b, window) - mean_a * mean_b
    contrast = (2 * cov + c2) / (var_a + var_b + c2)
    luminance = (2 * mean_a * mean_b + c1) / (mean_a.square() + mean_b.square() + c1)
    return (luminance * contrast).mean((1, 2, 3)), contrast.mean((1, 2, 3))


def ms_ssim(a, b, window):
    """The standard product, each term shifted to (x + 1) / 2 as the reference does; the mean over images."""
    factors = []
    for level, weight in enumerate(LEVEL_WEIGHTS):
        full, contrast = ssim(a, b, window)
        term = full if level == len(LEVEL_WEIGHTS) - 1 else contrast
        factors.append(((term + 1) / 2) ** weight)
        a, b = F.avg_pool2d(a, 2), F.avg_pool2d(b, 2)
    return torch.stack(factors).prod(0).mean()


class Side:
    """A network and its optimiser in one precision."""

    def __init__(self, net, image, target):
        self.net = net.to(image.dtype)
        self.image, self.target = image, target
        self.window = gaussian_window().to(image.dtype)
        self.adam = torch.optim.Adam(self.net.parameters(), lr=LEARNING_RATE)

    def forward(self, image, target):
        """(output, loss)"""
        output = self.net(image)
        return output, F.mse_loss(output, target) + SSIM_WEIGHT * (1 - ms_ssim(output, target, self.window))

    def gradients(self):
        """Forward and backward."""
        self.adam.zero_grad()
        self.output, self.loss = self.forward(self.image, self.target)
        self.loss.backward()

    def step(self):
        self.gradients()
        self.adam.step()
        return self.loss.item()


class Training:
    def __init__(self, folder):
        self.folder = folder
        self.net = DDNet()

    def load(self):
        keys = self.net.load_state_dict(load_file(self.folder / "weights.safetensors"), strict=False)
        missing = [name for name in keys.missing_keys if not name.endswith("num_batches_tracked")]  # a counter, unused
        assert not missing and not keys.unexpected_keys, f"weights differ: {missing} {keys.unexpected_keys}"
        images = load_file(self.folder / "images.safetensors")
        self.input, self.target = images["input"], images["target"]

    def quarter(self, number, prefix, dtype):
        """Steps over a quarter of the picture: convolutions in float64 are slow."""
        top, left = (place * QUARTER for place in divmod(number, 2))
        side = Side(copy.deepcopy(self.net), *(x[..., top:top + QUARTER, left:left + QUARTER].to(dtype)
                                               for x in (self.input, self.target)))
        side.gradients()
        results = {f"{prefix}.output": side.output.detach(), f"{prefix}.loss": side.loss.detach()}
        results |= {f"{prefix}.grad.{name}": p.grad.clone() for name, p in side.net.named_parameters()}
        for _ in range(CHECKED_STEPS):
            side.step()
        return results | {f"{prefix}.loss_after": side.loss.detach()}

    def check(self):
        self.load()
        results = {}
        for number in range(4):
            results |= self.quarter(number, f"exact{number}", torch.float64)
            results |= self.quarter(number, f"rounded{number}", torch.float32)
        with torch.no_grad():
            results["truth.output"] = copy.deepcopy(self.net).double()(self.input.double())
        self.side = Side(self.net, self.input, self.target)
        self.side.step()
        results |= {"output": self.side.output.detach(), "loss": self.side.loss.detach()}
        save_file(results, self.folder / "peer.safetensors")

    def step(self):
        self.side.step()


def main():
    folder, threads = worker.start()
    torch.set_num_threads(threads)
    training = Training(folder)
    about = {"python": platform.python_version(), "torch": torch.__version__, "threads": torch.get_num_threads()}
    worker.serve(about, {"check": training.check, "step": training.step})


if __name__ == "__main__":
    main()
