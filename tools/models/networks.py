"""The six networks of Fixtures/Models, for 28 x 28 grey images in ten classes.

Usage (from the folder that holds this file):

    import networks
    network = networks.NETWORKS["resnet20"]()

The classes have full names, their sub-modules short ones: an exporter makes the names of nodes
and initializers from the sub-modules, and the fixtures, and the tests that name their
initializers, have these.
"""

import torch
from torch import nn
from torch.nn import functional

CLASSES = 10


class MultiLayerPerceptron(nn.Module):
    """LeNet-300-100: three fully connected layers."""

    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(28 * 28, 300)
        self.fc2 = nn.Linear(300, 100)
        self.fc3 = nn.Linear(100, CLASSES)

    def forward(self, images):
        hidden = torch.relu(self.fc1(images.flatten(1)))
        hidden = torch.relu(self.fc2(hidden))
        return self.fc3(hidden)


def convolution_and_norm(inputs, outputs, kernel=3, stride=1, groups=1):
    """A convolution that keeps the size (at stride 1) and its batch normalisation."""
    return [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
    ]


def convolution_norm_relu(inputs, outputs, kernel=3, stride=1):
    return nn.Sequential(*convolution_and_norm(inputs, outputs, kernel, stride), nn.ReLU())


class VGG8(nn.Module):
    """Three pairs of convolutions, each pair halved by max pooling, and two linear layers."""

    def __init__(self):
        super().__init__()
        layers = []
        inputs = 1
        for width in (32, 64, 128):
            layers.append(convolution_norm_relu(inputs, width))
            layers.append(convolution_norm_relu(width, width))
            layers.append(nn.MaxPool2d(2))
            inputs = width
        self.f = nn.Sequential(*layers)
        self.c = nn.Sequential(nn.Linear(128 * 3 * 3, 128), nn.ReLU(), nn.Linear(128, CLASSES))

    def forward(self, images):
        return self.c(self.f(images).flatten(1))


class ResidualBlock(nn.Module):
    """Two convolutions and a shortcut, which is a projection where width or size changes."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.a = convolution_norm_relu(inputs, outputs, stride=stride)
        self.b = nn.Sequential(*convolution_and_norm(outputs, outputs))
        self.sc = nn.Sequential()
        if stride != 1 or inputs != outputs:
            self.sc = nn.Sequential(*convolution_and_norm(inputs, outputs, 1, stride))

    def forward(self, features):
        return torch.relu(self.b(self.a(features)) + self.sc(features))


class ResNet20(nn.Module):
    """Three stages of three residual blocks, 16, 32 and 64 channels wide."""

    def __init__(self):
        super().__init__()
        self.stem = convolution_norm_relu(1, 16)
        blocks = []
        inputs = 16
        for width in (16, 32, 64):
            for position in range(3):
                stride = 2 if position == 0 and width != 16 else 1
                blocks.append(ResidualBlock(inputs, width, stride))
                inputs = width
        self.b = nn.Sequential(*blocks)
        self.fc = nn.Linear(64, CLASSES)

    def forward(self, images):
        features = self.b(self.stem(images))
        return self.fc(functional.adaptive_avg_pool2d(features, 1).flatten(1))


def convolution_norm_relu6(inputs, outputs, kernel=3, stride=1, groups=1):
    return nn.Sequential(
        *convolution_and_norm(inputs, outputs, kernel, stride, groups), nn.ReLU6())


class InvertedResidual(nn.Module):
    """Expansion, depthwise convolution and linear projection, added to the input where it fits."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        expanded = 4 * inputs
        self.c = nn.Sequential(
            convolution_norm_relu6(inputs, expanded, 1),
            convolution_norm_relu6(expanded, expanded, 3, stride, groups=expanded),
            nn.Sequential(*convolution_and_norm(expanded, outputs, 1)),
        )
        self.adds = stride == 1 and inputs == outputs

    def forward(self, features):
        return features + self.c(features) if self.adds else self.c(features)


