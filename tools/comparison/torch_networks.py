"""Fixtures as PyTorch networks: those of models/networks.py, with the weights from the file.

The layers with weights of a network, in the order in which they run, are those nodes of the graph
in the same order. Where the graph has no batch normalisation because the exporter folded it into a
convolution, the network loses it, too, and the convolution gets the bias. A network that does not
compute what the file does is refused.
"""

import networks
import numpy
import onnx
import onnxruntime
import torch
from onnx import numpy_helper
from torch import nn

LAYERS = (nn.Conv2d, nn.Linear, nn.BatchNorm2d, nn.LayerNorm)
OPERATORS = {
    nn.Conv2d: ("Conv",), nn.Linear: ("Gemm", "MatMul"), nn.BatchNorm2d: ("BatchNormalization",),
    nn.LayerNorm: ("LayerNormalization",),
}
TOLERANCE = 1e-3


def load(path, images):
    """The network of a file, which is named after it (`resnet20-bn.onnx`); checked on images."""
    network = networks.NETWORKS[path.stem.split("-")[0]]().eval()
    graph = onnx.load(str(path)).graph
    weights = {initializer.name: torch.from_numpy(numpy_helper.to_array(initializer).copy())
               for initializer in graph.initializer}
    aliases = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "Identity"}
    for alias, name in aliases.items():
        if name in weights:
            weights[alias] = weights[name]
    _load_layers(network, graph, weights)
    for name, parameter in network.named_parameters(recurse=False):
        parameter.data = weights[name]
    _check(network, path, images)
    return network


def _layers_as_they_run(network, images):
    """Names and modules of the layers with weights."""
    order, hooks = [], []
    for name, module in network.named_modules():
        if isinstance(module, LAYERS):
            hooks.append(module.register_forward_hook(
                lambda module, *_, name=name: order.append((name, module))))
    with torch.no_grad():
        network(images)
    for hook in hooks:
        hook.remove()
    return order


def _load_layers(network, graph, weights):
    known = {operator for operators in OPERATORS.values() for operator in operators}
    nodes = [node for node in graph.node if node.op_type in known and node.input[1] in weights]
    position = 0
    for name, layer in _layers_as_they_run(network, torch.zeros(1, 1, 28, 28)):
        node = nodes[position] if position < len(nodes) else None
        if node is None or node.op_type not in OPERATORS[type(layer)]:
            if isinstance(layer, nn.BatchNorm2d):
                network.set_submodule(name, nn.Identity())
                continue
            raise ValueError(f"layer {name} is not in the graph")
        _load_layer(layer, node, graph, weights)
        position += 1
    if position != len(nodes):
        raise ValueError(f"node {nodes[position].name} is no layer of the network")


def _load_layer(layer, node, graph, weights):
    values = [weights[name] for name in node.input[1:]]
    if node.op_type == "MatMul":
        values = [values[0].T.contiguous(), _added(node, graph, weights)]
    layer.weight.data = values[0]
    if len(values) > 1:
        layer.bias = nn.Parameter(values[1])
    if isinstance(layer, nn.BatchNorm2d):
        layer.running_mean, layer.running_var = values[2:4]


def _added(node, graph, weights):
    """The constant that the next node adds to a product."""
    for user in graph.node:
        if user.op_type == "Add" and node.output[0] in user.input:
            return next(weights[name] for name in user.input if name in weights)
    raise ValueError(f"nothing is added to the result of {node.name}")


def _check(network, path, images):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    expected = session.run(None, {"input": images})[0]
    with torch.no_grad():
        actual = network(torch.from_numpy(images)).numpy()
    difference = float(numpy.abs(actual - expected).max() / numpy.abs(expected).max())
    if difference > TOLERANCE:
        raise ValueError(f"{path}: the network rebuilt from it differs by {difference:.2g}")
