"""Networks with random weights, and their files; called in processes of their own."""

import os

import torch

from . import exporting
from .judging import try_file
from .randomness import randomize
from .subjects import subject

SEED = 0


def build(name, fixture=False):
    """A network with random weights, and a maker of what it reads."""
    torch.manual_seed(SEED)
    found = subject(name, fixture)
    network = found.build().eval()
    randomize(network, found.inputs(2), SEED)
    return network, found


def export_network(name, path, how, open_batch, fixture=False):
    """Exports a network and makes sure that the file runs, and gives back its size."""
    network, found = build(name, fixture)
    # PyTorch's newer exporter takes a batch of one for a constant.
    inputs = found.inputs(2 if open_batch else 1)
    exporting.export(network, inputs, path, exporting.EXPORTS[how], open_batch)
    if fixture:
        exporting.write_stripped(path, path)
    try_file(path)
    return os.path.getsize(path)
