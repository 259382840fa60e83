"""Mutations of models that keep them protobuf, and mostly models."""

import onnx
from onnx import AttributeProto, TensorProto, helper

from . import numbers

OPERATORS = sorted({schema.name for schema in onnx.defs.get_all_schemas()})
TYPES = [TensorProto.FLOAT, TensorProto.INT64, TensorProto.INT32, TensorProto.BOOL, TensorProto.FLOAT16, TensorProto.DOUBLE,
         TensorProto.UINT8, TensorProto.INT8, TensorProto.BFLOAT16, TensorProto.STRING, TensorProto.INT4,
         TensorProto.FLOAT8E4M3FN, TensorProto.COMPLEX64, 0, 77]
# Nodes of one operand that fit nearly everywhere.
UNARY = [
    ("Relu", {}), ("Sigmoid", {}), ("Softmax", {"axis": 1}), ("Softmax", {"axis": -1}), ("Identity", {}), ("Neg", {}),
    ("Transpose", {}), ("Flatten", {"axis": 1}), ("Flatten", {"axis": 0}), ("ReduceMean", {"keepdims": 1}), ("Shape", {}),
    ("Cast", {"to": TensorProto.FLOAT16}), ("Cast", {"to": TensorProto.INT64}), ("LeakyRelu", {"alpha": 0.1}), ("Tanh", {}),
    ("LpNormalization", {"axis": 1}), ("GlobalAveragePool", {}), ("GlobalMaxPool", {}), ("ArgMax", {"axis": 1}), ("Not", {}),
    ("MaxPool", {"kernel_shape": [2, 2]}), ("MaxPool", {"kernel_shape": [2, 2], "ceil_mode": 1, "strides": [2, 2]}),
    ("AveragePool", {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}), ("LRN", {"size": 3}), ("InstanceNormalization", {}),
    ("DepthToSpace", {"blocksize": 2}), ("SpaceToDepth", {"blocksize": 2}), ("Exp", {}), ("Sqrt", {}), ("Log", {}),
    ("Dropout", {}), ("Hardmax", {"axis": 1}), ("IsNaN", {}), ("Gelu", {}), ("Mish", {}), ("CumSum", {}), ("NonZero", {}),
    ("MeanVarianceNormalization", {}), ("Squeeze", {}), ("Size", {}), ("Sign", {}), ("Reciprocal", {}), ("Trilu", {}),
]
BINARY = ["Add", "Sub", "Mul", "Div", "Max", "Min", "Pow", "MatMul", "Concat", "Equal", "Greater", "Where", "Gather", "Mod",
          "PRelu", "Sum", "Mean", "Reshape", "Expand", "Tile", "And", "BitShift", "Einsum"]


def mutate(data, random, other):
    """The model with one or a few changes, and the names of these; nodes of the model `other` may come in."""
    model = onnx.load_model_from_string(data)
    done = []
    for _ in range(numbers.few(random, 5)):
        graph = random.choice(list(_graphs(model.graph)))
        change = random.choice(CHANGES)
        change(model, graph, random, other)
        done.append(change.__name__.strip("_"))
    return model.SerializeToString(), done


def _graphs(graph):
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _graphs(attribute.g)
            for inner in attribute.graphs:
                yield from _graphs(inner)


def _names(graph):
    names = [value.name for value in graph.input] + [tensor.name for tensor in graph.initializer]
    return names + [name for node in graph.node for name in node.output] or [""]


def _fresh(graph, random):
    return f"new_{random.randrange(10**6)}"


def _node(graph, random):
    return random.choice(graph.node) if graph.node else onnx.NodeProto()


