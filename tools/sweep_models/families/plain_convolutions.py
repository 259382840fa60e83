"""Convolutions whose features are flattened for fully connected layers."""

import torch
from torch import nn

from .family import Family, images


class FlattenedConvolutions(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, width, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(width, 2 * width, 3, padding=1), nn.BatchNorm2d(2 * width), nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(2 * width, 2 * width, 3, padding=1, bias=False), nn.ReLU(),
            nn.AvgPool2d(2))
        self.hidden = nn.Linear(2 * width * 16, 4 * width)
        self.dropout = nn.Dropout(0.5)
        self.head = nn.Linear(4 * width, 10)

    def forward(self, images):
        features = self.features(images)
        features = features.view(features.size(0), -1)
        return self.head(self.dropout(torch.relu(self.hidden(features))))


FAMILIES = [Family("conv-fc", FlattenedConvolutions, images(), 32, 12)]
