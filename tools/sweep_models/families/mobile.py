"""Inverted residuals with depthwise convolutions, with and without squeeze and excitation, and
shuffled channels."""

import torch
from torch import nn

from .family import Family, images
from .layers import Classifier, convolution_norm


class SqueezeExcitation(nn.Module):
    """Weighs the channels by what their means say."""

    def __init__(self, channels, reduction=4, activation=nn.ReLU, gate=nn.Hardsigmoid):
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.reduce = nn.Conv2d(channels, channels // reduction, 1)
        self.activation = activation()
        self.expand = nn.Conv2d(channels // reduction, channels, 1)
        self.gate = gate()

    def forward(self, images):
        return images * self.gate(self.expand(self.activation(self.reduce(self.pool(images)))))


class InvertedResidual(nn.Module):
    """Expands, convolves each channel, and projects; `excitation` makes a layer for the middle."""

    def __init__(self, inputs, outputs, expansion, stride, activation, kernel=3, excitation=None):
        super().__init__()
        middle = inputs * expansion
        layers = []
        if expansion != 1:
            layers.append(convolution_norm(inputs, middle, 1, activation=activation))
        layers.append(
            convolution_norm(middle, middle, kernel, stride, middle, activation=activation))
        if excitation is not None:
            layers.append(excitation(middle))
        layers.append(convolution_norm(middle, outputs, 1, activation=None))
        self.layers = nn.Sequential(*layers)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, images):
        return images + self.layers(images) if self.residual else self.layers(images)


def inverted_residual_network(width, activation, excitation=None):
    def block(inputs, outputs, expansion, stride, kernel=3):
        return InvertedResidual(
            inputs, outputs, expansion, stride, activation, kernel, excitation)

    return Classifier(
        convolution_norm(3, width, 3, 2, activation=activation),
        block(width, width, 1, 1), block(width, 2 * width, 4, 2),
        block(2 * width, 2 * width, 4, 1, 5), block(2 * width, 3 * width, 4, 2, 5),
        block(3 * width, 3 * width, 4, 1),
        convolution_norm(3 * width, 8 * width, 1, activation=activation),
        channels=8 * width)


def mobilenet_v2(width):
    return inverted_residual_network(width, nn.ReLU6)


def mobilenet_v3(width):
    return inverted_residual_network(width, nn.Hardswish, SqueezeExcitation)


def efficientnet(width):
    return inverted_residual_network(
        width, nn.SiLU,
        lambda channels: SqueezeExcitation(channels, 8, nn.SiLU, nn.Sigmoid))


def shuffle(images, groups):
    """Deals the channels of the groups out in turn."""
    batch, channels, height, width = images.shape
    images = images.view(batch, groups, channels // groups, height, width)
    return images.transpose(1, 2).contiguous().view(batch, channels, height, width)


class ShuffleUnit(nn.Module):
    """A unit of ShuffleNetV2: one half of the channels passes, or is convolved at a stride."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        half = outputs // 2
        self.splits = stride == 1
        entering = inputs // 2 if self.splits else inputs
        self.right = nn.Sequential(
            convolution_norm(entering, half, 1),
            convolution_norm(half, half, 3, stride, half, activation=None),
            convolution_norm(half, half, 1))
        self.left = nn.Identity()
        if not self.splits:
            self.left = nn.Sequential(
                convolution_norm(inputs, inputs, 3, stride, inputs, activation=None),
                convolution_norm(inputs, half, 1))

    def forward(self, images):
        left, right = images.chunk(2, dim=1) if self.splits else (images, images)
        return shuffle(torch.cat([self.left(left), self.right(right)], dim=1), 2)


def shufflenet_v2(width):
    return Classifier(
        convolution_norm(3, width, 3, 2),
        ShuffleUnit(width, 2 * width, 2), ShuffleUnit(2 * width, 2 * width, 1),
        ShuffleUnit(2 * width, 2 * width, 1),
        ShuffleUnit(2 * width, 4 * width, 2), ShuffleUnit(4 * width, 4 * width, 1),
        convolution_norm(4 * width, 8 * width, 1),
        channels=8 * width)


FAMILIES = [
    Family("mobilenetv2", mobilenet_v2, images(), 16, 12),
    Family("mobilenetv3", mobilenet_v3, images(), 16, 8),
    Family("efficientnet", efficientnet, images(), 16, 8),
    Family("shufflenetv2", shufflenet_v2, images(), 32, 16),
]
