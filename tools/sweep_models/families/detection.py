"""YOLOv8: C2f blocks, spatial pyramid pooling, a path that goes up and down again, and a head
without anchors at three scales."""

import torch
from torch import nn

from .family import Family, images
from .layers import convolution_norm

CLASSES = 4
BINS = 4


def convolution(inputs, outputs, kernel=3, stride=1):
    return convolution_norm(inputs, outputs, kernel, stride, activation=nn.SiLU)


class Bottleneck(nn.Module):
    def __init__(self, channels, residual):
        super().__init__()
        self.first = convolution(channels, channels)
        self.second = convolution(channels, channels)
        self.residual = residual

    def forward(self, images):
        hidden = self.second(self.first(images))
        return images + hidden if self.residual else hidden


class C2f(nn.Module):
    """Splits in two, sends one half through bottlenecks, and joins all that was made."""

    def __init__(self, inputs, outputs, blocks=1, residual=False):
        super().__init__()
        half = outputs // 2
        self.enter = convolution(inputs, outputs, 1)
        self.blocks = nn.ModuleList(Bottleneck(half, residual) for _ in range(blocks))
        self.leave = convolution((2 + blocks) * half, outputs, 1)

    def forward(self, images):
        parts = list(self.enter(images).chunk(2, dim=1))
        for block in self.blocks:
            parts.append(block(parts[-1]))
        return self.leave(torch.cat(parts, dim=1))


class PyramidPooling(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.enter = convolution(channels, channels // 2, 1)
        self.pool = nn.MaxPool2d(5, 1, 2)
        self.leave = convolution(2 * channels, channels, 1)

    def forward(self, images):
        once = self.enter(images)
        twice = self.pool(once)
        thrice = self.pool(twice)
        return self.leave(torch.cat([once, twice, thrice, self.pool(thrice)], dim=1))


class DetectionHead(nn.Module):
    """Distributions of the four distances to a box's sides, and the classes, at every place."""

    def __init__(self, channels):
        super().__init__()
        self.box, self.classes = (
            nn.Sequential(convolution(channels, channels), nn.Conv2d(channels, outputs, 1))
            for outputs in (4 * BINS, CLASSES))
        self.outputs = nn.ModuleList([self.box[-1], self.classes[-1]])

    def forward(self, images):
        return torch.cat([self.box(images), self.classes(images)], dim=1)


class YOLOv8(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.stem = nn.Sequential(
            convolution(3, width, 3, 2), convolution(width, 2 * width, 3, 2),
            C2f(2 * width, 2 * width, 2, residual=True))
        self.down4 = nn.Sequential(
            convolution(2 * width, 3 * width, 3, 2), C2f(3 * width, 3 * width, 1, residual=True))
        self.down5 = nn.Sequential(
            convolution(3 * width, 4 * width, 3, 2), C2f(4 * width, 4 * width, 1, residual=True),
            PyramidPooling(4 * width))
        self.up = nn.Upsample(scale_factor=2, mode="nearest")
        self.top4 = C2f(7 * width, 3 * width)
        self.top3 = C2f(5 * width, 2 * width)
        self.to4 = convolution(2 * width, 2 * width, 3, 2)
        self.bottom4 = C2f(5 * width, 3 * width)
        self.to5 = convolution(3 * width, 3 * width, 3, 2)
        self.bottom5 = C2f(7 * width, 4 * width)
        self.heads = nn.ModuleList(
            DetectionHead(channels) for channels in (2 * width, 3 * width, 4 * width))
        self.head = nn.ModuleList(head.outputs for head in self.heads)

    def forward(self, images):
        third = self.stem(images)
        fourth = self.down4(third)
        fifth = self.down5(fourth)
        fourth = self.top4(torch.cat([self.up(fifth), fourth], dim=1))
        third = self.top3(torch.cat([self.up(fourth), third], dim=1))
        fourth = self.bottom4(torch.cat([self.to4(third), fourth], dim=1))
        fifth = self.bottom5(torch.cat([self.to5(fourth), fifth], dim=1))
        return tuple(head(scale) for head, scale in zip(self.heads, (third, fourth, fifth)))


class DecodedYOLOv8(YOLOv8):
    """With boxes and probabilities in one output, as detectors are deployed."""

    def forward(self, images):
        scales = super().forward(images)
        flat = torch.cat([scale.flatten(2) for scale in scales], dim=2)
        box, classes = flat.split((4 * BINS, CLASSES), dim=1)
        box = box.view(box.shape[0], 4, BINS, -1).softmax(dim=2)
        distances = (box * torch.arange(BINS, dtype=box.dtype).view(1, 1, BINS, 1)).sum(dim=2)
        start, end = distances.chunk(2, dim=1)
        return torch.cat([end - start, end + start, classes.sigmoid()], dim=1)


FAMILIES = [
    Family("yolov8", YOLOv8, images(size=64), 16, 4),
    Family("yolov8-decoded", DecodedYOLOv8, images(size=64), 16, None),
]
