"""The normal form of a model: what may differ between two files that mean the same is made equal."""

import numpy
import onnx
from onnx import TensorProto, numpy_helper


def normalise(model):
    normalise_graph(model.graph)
    for function in model.functions:
        results = {name for node in function.node for name in node.output}
        normalise_value_info(function, results | set(function.input))
    clear_empty_strings(model)
    return model


def dense(sparse):
    """The dense tensor that a sparse one describes."""
    values, indices = numpy_helper.to_array(sparse.values), numpy_helper.to_array(sparse.indices)
    array = numpy.zeros(list(sparse.dims), values.dtype)
    positions = indices if indices.ndim == 1 else numpy.ravel_multi_index(indices.T, array.shape)
    array.reshape(-1)[positions] = values
    return numpy_helper.from_array(array, sparse.values.name)


def normalise_graph(graph):
    graph.initializer.extend(dense(sparse) for sparse in graph.sparse_initializer)
    del graph.sparse_initializer[:]
    for tensor in graph.initializer:
        normalise_tensor(tensor)
    constants = [tensor.name for tensor in graph.initializer]
    position = {name: index for index, name in enumerate(constants)}
    inputs = sorted(graph.input, key=lambda value: position.get(value.name, -1))
    del graph.input[:]
    graph.input.extend(inputs)
    normalise_value_info(graph, {name for node in graph.node for name in node.output})
    normalise_nodes(graph.node)


def normalise_nodes(nodes):
    for node in nodes:
        if node.domain == "ai.onnx":
            node.domain = ""
        for attribute in node.attribute:
            if attribute.HasField("t"):
                normalise_tensor(attribute.t)
            for tensor in attribute.tensors:
                normalise_tensor(tensor)
            if attribute.HasField("g"):
                normalise_graph(attribute.g)
            for graph in attribute.graphs:
                normalise_graph(graph)


def normalise_value_info(graph, known):
    """Only results of nodes have an entry, sorted, and outputs have theirs in the signature."""
    outputs = {}
    if isinstance(graph, onnx.GraphProto):
        outputs = {value.name: value for value in graph.output}
    kept = []
    for info in graph.value_info:
        output = outputs.get(info.name)
        if output is not None:
            if not output.HasField("type"):
                output.type.CopyFrom(info.type)
            if output.type == info.type:
                continue
        if info.name in known:
            kept.append(info)
    kept.sort(key=lambda info: info.name)
    del graph.value_info[:]
    graph.value_info.extend(kept)


def normalise_tensor(tensor):
    if tensor.data_type == TensorProto.STRING:
        return
    array = numpy_helper.to_array(tensor)
    data = numpy_helper.from_array(array).raw_data
    for field in ("float_data", "int32_data", "int64_data", "double_data", "uint64_data"):
        tensor.ClearField(field)
    tensor.ClearField("external_data")
    tensor.ClearField("data_location")
    tensor.raw_data = data


def clear_empty_strings(message):
    for field, value in message.ListFields():
        if field.is_repeated:
            if field.type == field.TYPE_MESSAGE:
                for element in value:
                    clear_empty_strings(element)
        elif field.type == field.TYPE_MESSAGE:
            clear_empty_strings(value)
        elif field.type == field.TYPE_STRING and value == "" and not field.containing_oneof:
            message.ClearField(field.name)
