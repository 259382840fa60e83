"""Torch-Pruning: each of its criteria, local and global, by its progressive pruning.

A run takes out channels in small steps and passes all budgets, largest first; at each, the network
is exported, and prunec counts its MACs. The classifier's outputs and the number of heads stay.
"""

import time
import warnings

import export
import torch
import torch_pruning
from torch import nn
from torch.nn import functional

import networks

from .inspection import count_macs
from .outcome import Outcome

STEPS = 200
# Exporting takes longer than a step, so that it waits until an estimate is this near the budget.
MARGIN = 1.03

importance = torch_pruning.importance
CRITERIA = {
    "l1": lambda: importance.GroupMagnitudeImportance(p=1),
    "l2": lambda: importance.GroupMagnitudeImportance(p=2),
    "fpgm": importance.FPGMImportance,
    "bn": importance.BNScaleImportance,
    "taylor": importance.GroupTaylorImportance,
}
SCOPES = {"local": False, "global": True}


def prune(prunec, model, network, criterion, scope, budgets, images, labels, folder):
    """The outcomes without their accuracy, each with its budget and the file to measure."""
    whole = count_macs(prunec, model)
    start = time.perf_counter()
    example = torch.zeros(1, 1, 28, 28)
    if criterion == "taylor":
        _set_gradients(network, images, labels)
    heads = {module.qkv: module.heads for module in network.modules()
             if isinstance(module, networks.Attention)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pruner = torch_pruning.pruner.BasePruner(
            network, example, importance=CRITERIA[criterion](), global_pruning=SCOPES[scope],
            pruning_ratio=0.98, iterative_steps=STEPS, ignored_layers=_classifiers(network),
            num_heads=heads)
    # What the estimate leaves out (products of two activations) shrinks with the rest.
    whole_estimate = _estimate_macs(network, example)
    remaining, setting, found = sorted(budgets, reverse=True), f"{criterion} {scope}", []
    for _ in range(STEPS):
        if not remaining:
            break
        pruner.step()
        if _estimate_macs(network, example) / whole_estimate > remaining[0] * MARGIN:
            continue
        small = folder / f"{model.stem}-{criterion}-{scope}-{remaining[0]:g}.onnx"
        export.by_torchscript(network, small)
        fraction = count_macs(prunec, small) / whole
        seconds = time.perf_counter() - start
        while remaining and fraction <= remaining[0]:
            outcome = Outcome(macs=fraction, seconds=seconds, setting=setting)
            found.append((remaining.pop(0), outcome, small))
    seconds = time.perf_counter() - start
    return found + [
        (budget, Outcome(seconds=seconds, setting=setting, reason="not reached"), None)
        for budget in remaining]


def applies(criterion, network):
    """Whether a criterion has anything to go by."""
    return criterion != "bn" or any(
        isinstance(module, nn.BatchNorm2d) for module in network.modules())


def _classifiers(network):
    return [module for module in network.modules()
            if isinstance(module, nn.Linear) and module.out_features == networks.CLASSES]


def _set_gradients(network, images, labels, batch=64):
    for chunk, expected in zip(torch.from_numpy(images).split(batch),
                               torch.from_numpy(labels).split(batch)):
        functional.cross_entropy(network(chunk), expected, reduction="sum").backward()


def _estimate_macs(network, example):
    """The MACs of convolutions and linear layers."""
    total, hooks = 0, []

    def count(layer, _, output):
        nonlocal total
        total += output.numel() * layer.weight[0].numel()

    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            hooks.append(module.register_forward_hook(count))
    with torch.no_grad():
        network(example)
    for hook in hooks:
        hook.remove()
    return total
