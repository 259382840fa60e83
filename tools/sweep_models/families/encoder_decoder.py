"""Networks that make images: U-Net, a generator, super-resolution."""

import torch
from torch import nn

from .family import Family, images, vectors
from .layers import convolution_norm


def two_convolutions(inputs, outputs):
    return nn.Sequential(convolution_norm(inputs, outputs), convolution_norm(outputs, outputs))


class UNet(nn.Module):
    """Features of the way down meet those of the same size on the way up."""

    def __init__(self, width):
        super().__init__()
        self.pool = nn.MaxPool2d(2)
        self.down1 = two_convolutions(3, width)
        self.down2 = two_convolutions(width, 2 * width)
        self.bottom = two_convolutions(2 * width, 4 * width)
        self.up2 = nn.ConvTranspose2d(4 * width, 2 * width, 2, 2)
        self.merge2 = two_convolutions(4 * width, 2 * width)
        self.up1 = nn.ConvTranspose2d(2 * width, width, 2, 2)
        self.merge1 = two_convolutions(2 * width, width)
        self.head = nn.Conv2d(width, 4, 1)

    def forward(self, images):
        first = self.down1(images)
        second = self.down2(self.pool(first))
        hidden = self.bottom(self.pool(second))
        hidden = self.merge2(torch.cat([second, self.up2(hidden)], dim=1))
        hidden = self.merge1(torch.cat([first, self.up1(hidden)], dim=1))
        return self.head(hidden)


class Generator(nn.Module):
    """A vector becomes a small image of many channels, which grows."""

    def __init__(self, width):
        super().__init__()
        self.width = width
        self.project = nn.Linear(32, 4 * width * 16)
        self.grow = nn.Sequential(
            nn.BatchNorm2d(4 * width), nn.ReLU(),
            nn.ConvTranspose2d(4 * width, 2 * width, 4, 2, 1, bias=False),
            nn.BatchNorm2d(2 * width), nn.ReLU(),
            nn.ConvTranspose2d(2 * width, width, 4, 2, 1, bias=False),
            nn.BatchNorm2d(width), nn.LeakyReLU(0.2))
        self.head = nn.ConvTranspose2d(width, 3, 3, 1, 1)

    def forward(self, noise):
        features = self.project(noise).view(-1, 4 * self.width, 4, 4)
        return torch.tanh(self.head(self.grow(features)))


class SuperResolution(nn.Module):
    """Channels become pixels: four times as many, and then again."""

    def __init__(self, width):
        super().__init__()
        self.entry = nn.Conv2d(3, width, 3, padding=1)
        self.body = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1), nn.PReLU(width),
            nn.Conv2d(width, width, 3, padding=1))
        self.up = nn.Sequential(
            nn.Conv2d(width, 4 * width, 3, padding=1), nn.PixelShuffle(2), nn.ReLU())
        self.last = nn.Sequential(
            nn.Conv2d(width, 4 * width, 3, padding=1), nn.PixelShuffle(2), nn.ReLU())
        self.head = nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, images):
        hidden = self.entry(images)
        hidden = hidden + self.body(hidden)
        return self.head(self.last(self.up(hidden)))


class PatchMerging(nn.Module):
    """Pixels become channels, by strided slices and by reshaping."""

    def __init__(self, width):
        super().__init__()
        self.entry = nn.Conv2d(3, width, 3, padding=1)
        self.merge = nn.Conv2d(4 * width, 2 * width, 1)
        self.last = nn.Conv2d(8 * width, 2 * width, 3, padding=1)
        self.head = nn.Conv2d(2 * width, 10, 1)

    def forward(self, images):
        hidden = torch.relu(self.entry(images))
        hidden = torch.cat([
            hidden[..., ::2, ::2], hidden[..., 1::2, ::2],
            hidden[..., ::2, 1::2], hidden[..., 1::2, 1::2]], dim=1)
        hidden = torch.relu(self.merge(hidden))
        hidden = nn.functional.pixel_unshuffle(hidden, 2)
        return self.head(torch.relu(self.last(hidden))).mean(dim=(2, 3))


FAMILIES = [
    Family("unet", UNet, images(size=16), 16, 8),
    Family("generator", Generator, vectors(32), 32, 8),
    Family("pixelshuffle", SuperResolution, images(size=8), 32, 12),
    Family("space-to-depth", PatchMerging, images(size=16), 32, 8),
]
