"""Residual networks: plain blocks, grouped bottlenecks, and group normalisation."""

import torch
from torch import nn

from .family import Family, images
from .layers import Classifier, convolution_norm


class BasicBlock(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.first = convolution_norm(inputs, outputs, 3, stride)
        self.second = convolution_norm(outputs, outputs, activation=None)
        self.shortcut = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = convolution_norm(inputs, outputs, 1, stride, activation=None)

    def forward(self, images):
        return torch.relu(self.second(self.first(images)) + self.shortcut(images))


class GroupedBottleneck(nn.Module):
    """The bottleneck of ResNeXt: its middle convolution works in four groups."""

    def __init__(self, inputs, outputs, stride, groups=4):
        super().__init__()
        middle = outputs // 2
        self.reduce = convolution_norm(inputs, middle, 1)
        self.grouped = convolution_norm(middle, middle, 3, stride, groups)
        self.expand = convolution_norm(middle, outputs, 1, activation=None)
        self.shortcut = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = convolution_norm(inputs, outputs, 1, stride, activation=None)

    def forward(self, images):
        return torch.relu(self.expand(self.grouped(self.reduce(images))) + self.shortcut(images))


class GroupNormBlock(nn.Module):
    def __init__(self, inputs, outputs, stride, groups=4):
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.first_norm = nn.GroupNorm(groups, outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.second_norm = nn.GroupNorm(groups, outputs)
        self.shortcut = nn.Conv2d(inputs, outputs, 1, stride)

    def forward(self, images):
        hidden = nn.functional.silu(self.first_norm(self.first(images)))
        return torch.relu(self.second_norm(self.second(hidden)) + self.shortcut(images))


def resnet(width):
    return Classifier(
        convolution_norm(3, width), nn.MaxPool2d(3, 2, 1),
        BasicBlock(width, width, 1), BasicBlock(width, width, 1),
        BasicBlock(width, 2 * width, 2), BasicBlock(2 * width, 2 * width, 1),
        channels=2 * width)


def resnext(width):
    return Classifier(
        convolution_norm(3, width),
        GroupedBottleneck(width, 2 * width, 1), GroupedBottleneck(2 * width, 2 * width, 1),
        GroupedBottleneck(2 * width, 4 * width, 2), GroupedBottleneck(4 * width, 4 * width, 1),
        channels=4 * width)


def group_norm_network(width):
    return Classifier(
        nn.Conv2d(3, width, 3, padding=1), nn.GroupNorm(4, width), nn.ReLU(),
        GroupNormBlock(width, width, 1), GroupNormBlock(width, 2 * width, 2),
        channels=2 * width)


FAMILIES = [
    Family("resnet", resnet, images(), 32, 12),
    Family("resnext", resnext, images(), 32, 16),
    Family("groupnorm", group_norm_network, images(), 32, 16),
]
