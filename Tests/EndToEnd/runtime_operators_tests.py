"""onnxruntime's own operators: prunec computes what onnxruntime does, when it folds constants and in
its runtime.

usage: PRUNEC=path/to/prunec PRUNEC_OPT=path/to/prunec-opt python -m unittest runtime_operators_tests
"""

import os
import pathlib
import sys
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
}

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
                self.compare(actual, expected)

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
                    self.compare(actual, expected)

    def compare(self, actual, expected):
        self.assertEqual(sorted(actual), sorted(expected))
        for name, array in expected.items():
            self.assertEqual(actual[name].dtype, array.dtype)
            self.assertEqual(actual[name].shape, array.shape)
            numpy.testing.assert_allclose(actual[name], array, rtol=1e-4, atol=1e-5)


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
