"""The models that mutants come from: small ones made here, and the texts in Fixtures/Coupling."""

import subprocess
import tempfile
from pathlib import Path

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

REPOSITORY = Path(__file__).resolve().parents[2]
LARGEST = 64 << 10


def weight(name, *shape, element=numpy.float32):
    """Numbers from the name, so that they are the same every time."""
    random = numpy.random.default_rng(sum(map(ord, name)) + len(shape))
    return numpy_helper.from_array((random.standard_normal(shape) / 2).astype(element), name)


def integers(name, *values):
    return numpy_helper.from_array(numpy.array(values, numpy.int64), name)


def model(nodes, inputs, outputs, weights, opset=17, element=TensorProto.FLOAT, functions=()):
    values = [[helper.make_tensor_value_info(name, element, shape) for name, shape in side.items()] for side in (inputs, outputs)]
    graph = helper.make_graph(nodes, "seed", *values, weights)
    imports = [helper.make_opsetid("", opset), *[helper.make_opsetid("local", 1) for _ in functions[:1]]]
    return helper.make_model(graph, opset_imports=imports, ir_version=8, functions=list(functions))


def node(operator, inputs, outputs, **attributes):
    return helper.make_node(operator, inputs.split(), outputs.split(), name=f"{operator}_{outputs.split()[0]}", **attributes)


def mlp():
    return model([node("Gemm", "x w0 b0", "h"), node("Relu", "h", "r"), node("MatMul", "r w1", "y")],
                 {"x": ["N", 4]}, {"y": ["N", 3]}, [weight("w0", 4, 8), weight("b0", 8), weight("w1", 8, 3)])


def convolutions():
    """Convolutions with a residual, batch normalization and a classifier."""
    nodes = [
        node("Conv", "x w0 b0", "c0", pads=[1, 1, 1, 1]), node("BatchNormalization", "c0 s0 t0 m0 v0", "n0"), node("Relu", "n0", "r0"),
        node("Conv", "r0 w1", "c1", pads=[1, 1, 1, 1]), node("Add", "c1 r0", "a"), node("MaxPool", "a", "q", kernel_shape=[2, 2], strides=[2, 2]),
        node("GlobalAveragePool", "q", "p"), node("Flatten", "p", "f"), node("Gemm", "f w2 b2", "y", transB=1)]
    variance = numpy_helper.from_array(numpy.array([0.5, 1, 2, 1], numpy.float32), "v0")
    return model(nodes, {"x": ["N", 3, 8, 8]}, {"y": ["N", 4]}, [
        weight("w0", 4, 3, 3, 3), weight("b0", 4), weight("s0", 4), weight("t0", 4), weight("m0", 4), variance,
        weight("w1", 4, 4, 3, 3), weight("w2", 4, 4), weight("b2", 4)])


def concatenation():
    """Two branches, one depthwise, that are concatenated, split and resized."""
    nodes = [
        node("Conv", "x w0", "a"), node("Conv", "a w1", "d", group=4, pads=[1, 1, 1, 1]), node("Concat", "a d", "c", axis=1),
        node("Split", "c halves", "e f", axis=1), node("Mul", "e f", "m"), node("Resize", "m  scales", "u", mode="nearest"),
        node("Conv", "u w2", "y")]
    nodes[5].input[:] = ["m", "", "scales"]
    scales = numpy_helper.from_array(numpy.array([1, 1, 2, 2], numpy.float32), "scales")
    return model(nodes, {"x": [1, 3, 5, 5]}, {"y": [1, 2, 10, 10]}, [
        weight("w0", 4, 3, 1, 1), weight("w1", 4, 1, 3, 3), weight("w2", 2, 4, 1, 1), integers("halves", 4, 4), scales])


