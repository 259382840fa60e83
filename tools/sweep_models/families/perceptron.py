"""Fully connected layers only."""

import torch
from torch import nn

from .family import Family, vectors


class Perceptron(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.first = nn.Linear(48, 2 * width)
        self.second = nn.Linear(2 * width, width)
        self.third = nn.Linear(width, width)
        self.head = nn.Linear(width, 10)

    def forward(self, features):
        hidden = torch.relu(self.first(features))
        hidden = torch.tanh(self.second(hidden))
        return self.head(nn.functional.gelu(self.third(hidden)))


class GatedUnits(nn.Module):
    """Linear layers whose one half gates the other."""

    def __init__(self, width):
        super().__init__()
        self.first = nn.Linear(48, 2 * width)
        self.second = nn.Linear(width, 2 * width)
        self.head = nn.Linear(width, 10)

    def forward(self, features):
        hidden = nn.functional.glu(self.first(features), dim=-1)
        value, gate = self.second(hidden).chunk(2, dim=-1)
        return self.head(value * nn.functional.silu(gate))


class Siamese(nn.Module):
    """One encoder, used twice, and a comparison of what it says."""

    def __init__(self, width):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(48, 2 * width), nn.ReLU(), nn.Linear(2 * width, width), nn.ReLU(),
            nn.Linear(width, width))
        self.compare = nn.Linear(2 * width, width)
        self.head = nn.Linear(width, 2)

    def forward(self, left, right):
        left, right = self.encoder(left), self.encoder(right)
        joined = torch.cat([(left - right).abs(), left * right], dim=1)
        return self.head(torch.relu(self.compare(joined)))


FAMILIES = [
    Family("mlp", Perceptron, vectors(48), 128, 64),
    Family("glu", GatedUnits, vectors(48), 128, 48),
    Family("siamese", Siamese, lambda batch: vectors(48)(batch) + vectors(48)(batch), 128, 32),
]
