"""Writes ddnet.pt and ddnet.safetensors: what PyTorch computes for DDNet.

    build/peers/bin/python tests/golden/make_ddnet.py

DDNet is written here once more, in plain PyTorch and with the parameter names of the public reference
implementation, so that the C++ network, its gradients and its loss are compared with something they share
no code with. All results are computed in float64 from weights and images that are exact in float32.
"""

import copy
import math
import pathlib

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn

HERE = pathlib.Path(__file__).parent

GROWTH = 16        # channels that each layer of a dense block adds, and of everything between the blocks
BLOCKS = 4         # dense blocks on the way down, as many pairs of transposed convolutions on the way up
LAYERS = 4         # layers in a dense block
SLOPE = 0.01       # of the leaky ReLU
SSIM_WEIGHT = 0.1  # of 1 - MS-SSIM in the loss
LEVEL_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # Wang, Simoncelli, Bovik 2003


def activate(x):
    return F.leaky_relu(x, SLOPE)


class DenseBlock(nn.Module):
    """Each layer squeezes all maps so far to 64 (1x1) and adds 16 new ones (5x5)."""

    def __init__(self):
        super().__init__()
        squeezed = 4 * GROWTH
        for i in range(LAYERS):
            seen = GROWTH * (i + 1)
            setattr(self, f"batch_norm1_{i}", nn.BatchNorm2d(seen))
            setattr(self, f"conv1_{i}", nn.Conv2d(seen, squeezed, 1))
            setattr(self, f"batch_norm2_{i}", nn.BatchNorm2d(squeezed))
            setattr(self, f"conv2_{i}", nn.Conv2d(squeezed, GROWTH, 5, padding=2))

    def forward(self, x):
        part = self._modules
        for i in range(LAYERS):
            y = activate(part[f"conv1_{i}"](part[f"batch_norm1_{i}"](x)))
            y = activate(part[f"conv2_{i}"](part[f"batch_norm2_{i}"](y)))
            x = torch.cat((x, y), dim=1)
        return x


class DDNet(nn.Module):
    def __init__(self):
        super().__init__()
        dense = GROWTH * (LAYERS + 1)
        joined = 2 * GROWTH
        self.batch1 = nn.BatchNorm2d(1)
        self.conv1 = nn.Conv2d(1, GROWTH, 7, padding=3)
        for i in range(1, BLOCKS + 1):
            setattr(self, f"dnet{i}", DenseBlock())
            setattr(self, f"batch{i + 1}", nn.BatchNorm2d(dense))
            setattr(self, f"conv{i + 1}", nn.Conv2d(dense, GROWTH, 1))
        for i in range(BLOCKS):
            out = GROWTH if i < BLOCKS - 1 else 1
            setattr(self, f"batch{2 * i + 6}", nn.BatchNorm2d(joined))
            setattr(self, f"convT{2 * i + 1}", nn.ConvTranspose2d(joined, joined, 5, padding=2))
            setattr(self, f"batch{2 * i + 7}", nn.BatchNorm2d(joined))
            setattr(self, f"convT{2 * i + 2}", nn.ConvTranspose2d(joined, out, 1))

    def forward(self, x):
        part = self._modules
        x = activate(self.conv1(self.batch1(x)))
        skips = []
        for i in range(1, BLOCKS + 1):
            skips.append(x)
            x = part[f"dnet{i}"](F.max_pool2d(x, 3, stride=2, padding=1))
            x = activate(part[f"conv{i + 1}"](part[f"batch{i + 1}"](x)))
        for i in range(BLOCKS):
            x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
            x = torch.cat((x, skips.pop()), dim=1)
            x = activate(part[f"convT{2 * i + 1}"](part[f"batch{2 * i + 6}"](x)))
            x = activate(part[f"convT{2 * i + 2}"](part[f"batch{2 * i + 7}"](x)))
        return x


def window(size, like):
    # An even window (small scales) is not symmetric: its centre is size // 2, as in the reference.
    x = torch.arange(size, dtype=like.dtype) - size // 2
    g = torch.exp(-x.square() / (2 * 1.5**2))
    g = g / g.sum()
    return torch.outer(g, g)[None, None]


