"""Dense connections: every layer reads what all layers before it made."""

import torch
from torch import nn

from .family import Family, images
from .layers import Classifier


class DenseLayer(nn.Module):
    def __init__(self, inputs, growth):
        super().__init__()
        self.reduce = nn.Sequential(
            nn.BatchNorm2d(inputs), nn.ReLU(), nn.Conv2d(inputs, 4 * growth, 1, bias=False))
        self.grow = nn.Sequential(
            nn.BatchNorm2d(4 * growth), nn.ReLU(),
            nn.Conv2d(4 * growth, growth, 3, padding=1, bias=False))

    def forward(self, images):
        return torch.cat([images, self.grow(self.reduce(images))], dim=1)


def dense_block(inputs, growth, layers):
    return nn.Sequential(
        *[DenseLayer(inputs + index * growth, growth) for index in range(layers)])


def transition(inputs):
    return nn.Sequential(
        nn.BatchNorm2d(inputs), nn.ReLU(), nn.Conv2d(inputs, inputs // 2, 1, bias=False),
        nn.AvgPool2d(2))


def densenet(growth):
    stem, layers = 2 * growth, 4
    first = stem + layers * growth
    second = first // 2 + layers * growth
    return Classifier(
        nn.Conv2d(3, stem, 3, padding=1, bias=False),
        dense_block(stem, growth, layers), transition(first),
        dense_block(first // 2, growth, layers), nn.BatchNorm2d(second), nn.ReLU(),
        channels=second)


FAMILIES = [Family("densenet", densenet, images(), 16, 8)]
