"""onnxruntime's own operators: prunec computes what onnxruntime does, when it folds constants and in
its runtime.

usage: PRUNEC=path/to/prunec PRUNEC_OPT=path/to/prunec-opt python -m unittest runtime_operators_tests
"""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import numpy
import onnx
import onnxruntime
from onnx import helper, numpy_helper

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import check_node_tests as node_tests  # noqa: E402
import check_runtime  # noqa: E402

GENERATOR = numpy.random.default_rng(0)


def normal(*shape):
    return GENERATOR.normal(size=shape).astype(numpy.float32)


def positions(*shape, bound):
    return GENERATOR.integers(0, bound, shape).astype(numpy.int64)


def angles(rows, pairs):
    """The cosines and sines of random angles."""
    turns = normal(rows, pairs)
    return numpy.cos(turns), numpy.sin(turns)


def quantized(kind, *shape):
    information = numpy.iinfo(kind)
    return GENERATOR.integers(information.min, information.max, shape, endpoint=True).astype(kind)


def weights(kind, *shape):
    """Integers of seven bits: of more, onnxruntime's sums of two products overflow 16 bits on processors
    without instructions for such sums."""
    least = 0 if kind == numpy.uint8 else -64
    return GENERATOR.integers(least, least + 127, shape).astype(kind)


def scaled(kind, *shape, scale=0.02, zero=3):
    """Integers with their scale and zero point."""
    return quantized(kind, *shape), numpy.float32(scale), kind(zero)


def of_result(kind, scale=0.05, zero=7):
    return numpy.float32(scale), kind(zero)


def quantized_lstm(kind, inputs, units, directions, by_column=False):
    """The weights of a DynamicQuantizeLSTM and what stands behind its eight operands of an LSTM."""
    zero = kind(64 if kind == numpy.uint8 else 0)
    shape = (directions, 4 * units) if by_column else (directions,)
    scales = [numpy.abs(normal(*shape)) * 0.01 + 0.005 for _ in range(2)]
    parameters = [array for scale in scales for array in (scale, numpy.full(shape, zero))]
    return (weights(kind, directions, inputs, 4 * units),
            weights(kind, directions, units, 4 * units), parameters)


def lstm_cases():
    for kind, directions, by_column, attributes in [
            (numpy.int8, 1, False, {}), (numpy.uint8, 1, False, {"direction": "reverse"}),
            (numpy.int8, 2, True, {"direction": "bidirectional"})]:
        w, r, parameters = quantized_lstm(kind, 5, 4, directions, by_column)
        yield ([normal(6, 2, 5), w, r, normal(directions, 32), None, None, None, None, *parameters],
               {"hidden_size": 4, **attributes}, [0, 1, 2])
    w, r, parameters = quantized_lstm(numpy.int8, 5, 4, 1)
    yield ([normal(6, 2, 5), w, r, None, numpy.int32([4, 6]), normal(1, 2, 4), normal(1, 2, 4),
            normal(1, 12), *parameters], {"hidden_size": 4}, [0, 1, 2])


