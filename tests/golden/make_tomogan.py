"""Writes tomogan.safetensors: what PyTorch computes for TomoGAN's generator, discriminator and losses; and
vgg_block1.pth: weights of VGG's first block as torchvision names them.

    build/peers/bin/python tests/golden/make_tomogan.py

The networks are written here once more, in plain PyTorch, from the public reference's definition. Their weights, and
those of VGG, are scrambled counts, which the test computes itself; of every gradient two numbers are kept, its length
and its product with more of these. All in float64.
"""

import pathlib

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn

HERE = pathlib.Path(__file__).parent

DEPTH, SIDE, BATCH = 3, 32, 2
ADVERSARIAL, MSE, PERCEPTUAL, LEVELS = 20, 0.5, 2, 255
DDNET_BLOCKS = {0: 0.03, 2: 0.05}  # of VGG-16


def scrambled(count, seed):
    """Numbers in [-1, 1) without any order, exactly the same everywhere: a 32-bit hash of each one's place."""
    x = torch.arange(count, dtype=torch.int64) + 1000003 * seed
    for factor in (0x7FEB352D, 0x846CA68B):
        x = ((x ^ (x >> 16)) * factor) & 0xFFFFFFFF
    return (x ^ (x >> 16)).double() / 2**31 - 1


def fill(network):
    """He's scale for weights, small biases; numbered as the parameters are."""
    with torch.no_grad():
        for seed, parameter in enumerate(network.parameters()):
            fan_in = parameter[0].numel() if parameter.dim() > 1 else 0
            scale = (6 / fan_in)**0.5 if fan_in else 0.05
            parameter.copy_(scale * scrambled(parameter.numel(), seed).view_as(parameter))


def convolution(channels, out, kernel, stride=1):
    return nn.Conv2d(channels, out, kernel, stride, padding=kernel // 2, dtype=torch.float64)


class Box(nn.Sequential):
    def __init__(self, channels, out):
        super().__init__(convolution(channels, out, 3), convolution(out, out, 3))

    def forward(self, x):
        for layer in self:
            x = F.relu(layer(x))
        return x


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = convolution(DEPTH, 8, 1)
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
    def __init__(self):
        super().__init__()
        self.conv1 = nn.ModuleList((convolution(1, 64, 3), convolution(64, 64, 3, 2)))
        self.conv2 = nn.ModuleList((convolution(64, 128, 3), convolution(128, 128, 3, 2)))
        self.conv3 = nn.ModuleList((convolution(128, 128, 3), convolution(128, 4, 3, 2)))
        self.dense1 = nn.Linear(4 * (SIDE // 8)**2, 64, dtype=torch.float64)
        self.dense2 = nn.Linear(64, 1, dtype=torch.float64)

    def forward(self, x):
        for block in (self.conv1, self.conv2, self.conv3):
            for layer in block:
                x = F.relu(layer(x))
        return self.dense2(F.relu(self.dense1(x.flatten(1))))


class Vgg(nn.Module):
    """The features behind each block."""

    def __init__(self, convolutions):
        super().__init__()
        widths = (3, 64, 128, 256, 512, 512)
        self.blocks = nn.ModuleList(
            nn.ModuleList(convolution(widths[b] if i == 0 else widths[b + 1], widths[b + 1], 3) for i in range(count))
            for b, count in enumerate(convolutions))

    def forward(self, x):
        features = []
        for block in self.blocks:
            for layer in block:
                x = F.relu(layer(x))
            x = F.max_pool2d(x, 2)
            features.append(x)
        return features


def colours(image, scale, mean, deviation):
    as_channels = [torch.tensor(v, dtype=torch.float64).view(1, 3, 1, 1) for v in (mean, deviation)]
    return (scale * image.expand(-1, 3, -1, -1) - as_channels[0]) / as_channels[1]


def keras(image):
    return colours(image, 255, (103.939, 116.779, 123.68), (1, 1, 1))


def torchvision(image):
    return colours(image, 1, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def tomogan_perceptual(vgg19, made, clean):
    return F.mse_loss(vgg19(keras(made))[4], vgg19(keras(clean))[4])


def ddnet_perceptual(vgg16, made, clean):
    a, b = vgg16(torchvision(made)), vgg16(torchvision(clean))
    return sum(weight * F.l1_loss(a[block], b[block]) for block, weight in DDNET_BLOCKS.items())


def first_block_distance(vgg16, made, clean):
    return F.l1_loss(vgg16(torchvision(made))[0], vgg16(torchvision(clean))[0])


def save_first_block(vgg):
    torch.save({f"features.{2 * i}.{part}": getattr(layer, part).detach().float()
                for i, layer in enumerate(vgg.blocks[0]) for part in ("weight", "bias")}, HERE / "vgg_block1.pth")


def summary(gradient):
    flat = gradient.flatten()
    return torch.stack((flat.norm(), flat @ scrambled(flat.numel(), 5)))


def image(shape, seed):
    return 0.5 + 0.4 * scrambled(torch.Size(shape).numel(), seed).view(shape)


def main():
    generator, discriminator = Generator(), Discriminator()
    vgg16, vgg19 = Vgg((2, 2, 3, 3, 3)), Vgg((2, 2, 4, 4, 4))
    for network in (generator, discriminator, vgg16, vgg19):
        fill(network)
    noisy, clean = image((BATCH, DEPTH, SIDE, SIDE), 3), image((BATCH, 1, SIDE, SIDE), 4)
    cross_entropy = F.binary_cross_entropy_with_logits

    made = generator(noisy)
    logits = discriminator(made)
    parts = {"adversarial": cross_entropy(logits, torch.ones_like(logits)),
             "mse": F.mse_loss(LEVELS * made, LEVELS * clean),
             "perceptual": tomogan_perceptual(vgg19, made, clean)}
    total = ADVERSARIAL * parts["adversarial"] + MSE * parts["mse"] + PERCEPTUAL * parts["perceptual"]
    golden = {"made": made, "logits_made": logits, "total": total, **parts}
    for (name, _), gradient in zip(generator.named_parameters(), torch.autograd.grad(total, generator.parameters())):
        golden["generator." + name] = summary(gradient)

    of_clean, of_made = discriminator(clean), discriminator(made.detach())
    loss = cross_entropy(of_clean, torch.ones_like(of_clean)) + cross_entropy(of_made, torch.zeros_like(of_made))
    golden |= {"logits_clean": of_clean, "discriminator_loss": loss}
    for (name, _), gradient in zip(discriminator.named_parameters(),
                                   torch.autograd.grad(loss, discriminator.parameters())):
        golden["discriminator." + name] = summary(gradient)

    for name, perceptual, vgg in (("tomogan", tomogan_perceptual, vgg19), ("ddnet", ddnet_perceptual, vgg16),
                                  ("block1", first_block_distance, vgg16)):
        output = made.detach().requires_grad_()
        value = perceptual(vgg, output, clean)
        golden[f"perceptual.{name}"] = value
        golden[f"perceptual.{name}.gradient"] = torch.autograd.grad(value, output)[0]

    save_first_block(vgg16)
    save_file({name: tensor.detach().contiguous() for name, tensor in golden.items()}, HERE / "tomogan.safetensors")


if __name__ == "__main__":
    main()