def attention():
    """Self-attention of two heads with a computed shape, and a normalization."""
    nodes = [
        node("LayerNormalization", "x g b", "n", axis=-1), node("MatMul", "n wq", "q"), node("MatMul", "n wk", "k"), node("MatMul", "n wv", "v"),
        node("Shape", "x", "s"), node("Gather", "s zero", "batch"), node("Concat", "batch rest", "heads", axis=0),
        node("Reshape", "q heads", "q4"), node("Reshape", "k heads", "k4"), node("Reshape", "v heads", "v4"),
        node("Transpose", "q4", "qt", perm=[0, 2, 1, 3]), node("Transpose", "k4", "kt", perm=[0, 2, 3, 1]),
        node("Transpose", "v4", "vt", perm=[0, 2, 1, 3]), node("MatMul", "qt kt", "l"), node("Softmax", "l", "p", axis=-1),
        node("MatMul", "p vt", "o"), node("Transpose", "o", "ot", perm=[0, 2, 1, 3]), node("Reshape", "ot merged", "oc"),
        node("MatMul", "oc wo", "z"), node("Add", "z x", "y")]
    return model(nodes, {"x": ["N", 3, 4]}, {"y": ["N", 3, 4]}, [
        weight("g", 4), weight("b", 4), weight("wq", 4, 8), weight("wk", 4, 8), weight("wv", 4, 8), weight("wo", 8, 4),
        integers("zero", 0), integers("rest", 3, 2, 4), integers("merged", 0, 3, 8)])


def recurrent():
    nodes = [node("LSTM", "x w r b", "h", hidden_size=4, direction="bidirectional"), node("Transpose", "h", "t", perm=[0, 2, 1, 3]),
             node("Reshape", "t shape", "f"), node("GRU", "f wg rg", "g", hidden_size=3), node("Squeeze", "g one", "q"),
             node("MatMul", "q wo", "y")]
    return model(nodes, {"x": [5, 1, 3]}, {"y": [5, 1, 2]}, [
        weight("w", 2, 16, 3), weight("r", 2, 16, 4), weight("b", 2, 32), integers("shape", 5, 1, 8), weight("wg", 1, 9, 8),
        weight("rg", 1, 9, 3), integers("one", 1), weight("wo", 3, 2)])


def quantized():
    """Weights and activations behind DequantizeLinear, as exporters of int8 write them."""
    scale = numpy_helper.from_array(numpy.float32(0.05), "s")
    zero = numpy_helper.from_array(numpy.int8(0), "z")
    random = numpy.random.default_rng(3)
    weights = [numpy_helper.from_array(random.integers(-100, 100, shape).astype(numpy.int8), name)
               for name, shape in (("w0", (4, 6)), ("w1", (6, 3)))]
    nodes = [
        node("QuantizeLinear", "x s z", "xq"), node("DequantizeLinear", "xq s z", "xd"), node("DequantizeLinear", "w0 s z", "w0d"),
        node("MatMul", "xd w0d", "h"), node("Relu", "h", "r"), node("QuantizeLinear", "r s z", "rq"), node("DequantizeLinear", "rq s z", "rd"),
        node("DequantizeLinear", "w1 s z", "w1d"), node("MatMul", "rd w1d", "y")]
    return model(nodes, {"x": ["N", 4]}, {"y": ["N", 3]}, [scale, zero, *weights])


def integer_convolution():
    random = numpy.random.default_rng(4)
    weights = [numpy_helper.from_array(random.integers(-100, 100, shape).astype(numpy.int8), name)
               for name, shape in (("w0", (4, 2, 3, 3)), ("w1", (3, 4, 1, 1)))]
    scalars = [numpy_helper.from_array(numpy.float32(0.1), "s"), numpy_helper.from_array(numpy.uint8(128), "u"),
               numpy_helper.from_array(numpy.int8(0), "i")]
    nodes = [node("QuantizeLinear", "x s u", "xq"), node("QLinearConv", "xq s u w0 s i s u", "a", pads=[1, 1, 1, 1]),
             node("QLinearConv", "a s u w1 s i s u", "b"), node("DequantizeLinear", "b s u", "y")]
    return model(nodes, {"x": [1, 2, 4, 4]}, {"y": [1, 3, 4, 4]}, [*weights, *scalars])


def half_precision():
    nodes = [node("Conv", "x w0 b0", "c", strides=[2, 2]), node("HardSwish", "c", "h"), node("ConvTranspose", "h w1", "t", strides=[2, 2]),
             node("ReduceMean", "t", "y", axes=[2, 3], keepdims=0)]
    return model(nodes, {"x": [1, 3, 6, 6]}, {"y": [1, 2]}, [
        weight("w0", 4, 3, 2, 2, element=numpy.float16), weight("b0", 4, element=numpy.float16),
        weight("w1", 4, 2, 2, 2, element=numpy.float16)], element=TensorProto.FLOAT16)