# For each operator: its operands (None for one left out), attributes, and which results there are.
CASES = {
    "Attention": [
        # Input, weights, bias, mask, past, addend.
        ([normal(2, 3, 8), normal(8, 24), normal(24)], {"num_heads": 2}, [0]),
        ([normal(2, 3, 8), normal(8, 20), normal(20)],
         {"num_heads": 2, "qkv_hidden_sizes": [8, 8, 4], "scale": 0.7}, [0]),
        ([normal(2, 3, 8), normal(8, 24), normal(24), numpy.int32([[1, 1, 0], [1, 1, 1]])],
         {"num_heads": 4, "mask_filter_value": -5.0}, [0]),
        ([normal(2, 3, 8), normal(8, 24), normal(24), numpy.int32([2, 3])], {"num_heads": 2}, [0]),
        ([normal(2, 3, 8), normal(8, 24), normal(24), numpy.int32([2, 3, 1, 0])],
         {"num_heads": 2}, [0]),
        ([normal(2, 3, 8), normal(8, 24), normal(24), positions(2, 3, 3, bound=2).astype("int32"),
          None, normal(2, 2, 3, 3)], {"num_heads": 2, "unidirectional": 1}, [0, 1]),
        ([normal(2, 3, 8), normal(8, 24), normal(24), positions(2, 7, bound=2).astype("int32"),
          normal(2, 2, 2, 4, 4)], {"num_heads": 2, "unidirectional": 1}, [0, 1]),
    ],
    "GroupQueryAttention": [
        # Query, key, value, past key, past value, lengths less one, all steps, cosines, sines,
        # positions, addend, sinks.
        ([normal(2, 3, 32), normal(2, 3, 16), normal(2, 3, 16), None, None, numpy.int32([2, 2]),
          numpy.int32(3)], {"num_heads": 4, "kv_num_heads": 2}, [0, 1, 2]),
        ([normal(2, 3, 64), None, None, None, None, numpy.int32([2, 2]), numpy.int32([3])],
         {"num_heads": 4, "kv_num_heads": 2, "softcap": 0.8, "scale": 0.3}, [0]),
        ([normal(2, 1, 32), normal(2, 1, 16), normal(2, 1, 16), normal(2, 2, 5, 8),
          normal(2, 2, 5, 8), numpy.int32([3, 5]), numpy.int32(6)],
         {"num_heads": 4, "kv_num_heads": 2}, [0, 1, 2]),
        ([normal(1, 2, 32), normal(1, 2, 8), normal(1, 2, 8), normal(1, 1, 7, 8),
          normal(1, 1, 7, 8), numpy.int32([4]), numpy.int32(5)],
         {"num_heads": 4, "kv_num_heads": 1, "smooth_softmax": 1}, [0, 1, 2]),
        ([normal(2, 3, 32), normal(2, 3, 32), normal(2, 3, 32), None, None, numpy.int32([2, 2]),
          numpy.int32(3), *angles(9, 8)],
         {"num_heads": 2, "kv_num_heads": 2, "do_rotary": 1}, [0, 1, 2]),
        ([normal(1, 2, 192), None, None, normal(1, 1, 2, 32), normal(1, 1, 2, 32),
          numpy.int32([3]), numpy.int32(4), *angles(9, 8)],
         {"num_heads": 4, "kv_num_heads": 1, "do_rotary": 1, "rotary_interleaved": 1}, [0, 1, 2]),
        ([normal(1, 3, 32), normal(1, 3, 32), normal(1, 3, 32), None, None, numpy.int32([2]),
          numpy.int32(3), *angles(9, 8), numpy.int64([[2, 5, 0]])],
         {"num_heads": 2, "kv_num_heads": 2, "do_rotary": 1}, [0, 1, 2]),
        ([normal(2, 1, 32), normal(2, 1, 32), normal(2, 1, 32), normal(2, 2, 2, 16),
          normal(2, 2, 2, 16), numpy.int32([2, 1]), numpy.int32(3), *angles(9, 8),
          numpy.int64([[4], [3]])],
         {"num_heads": 2, "kv_num_heads": 2, "do_rotary": 1}, [0, 1, 2]),
        ([normal(2, 4, 32), normal(2, 4, 16), normal(2, 4, 16), None, None, numpy.int32([3, 3]),
          numpy.int32(4), None, None, None, normal(1, 4, 4, 4), normal(4)],
         {"num_heads": 4, "kv_num_heads": 2, "local_window_size": 2}, [0]),
        ([normal(2, 4, 32), normal(2, 4, 16), normal(2, 4, 16), None, None, numpy.int32([3, 3]),
          numpy.int32(4)], {"num_heads": 4, "kv_num_heads": 2, "causal": 0}, [0]),
    ],
    "MultiHeadAttention": [
        # Query, key, value, bias, mask, addend, past key, past value.
        ([normal(2, 3, 8), normal(2, 5, 8), normal(2, 5, 8)], {"num_heads": 2}, [0]),
        ([normal(2, 3, 8), normal(2, 5, 8), normal(2, 5, 4), normal(20)],
         {"num_heads": 2, "scale": 0.7}, [0]),
        ([normal(2, 3, 8), normal(2, 2, 5, 4), normal(2, 2, 5, 4)], {"num_heads": 2}, [0]),
        ([normal(2, 3, 8), normal(2, 5, 8), normal(2, 5, 8), normal(24),
          positions(2, 5, bound=2).astype("int32"), normal(1, 2, 3, 5)],
         {"num_heads": 2, "mask_filter_value": -5.0}, [0]),
        ([normal(2, 3, 8), normal(2, 3, 8), normal(2, 3, 8), normal(24), None,
          normal(2, 1, 3, 7), normal(2, 2, 4, 4), normal(2, 2, 4, 4)],
         {"num_heads": 2, "unidirectional": 1}, [0, 1, 2]),
        ([normal(2, 3, 8), normal(2, 3, 8), normal(2, 3, 8), None, numpy.int32([2, 3])],
         {"num_heads": 2, "unidirectional": 1}, [0, 1, 2]),
    ],
    "BiasGelu": [([normal(2, 3, 4), normal(4)], {}, [0])],
    "FastGelu": [([normal(2, 3, 4), normal(4)], {}, [0]), ([normal(2, 3, 4)], {}, [0])],
    "Gelu": [([normal(2, 3)], {}, [0])],
    "QuickGelu": [([normal(2, 3)], {}, [0]), ([normal(2, 3)], {"alpha": 1.0}, [0])],
    "FusedConv": [
        ([normal(1, 4, 5, 5), normal(6, 2, 3, 3), normal(6)],
         {"group": 2, "pads": [1, 1, 1, 1], "activation": name, "activation_params": parameters},
         [0])
        for name, parameters in [("Relu", []), ("LeakyRelu", [0.2]), ("Clip", [-0.5, 0.7]),
                                 ("Tanh", []), ("Sigmoid", []), ("HardSigmoid", [0.3, 0.4])]
    ] + [([normal(1, 2, 5), normal(3, 2, 2), None, normal(1, 3, 4)], {"activation": "Relu"}, [0]),
         ([normal(1, 2, 5), normal(3, 2, 2)], {}, [0])],
    "FusedMatMul": [
        ([normal(2, 5, 3, 4), normal(2, 5, 4, 6)], {"alpha": 0.5}, [0]),
        ([normal(2, 4, 3), normal(2, 6, 4)], {"transA": 1, "transB": 1}, [0]),
        ([normal(3, 2, 5, 4), normal(4, 2, 5, 6)], {"transBatchA": 1, "transBatchB": 1}, [0]),
        ([normal(4, 2, 5, 3), normal(6, 2, 5, 4)],
         {"transA": 1, "transB": 1, "transBatchA": 1, "transBatchB": 1}, [0]),
        ([normal(3), normal(4, 3)], {"transA": 1, "transB": 1}, [0]),
    ],
    "SkipLayerNormalization": [
        ([normal(2, 3, 8), normal(2, 3, 8), normal(8), normal(8), normal(8)], {}, [0, 3]),
        ([normal(2, 3, 8), normal(3, 8), normal(8), None, normal(8)], {"epsilon": 0.1}, [0]),
        ([normal(2, 3, 8), normal(1, 3, 8), normal(8), normal(8)], {}, [0]),
    ],
    "SkipSimplifiedLayerNormalization": [
        ([normal(2, 3, 8), normal(2, 3, 8), normal(8), normal(8)], {"epsilon": 0.1}, [0, 3]),
        ([normal(2, 3, 8), normal(2, 3, 8), normal(8)], {}, [0]),
    ],
    "SimplifiedLayerNormalization": [
        ([normal(2, 3, 8), normal(8)], {"epsilon": 0.1}, [0, 1]),
        ([normal(2, 3, 8), normal(8)], {"axis": -1, "stash_type": 1}, [0]),
    ],
    "LayerNormalization": [
        ([normal(2, 3, 8), normal(8), normal(8)], {"axis": -1, "epsilon": 0.1}, [0]),
    ],
    "RotaryEmbedding": [
        ([normal(2, 3, 16), positions(2, 3, bound=9), *angles(9, 2)], {}, [0]),
        ([normal(2, 3, 16), positions(2, 3, bound=9), *angles(9, 2)], {"interleaved": 1}, [0]),
        ([normal(2, 4, 3, 8), positions(1, bound=5), *angles(9, 4)], {}, [0]),
        ([normal(2, 3, 16), positions(2, 3, bound=9), *angles(9, 2)],
         {"num_heads": 2, "rotary_embedding_dim": 4}, [0]),
    ],
    "QuantizeLinear": [
        ([normal(2, 3, 4), numpy.float32([0.01, 0.02, 0.03]), quantized(numpy.uint16, 3)],
         {"axis": 1}, [0]),
        ([normal(2, 3), numpy.float32(0.01), numpy.int8(3)], {}, [0]),
    ],
    "DequantizeLinear": [
        ([quantized(numpy.int16, 2, 3), normal(3), quantized(numpy.int16, 3)], {"axis": 1}, [0]),
    ],
    "DynamicQuantizeLSTM": list(lstm_cases()),
    **{name: [
        ([*scaled(numpy.uint8, 2, 3, 4), *scaled(numpy.uint8, 2, 3, 4, scale=0.03, zero=120),
          *of_result(numpy.uint8)], {}, [0]),
        ([*scaled(numpy.int8, 2, 3, 4), *scaled(numpy.int8, 3, 1, scale=0.03),
          *of_result(numpy.int8, 0.1)], {}, [0]),
    ] for name in ["QLinearAdd", "QLinearMul"]},
    "QLinearSigmoid": [
        ([*scaled(numpy.uint8, 2, 3, zero=128), *of_result(numpy.uint8, 0.004, 0)], {}, [0]),
        ([*scaled(numpy.int8, 2, 3), *of_result(numpy.int8, 0.004, -128)], {}, [0]),
    ],
    "QLinearLeakyRelu": [
        ([*scaled(numpy.uint8, 2, 3, zero=128), *of_result(numpy.uint8, 0.02, 20)],
         {"alpha": 0.1}, [0]),
        ([*scaled(numpy.int8, 2, 3), *of_result(numpy.int8)], {}, [0]),
    ],
    "QLinearSoftmax": [
        ([*scaled(numpy.uint8, 2, 3, 5), *of_result(numpy.uint8, 1 / 256, 0)],
         {"axis": 1, "opset": 13}, [0]),
        ([*scaled(numpy.uint8, 2, 3, 5), *of_result(numpy.uint8, 1 / 256, 0)],
         {"axis": 1, "opset": 12}, [0]),
        ([*scaled(numpy.int8, 4, 6), *of_result(numpy.int8, 1 / 256, -128)],
         {"axis": -1, "opset": 13}, [0]),
    ],
    "QLinearConcat": [
        ([*of_result(numpy.uint8), *scaled(numpy.uint8, 2, 3, 4),
          *scaled(numpy.uint8, 2, 2, 4, scale=0.05, zero=9)], {"axis": 1}, [0]),
        ([*of_result(numpy.int8), *scaled(numpy.int8, 2, 3), *scaled(numpy.int8, 2, 1),
          *scaled(numpy.int8, 2, 2, scale=0.1)], {"axis": -1}, [0]),
    ],
    "QLinearGlobalAveragePool": [
        ([*scaled(numpy.uint8, 2, 3, 4, 5), *of_result(numpy.uint8, 0.01)], {}, [0]),
        ([*scaled(numpy.int8, 2, 4, 5, 3), *of_result(numpy.int8, 0.01)],
         {"channels_last": 1}, [0]),
    ],
    "QLinearAveragePool": [
        ([*scaled(numpy.uint8, 2, 3, 6, 7), *of_result(numpy.uint8, 0.02)],
         {"kernel_shape": [3, 2], "strides": [2, 1], "pads": [1, 0, 0, 1]}, [0]),
        ([*scaled(numpy.int8, 1, 2, 6, 6), *of_result(numpy.int8, 0.02)],
         {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "count_include_pad": 1}, [0]),
        ([*scaled(numpy.uint8, 1, 6, 7, 3), *of_result(numpy.uint8, 0.02)],
         {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1, "channels_last": 1}, [0]),
    ],
    "QGemm": [
        ([*scaled(numpy.uint8, 3, 5), weights(numpy.int8, 5, 4), numpy.float32(0.03),
          numpy.int8(0), quantized(numpy.int16, 4).astype(numpy.int32), *of_result(numpy.uint8, 0.3)],
         {}, [0]),
        ([*scaled(numpy.uint8, 5, 3), weights(numpy.uint8, 4, 5), numpy.float32(0.03),
          numpy.uint8(60), quantized(numpy.int16, 4).astype(numpy.int32)],
         {"transA": 1, "transB": 1, "alpha": 0.5}, [0]),
        ([*scaled(numpy.int8, 3, 5), weights(numpy.int8, 5, 4),
          numpy.float32([0.01, 0.02, 0.03, 0.04]), numpy.int8([0, 0, 0, 0]), None,
          *of_result(numpy.int8, 0.2)], {}, [0]),
    ],
}