def _attribute(model, graph, random, other):
    node = _node(graph, random)
    if not node.attribute:
        return _new_attribute(model, graph, random, other)
    attribute = random.choice(node.attribute)
    kind = random.randrange(8)
    if kind == 0:
        node.attribute.remove(attribute)
    elif kind == 1:
        attribute.name = random.choice(["axis", "axes", "to", "value", "perm", "", "group", "mode"])
    elif kind == 2:
        attribute.type = random.choice([*AttributeProto.AttributeType.values()])
    elif attribute.ints and kind == 3:
        del attribute.ints[random.randrange(len(attribute.ints)):]
    elif attribute.ints and kind == 4:
        attribute.ints.append(random.choice(numbers.INTEGERS))
    elif attribute.ints:
        place = random.randrange(len(attribute.ints))
        attribute.ints[place] = numbers.signed(numbers.near(attribute.ints[place], random))
    elif attribute.HasField("i"):
        attribute.i = numbers.signed(numbers.near(attribute.i, random))
    elif attribute.HasField("f"):
        attribute.f = random.choice(numbers.FLOATS[:14])
    elif attribute.HasField("t"):
        change_tensor(attribute.t, random)
    elif attribute.HasField("s"):
        attribute.s = random.choice([b"", b"\xff", b"SAME_UPPER", b"VALID", b"reflect", b"edge", b"linear", b"cubic",
                                     b"bidirectional", b"reverse", b"bij,bjk->bik", b"ij...,jk->i", b"mul", b"add"])


def _new_attribute(model, graph, random, _):
    node = _node(graph, random)
    name = random.choice(["axis", "axes", "keepdims", "group", "pads", "strides", "dilations", "auto_pad", "ceil_mode", "perm",
                          "alpha", "epsilon", "transA", "transB", "to", "mode", "direction", "hidden_size", "allowzero",
                          "block_size", "num_outputs", "batch_dims", "exclusive", "count_include_pad", "kernel_shape", "odd"])
    value = random.choice([random.choice(numbers.INTEGERS), random.choice([0, 1, 2, -1]), 0.5,
                           [random.choice([0, 1, 2, 3, -1]) for _ in range(random.randrange(5))] or 1,
                           random.choice(["VALID", "SAME_LOWER", "reverse", "x"])])
    if all(attribute.name != name for attribute in node.attribute):
        node.attribute.append(helper.make_attribute(name, value))


def _input(_, graph, random, __):
    node = _node(graph, random)
    kind = random.randrange(5)
    if not node.input or kind == 0:
        node.input.append(random.choice([*_names(graph), ""]))
    elif kind == 1:
        del node.input[random.randrange(len(node.input))]
    elif kind == 2:
        node.input[random.randrange(len(node.input))] = random.choice(["", "nowhere", *node.output])
    elif kind == 3:
        first, second = random.randrange(len(node.input)), random.randrange(len(node.input))
        node.input[first], node.input[second] = node.input[second], node.input[first]
    else:
        node.input[random.randrange(len(node.input))] = random.choice(_names(graph))


def _output(_, graph, random, __):
    node = _node(graph, random)
    kind = random.randrange(4)
    if kind == 0:
        node.output.append(random.choice(["", _fresh(graph, random), *_names(graph)]))
    elif node.output and kind == 1:
        del node.output[random.randrange(len(node.output))]
    elif node.output:
        node.output[random.randrange(len(node.output))] = random.choice(["", "é", *_names(graph)])


def _operator(_, graph, random, __):
    node = _node(graph, random)
    if random.random() < 0.8:
        node.op_type = random.choice(OPERATORS)
    else:
        node.domain = random.choice(["", "ai.onnx", "ai.onnx.ml", "com.microsoft", "ai.prunec", "odd", "\xff"])


def _nodes(_, graph, random, __):
    if not graph.node:
        return
    place = random.randrange(len(graph.node))
    kind = random.randrange(3)
    node = onnx.NodeProto()
    node.CopyFrom(graph.node[place])
    if kind == 0:
        del graph.node[place]
    elif kind == 1:
        graph.node.append(node)
        if random.random() < 0.8:
            del node.output[:]
            graph.node[-1].output[0:] = [_fresh(graph, random)]
    else:
        del graph.node[place]
        graph.node.insert(random.randrange(len(graph.node) + 1), node)


def _insert_before(graph, random, reader, place, make):
    """Puts a node between an operand of a node and it."""
    operand = reader.input[place]
    name = _fresh(graph, random)
    node = make(operand, name)
    index = list(graph.node).index(reader)
    reader.input[place] = name
    graph.node.insert(index, node)


