"""Torch-Pruning on the same network; called in a process of its own."""

import torch
import torch_pruning
from torch import nn

from .building import build

QUERIES = ("q", "q_proj", "query", "to_q", "qkv", "in_proj")
KEYS_AND_VALUES = ("k", "v", "kv", "k_proj", "v_proj", "key", "value", "to_k", "to_v")

# In layers with fewer, rounding alone can take much more than the ratio.
FEWEST_CHANNELS = 16


def prune(name, ratio):
    """Prunes as `prunec --ratio` does: the same part of every layer, the classifier's outputs and
    the number of heads left as they are. Gives back the parameters before and after; the network
    must still run, and no layer may have lost so many channels that another ratio is measured."""
    network, found = build(name)
    inputs = found.inputs(1)
    before = _parameters(network)
    with torch.no_grad():
        expected = _shapes(network(*inputs))
    channels = _channels(network)
    pruner = torch_pruning.pruner.BasePruner(
        network, inputs if len(inputs) > 1 else inputs[0],
        importance=torch_pruning.importance.GroupMagnitudeImportance(p=2),
        global_pruning=False, pruning_ratio=ratio, ignored_layers=found.heads(network),
        num_heads=_heads(network))
    pruner.step()
    _adapt_heads(network)
    with torch.no_grad():
        if _shapes(network(*inputs)) != expected:
            raise RuntimeError("the outputs have other shapes")
    for name, kept in _channels(network).items():
        if channels[name] >= FEWEST_CHANNELS and kept < channels[name] * (1 - ratio) / 2:
            raise RuntimeError(f"layer {name} keeps {kept} of {channels[name]} channels")
    return {"parameters_before": before, "parameters_after": _parameters(network)}


def _parameters(network):
    return sum(parameter.numel() for parameter in network.parameters())


def _channels(network):
    """The numbers of outputs of the layers, by their names."""
    return {name: module.weight.shape[0] for name, module in network.named_modules()
            if isinstance(module, (nn.Linear, nn.Conv2d))}


def _shapes(outputs):
    if isinstance(outputs, torch.Tensor):
        return [tuple(outputs.shape)]
    parts = outputs.values() if isinstance(outputs, dict) else outputs
    return [shape for part in parts for shape in _shapes(part)]


def _projections(module):
    """The layers that make the queries, and those that make keys and values, of an attention."""
    layers = {name: child for name, child in module.named_children()
              if isinstance(child, (nn.Linear, nn.Conv2d))}
    return ([layers[name] for name in QUERIES if name in layers],
            [layers[name] for name in KEYS_AND_VALUES if name in layers])


def _attentions(network):
    return [module for module in network.modules()
            if isinstance(getattr(module, "num_heads", None), int)]


def _heads(network):
    """The number of heads of the layers that make them, which Torch-Pruning has to be told."""
    heads = {}
    for module in _attentions(network):
        if isinstance(module, nn.MultiheadAttention):
            heads[module] = module.num_heads
            continue
        queries, others = _projections(module)
        heads.update(dict.fromkeys(queries, module.num_heads))
        heads.update(
            dict.fromkeys(others, getattr(module, "num_key_value_heads", module.num_heads)))
    return heads


def _adapt_heads(network):
    """Tells attention modules how large their heads are now, as its documentation has users do."""
    for module in _attentions(network):
        queries, _ = _projections(module)
        if not queries or not isinstance(getattr(module, "head_dim", None), int):
            continue
        outputs = queries[0].weight.shape[0]
        if queries[0] is getattr(module, "qkv", None):
            outputs //= 3
        module.head_dim = outputs // module.num_heads
        if isinstance(getattr(module, "attn_dim", None), int):
            module.attn_dim = outputs
