"""Writes a network as ONNX by either of PyTorch's exporters.

Usage (from the folder that holds this file):

    import export
    export.by_torchscript(network, "resnet20.onnx")
    export.by_torchscript(network, "resnet20-bn.onnx", fold_batch_norm=False)
    export.by_dynamo(network, "resnet20-dynamo.onnx")
"""

import warnings

import onnx
import torch

TORCHSCRIPT_OPSET = 17
DYNAMO_OPSET = 20
STACK_TRACE = "pkg.torch.onnx.stack_trace"


def by_torchscript(network, path, image_shape=(1, 28, 28), fold_batch_norm=True):
    """Exports with an open batch dimension N; batch normalisations are folded into the
    convolutions before them, or stay as they are."""
    network.eval()
    # The exporter folds for inference only. A network in evaluation mode that is exported in the
    # mode it is in computes the same and keeps its normalisations.
    mode = torch.onnx.TrainingMode.EVAL if fold_batch_norm else torch.onnx.TrainingMode.PRESERVE
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network, (torch.zeros(1, *image_shape),), str(path), dynamo=False,
            opset_version=TORCHSCRIPT_OPSET, training=mode, input_names=["input"],
            output_names=["output"], dynamic_axes={"input": {0: "N"}, "output": {0: "N"}})


def by_dynamo(network, path, image_shape=(1, 28, 28)):
    """Exports with a batch of one."""
    network.eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            network, (torch.zeros(1, *image_shape),), dynamo=True, verbose=False,
            opset_version=DYNAMO_OPSET, input_names=["input"], output_names=["output"])
    model = program.model_proto
    strip_stack_traces(model)
    onnx.save(model, str(path))


def strip_stack_traces(model):
    """Removes the notes that name source files, and so folders, of the exporting machine."""
    graph = model.graph
    for owner in [model, graph, *graph.node, *graph.input, *graph.output, *graph.value_info,
                  *graph.initializer]:
        kept = [entry for entry in owner.metadata_props if entry.key != STACK_TRACE]
        del owner.metadata_props[:]
        owner.metadata_props.extend(kept)
