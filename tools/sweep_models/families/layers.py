"""The layers that most convolutional families are made of."""

from torch import nn


def convolution_norm(inputs, outputs, kernel=3, stride=1, groups=1, activation=nn.ReLU):
    """A convolution that keeps the size (at stride 1), its batch normalisation and activation."""
    layers = [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    if activation is not None:
        layers.append(activation())
    return nn.Sequential(*layers)


class Classifier(nn.Module):
    """A stem, stages, and the mean of every channel to a linear layer."""

    def __init__(self, *features, channels, classes=10):
        super().__init__()
        self.features = nn.Sequential(*features)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(channels, classes)

    def forward(self, images):
        return self.head(self.pool(self.features(images)).flatten(1))
