"""What a family of networks states about itself."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

TOKENS = 64


def images(channels=3, size=32):
    """A maker of a batch of random images."""
    return lambda batch: (torch.randn(batch, channels, size, size),)


def tokens(length=12):
    """A maker of a batch of random token indices."""
    return lambda batch: (torch.randint(0, TOKENS, (batch, length)),)


def vectors(*shape):
    """A maker of a batch of random arrays of one shape."""
    return lambda batch: (torch.randn(batch, *shape),)


@dataclass(frozen=True)
class Family:
    """One kind of architecture.

    `build` makes the network from a width, which sets the number of channels everywhere;
    `inputs` makes what it reads from the size of the batch. The network's last layers, those that
    make its outputs, are its attribute `head`. Fixtures/Families has it in a smaller width, or not
    at all where it is next to the same as another.
    """

    name: str
    build: Callable[[int], nn.Module]
    inputs: Callable[[int], tuple]
    width: int
    fixture_width: int | None
