"""PyTorch's two exporters in the forms that a sweep takes them, and what they leave in files."""

import warnings
from dataclasses import dataclass

import onnx
import torch

TORCHSCRIPT_OPSET = 17


@dataclass(frozen=True)
class Export:
    """One way to export: which exporter, and whether it folds constants."""

    name: str
    dynamo: bool
    folded: bool


EXPORTS = {export.name: export for export in (
    Export("torchscript", False, True), Export("torchscript-raw", False, False),
    Export("dynamo", True, True), Export("dynamo-raw", True, False))}


def export(network, inputs, path, how, open_batch):
    """Writes a network in evaluation mode; with an open batch the first axis of every input is
    one of any extent."""
    names = ["input"] if len(inputs) == 1 else [f"input_{index}" for index in range(len(inputs))]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if how.dynamo:
            batch = torch.export.Dim("batch")
            torch.onnx.export(
                network, inputs, str(path), dynamo=True, verbose=False, input_names=names,
                optimize=how.folded, external_data=False,
                dynamic_shapes=tuple({0: batch} for _ in inputs) if open_batch else None)
        else:
            torch.onnx.export(
                network, inputs, str(path), dynamo=False, input_names=names,
                opset_version=TORCHSCRIPT_OPSET, do_constant_folding=how.folded,
                dynamic_axes={name: {0: "batch"} for name in names} if open_batch else None)


def strip(model):
    """Removes notes for people: they name source files, and so folders, of the machine."""
    _strip_notes(model)
    for function in model.functions:
        _strip_notes(function, *function.node, *function.value_info)
    _strip_graph(model.graph)


def _strip_graph(graph):
    _strip_notes(
        graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer)
    for node in graph.node:
        for attribute in node.attribute:
            attribute.ClearField("doc_string")
            # Touching a message that is not there would make it.
            for subgraph in [*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])]:
                _strip_graph(subgraph)


def _strip_notes(*owners):
    for owner in owners:
        owner.ClearField("doc_string")
        del owner.metadata_props[:]


def write_stripped(source, target):
    """Copies a model without its notes."""
    model = onnx.load(str(source))
    strip(model)
    onnx.save(model, str(target))
