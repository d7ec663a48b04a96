"""The peer of tomogan-train: TomoGAN's updates in PyTorch as one writes them, the networks as its public reference has them.

Eager, NCHW, torch.optim.Adam. The generator's update differentiates through a discriminator whose weights take no
gradients, as the reference's tape has it.
"""

import platform

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import nn

import worker

LEARNING_RATE = 1e-4
ADVERSARIAL, MSE, PERCEPTUAL, LEVELS = 20, 0.5, 2, 255
VGG19 = (2, 2, 4, 4, 4)  # convolutions in each block
UPDATES, CHECKED_STEPS = 2, 3
CORNER = 64


def convolution(channels, out, kernel, stride=1):
    return nn.Conv2d(channels, out, kernel, stride, padding=kernel // 2)


class Box(nn.Sequential):
    def __init__(self, channels, out):
        super().__init__(convolution(channels, out, 3), convolution(out, out, 3))

    def forward(self, x):
        for layer in self:
            x = F.relu(layer(x))
        return x


class Generator(nn.Module):
    def __init__(self, depth=3):
        super().__init__()
        self.stem = convolution(depth, 8, 1)
        self.down1, self.down2, self.down3 = Box(8, 32), Box(32, 64), Box(64, 128)
        self.middle = convolution(128, 128, 3)
        self.up3, self.up2, self.up1 = Box(256, 64), Box(128, 32), Box(64, 32)
        self.head = convolution(32, 16, 1)
        self.out = convolution(16, 1, 1)

    def forward(self, x):
        x = F.relu(self.stem(x))
        skips = []
        for down in (self.down1, self.down2, self.down3):
            x = down(x)
            skips.append(x)
            x = F.max_pool2d(x, 2)
        x = F.relu(self.middle(x))
        for up in (self.up3, self.up2, self.up1):
            x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
            x = up(torch.cat((skips.pop(), x), 1))
        return self.out(F.relu(self.head(x)))


class Discriminator(nn.Module):
    def __init__(self, side):
        super().__init__()
        self.conv1 = nn.ModuleList((convolution(1, 64, 3), convolution(64, 64, 3, 2)))
        self.conv2 = nn.ModuleList((convolution(64, 128, 3), convolution(128, 128, 3, 2)))
        self.conv3 = nn.ModuleList((convolution(128, 128, 3), convolution(128, 4, 3, 2)))
        self.dense1 = nn.Linear(4 * (side // 8)**2, 64)
        self.dense2 = nn.Linear(64, 1)

    def forward(self, x):
        for block in (self.conv1, self.conv2, self.conv3):
            for layer in block:
                x = F.relu(layer(x))
        return self.dense2(F.relu(self.dense1(x.flatten(1))))


class Features(nn.Module):
    """VGG-19 up to the end of its last block, of grey images in Keras's colours."""

    def __init__(self, path):
        super().__init__()
        layers, channels = [], 3
        for block, count in enumerate(VGG19):
            for _ in range(count):
                layers += [convolution(channels, min(64 << block, 512), 3), nn.ReLU()]
                channels = min(64 << block, 512)
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.register_buffer("mean", torch.tensor([103.939, 116.779, 123.68]).view(1, 3, 1, 1))
        self.load_state_dict(load_file(path) | {"mean": self.mean})
        self.requires_grad_(False)

    def forward(self, unit):
        return self.features(255 * unit - self.mean)


def cross_entropy(logits, label):
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))


class Side:
    """Both players and their optimisers in one precision."""

    def __init__(self, weights, discriminator, vgg, noisy, clean):
        self.vgg = Features(vgg).to(noisy.dtype)
        self.noisy, self.clean = noisy, clean
        self.generator, self.discriminator = Generator(), Discriminator(clean.shape[-1])
        for net, prefix in ((self.generator, "generator."), (self.discriminator, discriminator)):
            net.load_state_dict({name.removeprefix(prefix): value for name, value in weights.items()
                                 if name.startswith(prefix)})
            net.to(noisy.dtype)
        self.adams = [torch.optim.Adam(net.parameters(), lr=LEARNING_RATE)
                      for net in (self.generator, self.discriminator)]

    def update(self, adam, loss):
        adam.zero_grad()
        loss.backward()
        adam.step()

    def step(self):
        self.discriminator.requires_grad_(False)
        self.made = self.generator(self.noisy)
        self.loss = MSE * F.mse_loss(LEVELS * self.made, LEVELS * self.clean)
        self.loss = self.loss + ADVERSARIAL * cross_entropy(self.discriminator(self.made), 1.0)
        with torch.no_grad():
            target = self.vgg(self.clean)
        self.loss = self.loss + PERCEPTUAL * F.mse_loss(self.vgg(self.made), target)
        self.update(self.adams[0], self.loss)
        self.discriminator.requires_grad_(True)
        for _ in range(UPDATES):
            with torch.no_grad():
                made = self.generator(self.noisy)
            self.opponent_loss = (cross_entropy(self.discriminator(self.clean), 1.0)
                                  + cross_entropy(self.discriminator(made), 0.0))
            self.update(self.adams[1], self.opponent_loss)
        return self.loss.item()

    def tell(self, prefix):
        """What the last step came to."""
        results = {f"{prefix}.made": self.made, f"{prefix}.loss": self.loss,
                   f"{prefix}.opponent_loss": self.opponent_loss}
        for name, net in (("generator", self.generator), ("discriminator", self.discriminator)):
            results |= {f"{prefix}.grad.{name}.{key}": p.grad for key, p in net.named_parameters()}
        return {key: value.detach().clone() for key, value in results.items()}


class Training:
    def __init__(self, folder):
        self.folder = folder

    def check(self):
        weights = load_file(self.folder / "weights.safetensors")
        images = load_file(self.folder / "images.safetensors")
        noisy, clean = images["noisy"], images["clean"]
        vgg = self.folder / "vgg19.safetensors"
        results = {}
        for prefix, dtype in (("exact", torch.float64), ("rounded", torch.float32)):
            side = Side(weights, "small.", vgg, *(x[..., :CORNER, :CORNER].to(dtype) for x in (noisy, clean)))
            side.step()
            results |= side.tell(prefix)
            for _ in range(1, CHECKED_STEPS):
                side.step()
            results |= side.tell(f"{prefix}.after")
        self.side = Side(weights, "discriminator.", vgg, noisy, clean)
        self.side.step()
        save_file(results | self.side.tell("whole"), self.folder / "peer.safetensors")

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