class MobileNetV2(nn.Module):
    """Six inverted residuals with expansion 4 and a head of 256 channels."""

    def __init__(self):
        super().__init__()
        layers = [convolution_norm_relu6(1, 16)]
        inputs = 16
        for outputs, strides in ((24, (1, 1)), (40, (2, 1)), (64, (2, 1))):
            for stride in strides:
                layers.append(InvertedResidual(inputs, outputs, stride))
                inputs = outputs
        layers.append(convolution_norm_relu6(inputs, 256, 1))
        self.f = nn.Sequential(*layers)
        self.c = nn.Linear(256, CLASSES)

    def forward(self, images):
        return self.c(self.f(images).mean((2, 3)))


class DenseLayer(nn.Module):
    """A bottleneck that appends `growth` channels to what it was given."""

    def __init__(self, inputs, growth):
        super().__init__()
        self.n1 = nn.BatchNorm2d(inputs)
        self.c1 = nn.Conv2d(inputs, 4 * growth, 1, bias=False)
        self.n2 = nn.BatchNorm2d(4 * growth)
        self.c2 = nn.Conv2d(4 * growth, growth, 3, padding=1, bias=False)

    def forward(self, features):
        bottleneck = self.c1(torch.relu(self.n1(features)))
        grown = self.c2(torch.relu(self.n2(bottleneck)))
        return torch.cat([features, grown], 1)


class DenseNet(nn.Module):
    """Three blocks of four dense layers; a transition between two blocks halves the channels."""

    def __init__(self, growth=12):
        super().__init__()
        channels = 2 * growth
        layers = [nn.Conv2d(1, channels, 3, padding=1, bias=False)]
        for block in range(3):
            if block > 0:
                layers += [nn.Conv2d(channels, channels // 2, 1, bias=False), nn.AvgPool2d(2)]
                channels //= 2
            for _ in range(4):
                layers.append(DenseLayer(channels, growth))
                channels += growth
            layers += [nn.BatchNorm2d(channels), nn.ReLU()]
        self.f = nn.Sequential(*layers)
        self.c = nn.Linear(channels, CLASSES)

    def forward(self, images):
        return self.c(self.f(images).mean((2, 3)))


class Attention(nn.Module):
    """Multi-head self-attention with one linear layer for queries, keys and values."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.scale = (width // heads) ** -0.5
        self.qkv = nn.Linear(width, 3 * width)
        self.o = nn.Linear(width, width)

    def forward(self, tokens):
        batch, length = tokens.shape[0], tokens.shape[1]
        # The last size is left open so that the graph stays right when heads get narrower.
        packed = self.qkv(tokens).reshape(batch, length, 3, self.heads, -1)
        queries, keys, values = packed.permute(2, 0, 3, 1, 4).unbind(0)
        weights = (queries @ keys.transpose(-2, -1) * self.scale).softmax(-1)
        return self.o((weights @ values).transpose(1, 2).reshape(batch, length, -1))


class TransformerBlock(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.n1 = nn.LayerNorm(width)
        self.a = Attention(width, heads)
        self.n2 = nn.LayerNorm(width)
        self.f1 = nn.Linear(width, 4 * width)
        self.f2 = nn.Linear(4 * width, width)

    def forward(self, tokens):
        tokens = tokens + self.a(self.n1(tokens))
        return tokens + self.f2(functional.gelu(self.f1(self.n2(tokens))))


class VisionTransformer(nn.Module):
    """Patches of 4 x 4 pixels, a class token, learned positions and four blocks."""

    def __init__(self, width=96, heads=4, depth=4, patch=4):
        super().__init__()
        tokens = (28 // patch) ** 2 + 1
        self.pe = nn.Conv2d(1, width, patch, patch)
        self.cls = nn.Parameter(torch.zeros(1, 1, width))
        self.pos = nn.Parameter(0.02 * torch.randn(1, tokens, width))
        self.b = nn.Sequential(*[TransformerBlock(width, heads) for _ in range(depth)])
        self.n = nn.LayerNorm(width)
        self.fc = nn.Linear(width, CLASSES)

    def forward(self, images):
        patches = self.pe(images).flatten(2).transpose(1, 2)
        class_token = self.cls.expand(patches.shape[0], -1, -1)
        tokens = torch.cat([class_token, patches], 1) + self.pos
        return self.fc(self.n(self.b(tokens))[:, 0])


NETWORKS = {
    "lenet300": MultiLayerPerceptron,
    "vgg8": VGG8,
    "resnet20": ResNet20,
    "mobilenetv2": MobileNetV2,
    "densenet": DenseNet,
    "vit": VisionTransformer,
}