def _unary(_, graph, random, __):
    node = _node(graph, random)
    if node.input:
        operator, attributes = random.choice(UNARY)
        _insert_before(graph, random, node, random.randrange(len(node.input)),
                       lambda operand, name: helper.make_node(operator, [operand], [name], **attributes))


def _binary(_, graph, random, __):
    node = _node(graph, random)
    if node.input:
        operator = random.choice(BINARY)
        attributes = {"axis": random.choice([0, 1, -1])} if operator in ("Concat", "Gather") else {}
        other = random.choice(_names(graph))
        _insert_before(graph, random, node, random.randrange(len(node.input)),
                       lambda operand, name: helper.make_node(operator, [operand, random.choice([operand, other])], [name], **attributes))


def change_tensor(tensor, random):
    kind = random.randrange(8)
    if kind == 0:
        tensor.data_type = random.choice(TYPES)
    elif kind == 1 and tensor.dims:
        place = random.randrange(len(tensor.dims))
        tensor.dims[place] = numbers.signed(numbers.near(tensor.dims[place], random))
    elif kind == 2 and len(tensor.dims) > 1:
        first, second = random.sample(range(len(tensor.dims)), 2)
        tensor.dims[first], tensor.dims[second] = tensor.dims[second], tensor.dims[first]
    elif kind == 3:
        tensor.dims.insert(random.randrange(len(tensor.dims) + 1), random.choice([1, 1, 0, 2]))
    elif kind == 4 and tensor.raw_data:
        tensor.raw_data = tensor.raw_data[:random.randrange(len(tensor.raw_data))]
    elif tensor.raw_data:
        _change_elements(tensor, random)
    elif tensor.int64_data:
        place = random.randrange(len(tensor.int64_data))
        tensor.int64_data[place] = numbers.signed(numbers.near(tensor.int64_data[place], random))
    elif tensor.float_data:
        tensor.float_data[random.randrange(len(tensor.float_data))] = random.choice(numbers.FLOATS[:12])
    else:
        tensor.raw_data = random.randbytes(random.choice([0, 4, 8, 13]))


def _change_elements(tensor, random):
    """Some elements become other numbers, or all of them one."""
    import numpy
    types = {TensorProto.FLOAT: "<f4", TensorProto.INT64: "<i8", TensorProto.INT32: "<i4", TensorProto.FLOAT16: "<f2",
             TensorProto.DOUBLE: "<f8"}
    element = numpy.dtype(types.get(tensor.data_type, "u1"))
    if len(tensor.raw_data) % element.itemsize:
        return
    array = numpy.frombuffer(tensor.raw_data, element).copy()
    if not array.size:
        return
    with numpy.errstate(all="ignore"):
        if element.kind == "f":
            number = numpy.float64(random.choice(numbers.FLOATS)).astype(element)
        else:
            number = numpy.array(numbers.signed(numbers.near(int(array.flat[0]), random)) % 2**63).astype(element)
            if random.random() < 0.3:
                number = -number
    if random.random() < 0.2:
        array[:] = number
    else:
        array[random.randrange(array.size)] = number
    tensor.raw_data = array.tobytes()


def _tensor(_, graph, random, __):
    if graph.initializer:
        change_tensor(random.choice(graph.initializer), random)


def _initializers(_, graph, random, __):
    if not graph.initializer:
        return
    place = random.randrange(len(graph.initializer))
    kind = random.randrange(4)
    if kind == 0:
        del graph.initializer[place]
    elif kind == 1:
        graph.initializer.append(graph.initializer[place])
    elif kind == 2:
        tensor = graph.initializer[place]
        graph.input.append(helper.make_tensor_value_info(tensor.name, random.choice([1, 7, tensor.data_type]), tensor.dims))
    else:
        graph.initializer[place].name = random.choice(["", "x", *_names(graph)])