def ssim(a, b):
    """Each image's mean SSIM and mean contrast-structure term on one level, [N] both; a data range of 1."""
    c1, c2 = 0.01**2, 0.03**2
    w = window(min(11, *a.shape[-2:]), a)
    mean_a, mean_b = F.conv2d(a, w), F.conv2d(b, w)
    var_a = F.conv2d(a * a, w) - mean_a.square()
    var_b = F.conv2d(b * b, w) - mean_b.square()
    cov = F.conv2d(a * b, w) - mean_a * mean_b
    contrast = (2 * cov + c2) / (var_a + var_b + c2)
    luminance = (2 * mean_a * mean_b + c1) / (mean_a.square() + mean_b.square() + c1)
    return (luminance * contrast).mean(dim=(1, 2, 3)), contrast.mean(dim=(1, 2, 3))


def ms_ssim(a, b):
    """Of each image, then the mean over the batch, as pytorch-msssim does."""
    factors = []
    for level, weight in enumerate(LEVEL_WEIGHTS):
        full, contrast = ssim(a, b)
        term = full if level == len(LEVEL_WEIGHTS) - 1 else contrast
        factors.append(((term + 1) / 2) ** weight)  # "simple" normalisation: a power of a negative number is no number
        a, b = F.avg_pool2d(a, 2), F.avg_pool2d(b, 2)
    return torch.stack(factors).prod(dim=0).mean()


def make_network():
    """Default initialisation, with every number of the batch norms moved off its trivial 0 or 1."""
    torch.manual_seed(0)
    net = DDNet()
    for m in net.modules():
        if isinstance(m, nn.BatchNorm2d):
            nn.init.normal_(m.weight, 1.0, 0.1)
            nn.init.normal_(m.bias, 0.0, 0.1)
            nn.init.normal_(m.running_mean, 0.0, 0.1)
            nn.init.uniform_(m.running_var, 0.5, 1.5)
            m.num_batches_tracked.fill_(7)
    with torch.no_grad():
        net.convT8.bias += 1.5  # moves the output to about 0, where the last ReLU shows both its slopes
    return net


def make_images(count, size):
    """A smooth picture in [0, 1] as target, the same with noise as input."""
    x = torch.linspace(0, 2 * math.pi, size)
    target = torch.stack([
        0.5 + 0.25 * torch.sin((n + 1) * x)[:, None] * torch.cos(2 * x)[None] + 0.2 * torch.sin(x + n)[None]
        for n in range(count)
    ])[:, None]
    return target + 0.1 * torch.randn(target.shape), target


def train_once(net, image, target):
    """Output, MSE, MS-SSIM, loss and gradients of one training pass, in the type of its arguments."""
    net.zero_grad()
    output = net.train()(image)
    mse = F.mse_loss(output, target)
    similarity = ms_ssim(output, target)
    loss = mse + SSIM_WEIGHT * (1 - similarity)
    loss.backward()
    return output.detach(), mse.detach(), similarity.detach(), loss.detach(), {n: p.grad for n, p in net.named_parameters()}


def relative(a, b):
    return ((a.double() - b).norm() / b.norm()).reshape(1)


def main():
    net = make_network()
    torch.save(net.state_dict(), HERE / "ddnet.pt")
    image, target = make_images(2, 64)
    out = {"input": image, "target": target}

    # what float32 costs PyTorch itself: 45 layers of batch norm, with kinks at every leaky ReLU and maximum
    rounded_output, *_, rounded_grads = train_once(copy.deepcopy(net), image, target)

    net = net.double()
    image, target = image.double(), target.double()
    out["output_eval"] = net.eval()(image).detach()
    out["output_train"], out["mse"], out["ms_ssim_standard"], out["loss_standard"], grads = train_once(net, image, target)
    out["float32_error.output_train"] = relative(rounded_output, out["output_train"])
    flat = [torch.cat([g[name].flatten().double() for name in grads]) for g in (rounded_grads, grads)]
    out["float32_error.grad"] = relative(*flat)
    out |= {f"grad.{name}": g.float() for name, g in grads.items()}
    out |= {f"after.{name}": b.float() if b.is_floating_point() else b for name, b in net.named_buffers()}
    save_file(out, HERE / "ddnet.safetensors", metadata={"torch": torch.__version__})


if __name__ == "__main__":
    main()