def branches():
    """An If whose branches have weights of their own."""
    def branch(name, operator):
        return helper.make_graph(
            [node("MatMul", "h w" + name, "m" + name), node(operator, "m" + name, "o" + name)], name, [],
            [helper.make_tensor_value_info("o" + name, TensorProto.FLOAT, ["N", 6])], [weight("w" + name, 8, 6)])
    nodes = [node("MatMul", "x w0", "h"), node("ReduceSum", "h", "total", keepdims=0), node("Greater", "total nought", "c"),
             node("If", "c", "i", then_branch=branch("then", "Relu"), else_branch=branch("else", "Tanh")), node("MatMul", "i w1", "y")]
    return model(nodes, {"x": ["N", 4]}, {"y": ["N", 2]}, [
        weight("w0", 4, 8), weight("w1", 6, 2), numpy_helper.from_array(numpy.float32(0), "nought")])


def loops():
    """A Loop and a Scan that carry channels."""
    body = helper.make_graph(
        [node("MatMul", "state wl", "m"), node("Relu", "m", "next"), node("Identity", "going", "goes_on")], "body",
        [helper.make_tensor_value_info("i", TensorProto.INT64, []), helper.make_tensor_value_info("going", TensorProto.BOOL, []),
         helper.make_tensor_value_info("state", TensorProto.FLOAT, [1, 6])],
        [helper.make_tensor_value_info("goes_on", TensorProto.BOOL, []), helper.make_tensor_value_info("next", TensorProto.FLOAT, [1, 6])],
        [weight("wl", 6, 6)])
    step = helper.make_graph(
        [node("Add", "sum item", "grown"), node("Identity", "grown", "seen")], "step",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 6]) for name in ("sum", "item")],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 6]) for name in ("grown", "seen")])
    nodes = [node("MatMul", "x w0", "h"), node("Loop", "three  h", "l", body=body), node("Unsqueeze", "l first", "u"),
             node("Scan", "l u", "s all", body=step, num_scan_inputs=1), node("MatMul", "s w1", "y")]
    nodes[1].input[:] = ["three", "", "h"]
    return model(nodes, {"x": [1, 4]}, {"y": [1, 2]}, [
        weight("w0", 4, 6), weight("w1", 6, 2), numpy_helper.from_array(numpy.int64(3), "three"), integers("first", 0)])


def functions():
    function = helper.make_function("local", "Layer", ["a", "w"], ["o"], [node("MatMul", "a w", "m"), node("Relu", "m", "o")],
                                    [helper.make_opsetid("", 17)])
    nodes = [helper.make_node("Layer", ["x", "w0"], ["h"], domain="local"), helper.make_node("Layer", ["h", "w1"], ["y"], domain="local")]
    return model(nodes, {"x": ["N", 4]}, {"y": ["N", 3]}, [weight("w0", 4, 6), weight("w1", 6, 3)], functions=[function])


def tokens():
    """An embedding, which reads integers, and what follows it."""
    made = model([node("Gather", "table x", "e"), node("Einsum", "e w0", "m", equation="bsd,dh->bsh"), node("Gelu", "m", "a"),
                  node("ReduceMean", "a axis", "p", keepdims=0), node("MatMul", "p w1", "q"), node("TopK", "q k", "y index", axis=-1)],
                 {"x": ["N", "S"]}, {"y": ["N", 2]}, [
                     weight("table", 7, 4), weight("w0", 4, 8), integers("axis", 1), weight("w1", 8, 3), integers("k", 2)], opset=20)
    made.graph.input[0].type.tensor_type.elem_type = TensorProto.INT64
    return made


MADE = [mlp, convolutions, concatenation, attention, recurrent, quantized, integer_convolution, half_precision, branches, loops,
        functions, tokens]


def build(prunec_opt, folders=()):
    """All models as bytes: those made here, the texts in Fixtures/Coupling, and the .onnx files in the folders."""
    models = [make().SerializeToString() for make in MADE]
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "seed.onnx"
        text = Path(folder) / "seed.onnxtxt"
        for path in sorted((REPOSITORY / "Fixtures/Coupling").glob("*.onnxtxt")):
            # Behind the model stand its groups.
            text.write_text(path.read_text().split("\n}\n", 1)[0] + "\n}\n")
            subprocess.run([prunec_opt, text, "-o", target], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
            models.append(target.read_bytes())
    for given in folders:
        files = [path for path in sorted(given.rglob("*.onnx")) if path.stat().st_size <= LARGEST]
        models += [path.read_bytes() for path in files if is_model(path)]
    return models


def is_model(path):
    try:
        return bool(onnx.load(path, load_external_data=False).graph.node)
    except Exception:
        return False