def _signature(_, graph, random, __):
    values = random.choice([graph.input, graph.output, graph.value_info])
    if not values:
        return
    value = random.choice(values)
    tensor = value.type.tensor_type
    kind = random.randrange(8)
    if kind == 0:
        tensor.elem_type = random.choice(TYPES)
    elif kind == 1:
        tensor.ClearField("shape")
    elif kind == 2:
        value.name = random.choice(["", *_names(graph)])
    elif kind == 3:
        values.append(value)
    elif kind == 4:
        values.remove(value)
    elif kind == 5:
        tensor.shape.dim.add().dim_value = random.choice([1, 2, 0, -1])
    elif tensor.shape.dim:
        dim = random.choice(tensor.shape.dim)
        if kind == 6:
            dim.dim_param = random.choice(["N", "", "N/2", "batch"])
        else:
            dim.dim_value = numbers.signed(numbers.near(dim.dim_value, random))


def _declare(_, graph, random, __):
    graph.value_info.append(helper.make_tensor_value_info(
        random.choice(_names(graph)), random.choice(TYPES[:5]), [random.choice([1, 2, 4, 8, "N"]) for _ in range(random.randrange(5))]))


def _result(_, graph, random, __):
    """Another value becomes an output."""
    graph.output.append(helper.make_tensor_value_info(random.choice(_names(graph)), random.choice([1, 1, 7]), None))


def _versions(model, _, random, __):
    kind = random.randrange(3)
    if kind == 0 and model.opset_import:
        entry = random.choice(model.opset_import)
        entry.version = random.choice([1, 7, 9, 11, 13, 15, 18, 20, 21, 22, 23, entry.version + 1, *numbers.INTEGERS])
    elif kind == 1:
        model.opset_import.append(helper.make_opsetid(random.choice(["", "ai.onnx.ml", "com.microsoft", "odd"]), random.choice([1, 2, 3, 17])))
    else:
        model.ir_version = random.choice([3, 4, 7, 8, 9, 10, 11, 12, 0, 2**40, -1])


def _graft(_, graph, random, other):
    """A node of another model, its weights with it, reads values of this one."""
    donor = onnx.load_model_from_string(other).graph
    if not donor.node:
        return
    node = onnx.NodeProto()
    node.CopyFrom(random.choice(donor.node))
    weights = {tensor.name: tensor for tensor in donor.initializer}
    suffix = _fresh(graph, random)
    for place, name in enumerate(node.input):
        if name in weights:
            tensor = onnx.TensorProto()
            tensor.CopyFrom(weights[name])
            tensor.name = node.input[place] = name + suffix
            graph.initializer.append(tensor)
        elif name:
            node.input[place] = random.choice(_names(graph))
    for place, name in enumerate(node.output):
        node.output[place] = name and name + suffix
    node.name += suffix
    graph.node.append(node)
    if graph.node[:-1] and node.output and random.random() < 0.7:
        reader = random.choice(graph.node[:-1])
        if reader.input:
            reader.input[random.randrange(len(reader.input))] = node.output[0]
            graph.node.remove(node)
            graph.node.insert(list(graph.node).index(reader), node)
            return
    graph.output.append(helper.make_tensor_value_info(node.output[0] if node.output else "", 1, None))


def _wrap(_, graph, random, __):
    """A node moves into both branches of an If, or into the body of a Loop."""
    if not graph.node:
        return
    place = random.randrange(len(graph.node))
    node = onnx.NodeProto()
    node.CopyFrom(graph.node[place])
    if not node.output or not node.output[0]:
        return
    del graph.node[place]
    result = node.output[0]
    suffix = _fresh(graph, random)
    inner = helper.make_graph([node], "inner" + suffix, [], [helper.make_tensor_value_info(result + suffix, 1, None)])
    node.output[0] = result + suffix
    inner.node[0].output[0] = result + suffix
    condition = random.choice([name for name in _names(graph) if name != result] or [""])
    if random.random() < 0.5:
        graph.initializer.append(helper.make_tensor("c" + suffix, TensorProto.BOOL, [], [True]))
        condition = "c" + suffix
    graph.node.insert(place, helper.make_node("If", [condition], [result], then_branch=inner, else_branch=inner))


CHANGES = [
    _attribute, _attribute, _attribute, _new_attribute, _input, _input, _output, _operator, _nodes, _unary, _unary, _unary, _binary,
    _binary, _tensor, _tensor, _tensor, _initializers, _signature, _signature, _declare, _result, _versions, _graft, _graft, _graft,
    _wrap,
]