# Results that may differ by one where a quotient lies between two integers, or by what a state that was
# quantised differently makes of itself.
TOLERANCES = {name: 1 for name in CASES if name.startswith("Q") and name[1] in "GL"}
TOLERANCES["DynamicQuantizeLSTM"] = 2e-3

# Operators that onnxruntime has in ONNX's own set, and the version it is asked for.
STANDARD = {"LayerNormalization": 15, "SimplifiedLayerNormalization": 15}


def model(operator, operands, attributes, results):
    """A model of one node whose operands are initializers."""
    initializers = [numpy_helper.from_array(numpy.asarray(operand), f"x{index}")
                    for index, operand in enumerate(operands) if operand is not None]
    names = [f"x{index}" if operand is not None else "" for index, operand in enumerate(operands)]
    outputs = [f"y{index}" if index in results else "" for index in range(max(results) + 1)]
    domain = "" if operator in STANDARD else "com.microsoft"
    attributes = {name: value for name, value in attributes.items() if value != []}
    node = helper.make_node(operator, names, outputs, domain=domain, **attributes)
    signature = []
    for name in filter(None, outputs):
        value = onnx.ValueInfoProto(name=name)
        signature.append(value)
    graph = helper.make_graph([node], "g", [], signature, initializers)
    opsets = [helper.make_opsetid("", STANDARD.get(operator, 17)),
              helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def run(operator, operands, attributes, results):
    """What onnxruntime computes, by name of the output."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        model(operator, operands, attributes, results).SerializeToString(), options,
        providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, {}), strict=True))


class RuntimeOperatorTests(unittest.TestCase):
    def check(self, operator):
        program = node_tests.Program(os.environ["PRUNEC_OPT"])
        for index, case in enumerate(CASES[operator]):
            with self.subTest(operator=operator, case=index):
                expected = run(operator, *case)
                folded, message = program.run(model(operator, *case), "fold-constants{all=true}")
                self.assertIsNotNone(folded, message)
                actual = node_tests.constant_outputs(folded)
                self.compare(operator, actual, expected)

    def check_runtime(self, operator):
        runtime = check_runtime.Runtime(os.environ["PRUNEC"])
        for index, case in enumerate(CASES[operator]):
            expected = run(operator, *case)
            # Weights are constants as a rule; where they are not, other kernels are chosen.
            for are_inputs in ({"x0"}, {f"x{place}" for place in range(len(case[0]))}):
                with self.subTest(operator=operator, case=index, inputs=sorted(are_inputs)):
                    given, inputs = with_inputs(model(operator, *case), are_inputs)
                    actual, message = runtime.run(given, inputs)
                    self.assertIsNotNone(actual, message)
                    self.compare(operator, actual, expected)

    def compare(self, operator, actual, expected):
        self.assertEqual(sorted(actual), sorted(expected))
        for name, array in expected.items():
            self.assertEqual(actual[name].dtype, array.dtype)
            self.assertEqual(actual[name].shape, array.shape)
            left, right = (values.astype(numpy.float64) if values.dtype.kind in "iu" else values
                           for values in (actual[name], array))
            numpy.testing.assert_allclose(
                left, right, rtol=1e-4, atol=TOLERANCES.get(operator, 1e-5))


class QuantizedLayers(unittest.TestCase):
    """Channels between quantised layers are cut, through what stands for element-wise operators."""

    def test_channels_between_layers_are_cut(self):
        constants = {
            "s": numpy.float32(0.02), "z": numpy.uint8(120), "w0": numpy.int8(0),
            "w": weights(numpy.int8, 16, 6), "b": quantized(numpy.int16, 16).astype(numpy.int32),
            "ws": numpy.full(16, 0.01, numpy.float32), "v": weights(numpy.int8, 16, 4),
            "ws0": numpy.zeros(16, numpy.int8)}
        quantization, own = ["s", "z"], {"domain": "com.microsoft"}
        nodes = [
            helper.make_node("QuantizeLinear", ["x", *quantization], ["q"]),
            helper.make_node("QGemm", ["q", *quantization, "w", "ws", "ws0", "b", *quantization],
                             ["a"], transB=1, **own),
            helper.make_node("QLinearLeakyRelu", ["a", *quantization, *quantization], ["r"], **own),
            helper.make_node("QLinearSigmoid", ["r", *quantization, *quantization], ["g"], **own),
            helper.make_node("QLinearMul", ["r", *quantization, "g", *quantization, *quantization],
                             ["m"], **own),
            helper.make_node("QLinearAdd", ["m", *quantization, "r", *quantization, *quantization],
                             ["t"], **own),
            helper.make_node("QLinearConcat", [*quantization, "t", *quantization], ["c"], axis=1,
                             **own),
            helper.make_node("QGemm", ["c", *quantization, "v", "s", "w0"], ["y"], **own)]
        graph = helper.make_graph(
            nodes, "g", [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["n", 6])],
            [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, ["n", 4])],
            [numpy_helper.from_array(numpy.asarray(array), name)
             for name, array in constants.items()])
        given = helper.make_model(graph, ir_version=8, opset_imports=[
            helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)])
        with tempfile.TemporaryDirectory() as folder:
            source, target, masked = (
                os.path.join(folder, name) for name in ("in.onnx", "out.onnx", "masked.onnx"))
            onnx.save(given, source)
            finished = subprocess.run(
                [os.environ["PRUNEC"], source, "-o", target, "--ratio", "0.5", "--emit-masked",
                 masked], capture_output=True, text=True)
            self.assertEqual(finished.returncode, 0, finished.stderr)
            shapes = {tensor.name: list(tensor.dims) for tensor in onnx.load(target).graph.initializer}
            self.assertEqual(
                [shapes[name] for name in ("w", "b", "ws", "v")], [[8, 6], [8], [8], [8, 4]])
            inputs = {"x": normal(5, 6)}
            small, large = (
                onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(
                    None, inputs)[0] for path in (target, masked))
            numpy.testing.assert_allclose(small, large, atol=1e-6)


def with_inputs(given, names):
    """The model with some of its initializers as inputs, and these."""
    tensors = [tensor for tensor in given.graph.initializer if tensor.name in names]
    for tensor in tensors:
        given.graph.input.append(
            helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
        given.graph.initializer.remove(tensor)
    return given, {tensor.name: numpy_helper.to_array(tensor) for tensor in tensors}


def tests_of(operator):
    return (lambda self: self.check(operator)), (lambda self: self.check_runtime(operator))


for name in CASES:
    for prefix, test in zip(("test", "test_running"), tests_of(name)):
        setattr(RuntimeOperatorTests, f"{prefix}_{name}", test)

if __name__ == "__main__":
    unittest.main()
