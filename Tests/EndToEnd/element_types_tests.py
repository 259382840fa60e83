"""Networks in every floating-point type, and with weights and activations of eight bits: pruned to
half of the channels, each keeps its types, agrees with the masked original, and loses the channels
that it loses in single precision.

The weights are multiples of 1/64 that a type of eight significant bits holds exactly, so that every
network is the same one in another type.

usage: PRUNEC=path/to/prunec python -m unittest element_types_tests
"""

import json
import os
import pathlib
import subprocess
import tempfile
import unittest

import numpy
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

# What the outputs of a type may differ in, as the check of prunec itself has it.
TOLERANCES = {
    TensorProto.FLOAT: 1e-4, TensorProto.DOUBLE: 1e-4,
    TensorProto.FLOAT16: 1 / 64, TensorProto.BFLOAT16: 1 / 8,
}
STEP = 1 / 64
# The shapes of weights before and after half of the channels have gone.
SHAPES = {
    "mlp": {
        "a.weight": ([6, 16], [6, 8]), "a.bias": ([16], [8]),
        "b.weight": ([16, 12], [8, 6]), "b.bias": ([12], [6]),
        "c.weight": ([12, 4], [6, 4]), "c.bias": ([4], [4]),
    },
    "cnn": {
        "a.weight": ([16, 3, 3, 3], [8, 3, 3, 3]), "a.bias": ([16], [8]),
        "b.weight": ([12, 16, 3, 3], [6, 8, 3, 3]), "b.bias": ([12], [6]),
        "c.weight": ([12, 4], [6, 4]), "c.bias": ([4], [4]),
    },
}
# Axes of the channels that a layer makes.
OUTPUT_AXES = {"mlp": {"a": 1, "b": 1, "c": 1}, "cnn": {"a": 0, "b": 0, "c": 1}}


def weights(network):
    """The integers, below 64 in magnitude, that the weights of a network are multiples of."""
    generator = numpy.random.default_rng(3)
    return {name: generator.integers(-63, 64, shape)
            for name, (shape, _) in SHAPES[network].items()}


class Builder:
    """Nodes and initializers of a network in the making."""

    def __init__(self, network, element_type, quantization=None):
        self.network = network
        self.element_type = element_type
        self.quantization = quantization
        self.nodes = []
        self.initializers = []
        self.channel_counts = {}
        self.integers = weights(network)

    def constant(self, name, array, element_type=None):
        array = numpy.asarray(array)
        self.initializers.append(helper.make_tensor(
            name, element_type or self.element_type, array.shape, array.ravel().tolist()))
        return name

    def node(self, operation, inputs, output, **attributes):
        self.nodes.append(helper.make_node(operation, inputs, [output], name=output, **attributes))
        return output

    def weight(self, name):
        """A weight as it is, or dequantized: with one scale, or one for each channel it makes."""
        integers = self.integers[name]
        if self.quantization is None:
            return self.constant(name, integers * STEP)
        layer, part = name.split(".")
        element_type = TensorProto.INT8 if part == "weight" else TensorProto.INT32
        axis = OUTPUT_AXES[self.network][layer] if part == "weight" else 0
        if self.quantization == "per-tensor":
            scale = numpy.float32(STEP)
        else:
            # Every other channel is twice as fine.
            finer = numpy.arange(integers.shape[axis]) % 2
            scale = (STEP / (1 + finer)).astype(numpy.float32)
            shape = [1] * integers.ndim
            shape[axis] = -1
            integers = integers * (1 + finer).reshape(shape)
        return self.node(
            "DequantizeLinear",
            [self.constant(name, integers, element_type),
             self.constant(name + ".scale", scale, TensorProto.FLOAT),
             self.constant(name + ".zero_point", numpy.zeros(scale.shape, int), element_type)],
            name + ".float", **({} if scale.ndim == 0 else {"axis": axis}))

    def activation(self, value, channels):
        """A value after a round trip through bytes, where the network has them."""
        if self.quantization is None:
            return value
        scale = numpy.float32(0.125)
        zero_point = 100
        if self.quantization == "per-channel":
            scale = (0.125 / (1 + numpy.arange(channels) % 2)).astype(numpy.float32)
            zero_point = 90 + numpy.arange(channels)
        operands = [self.constant(value + ".scale", scale, TensorProto.FLOAT),
                    self.constant(value + ".zero_point", zero_point, TensorProto.UINT8)]
        attributes = {} if scale.ndim == 0 else {"axis": 1}
        quantized = self.node("QuantizeLinear", [value, *operands], value + ".bytes", **attributes)
        return self.node("DequantizeLinear", [quantized, *operands], value + ".back", **attributes)

    def normalization(self, value, channels):
        """A batch normalization that powers of two make exact."""
        even = numpy.arange(channels) % 2
        operands = [
            self.constant(f"{value}.{name}", array)
            for name, array in (("scale", 0.5 + even), ("shift", 0.25 * even),
                                ("mean", 0.125 * even), ("variance", numpy.full(channels, 0.75)))]
        return self.node("BatchNormalization", [value, *operands], value + ".norm", epsilon=0.25)

    def layer(self, name, value, normalized=False):
        """A layer, a ReLU, and the bytes between it and the next."""
        channels = len(self.integers[name + ".bias"])
        weight, bias = self.weight(name + ".weight"), self.weight(name + ".bias")
        if self.network == "mlp":
            product = self.node("MatMul", [value, weight], name + ".product")
            result = self.node("Add", [product, bias], name)
        else:
            result = self.node("Conv", [value, weight, bias], name, pads=[1, 1, 1, 1])
        if normalized:
            result = self.normalization(result, channels)
        return self.activation(self.node("Relu", [result], name + ".relu"), channels)

    def model(self, normalized=False):
        shape = ["N", 6] if self.network == "mlp" else ["N", 3, 8, 8]
        value = self.activation("x", shape[1])
        for name in ("a", "b"):
            value = self.layer(name, value, normalized)
        if self.network == "cnn":
            value = self.node("GlobalAveragePool", [value], "pool")
            value = self.node("Flatten", [value], "flat")
        self.node("Gemm", [value, self.weight("c.weight"), self.weight("c.bias")], "y")
        graph = helper.make_graph(
            self.nodes, "main",
            [helper.make_tensor_value_info("x", self.element_type, shape)],
            [helper.make_tensor_value_info("y", self.element_type, ["N", 4])], self.initializers)
        return helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10)


def halved(name, network):
    """The shape that an initializer of a full shape has after pruning, by its name."""
    layer, part = name.split(".")[:2]
    return SHAPES[network][f"{layer}.{part}"][1]


def evaluate(model, inputs):
    """The output as onnxruntime computes it, or ONNX's reference where it lacks the type."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    # Products of bytes, which it would make of dequantized ones, round elsewhere.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        result = session.run(None, {"x": inputs})[0]
    except Exception:  # noqa: BLE001: what it throws for a type it lacks differs from type to type.
        result = ReferenceEvaluator(model).run(None, {"x": inputs})[0]
    return result.astype(numpy.float64)


class ElementTypesTests(unittest.TestCase):
    def prune(self, model, *options):
        """The small model, the masked one, and which indices stay."""
        onnx.checker.check_model(model, full_check=True)
        with tempfile.TemporaryDirectory() as folder:
            original, small, masked, plan = (
                os.path.join(folder, name)
                for name in ("original.onnx", "small.onnx", "masked.onnx", "plan.json"))
            onnx.save(model, original)
            run = subprocess.run(
                [os.environ["PRUNEC"], original, "-o", small, "--emit-masked", masked,
                 "--plan", plan, "--ratio", "0.5", "--align", "1", *options],
                stdin=subprocess.DEVNULL, capture_output=True, text=True)
            self.assertEqual(run.returncode, 0, run.stderr)
            self.assertIn("checked: equal", run.stdout)
            self.assertEqual(run.stderr, "")
            onnx.checker.check_model(small, full_check=True)
            kept = json.loads(pathlib.Path(plan).read_text())["initializers"]
            return onnx.load(small), onnx.load(masked), kept

    def assert_agree(self, small, masked, element_type):
        numpy_type = helper.tensor_dtype_to_np_dtype(element_type)
        shape = [d.dim_value or 2 for d in small.graph.input[0].type.tensor_type.shape.dim]
        for seed in range(3):
            inputs = numpy.random.default_rng(seed).standard_normal(shape).astype(numpy_type)
            result, expected = evaluate(small, inputs), evaluate(masked, inputs)
            self.assertTrue(numpy.isfinite(expected).all())
            self.assertGreater(numpy.abs(expected).max(), 0)
            error = numpy.abs(result - expected).max() / numpy.abs(expected).max()
            self.assertLessEqual(error, TOLERANCES[element_type])

    def assert_cut(self, model, small, network):
        """Every initializer is of the type that it had, and as large as it must be."""
        before = {tensor.name: tensor for tensor in model.graph.initializer}
        after = {tensor.name: tensor for tensor in small.graph.initializer}
        weights = {name for name in before if name in SHAPES[network]}
        self.assertLessEqual(weights, set(after))
        for name, tensor in after.items():
            self.assertEqual(tensor.data_type, before[name].data_type, name)
        for name in weights:
            self.assertEqual(list(after[name].dims), SHAPES[network][name][1], name)
        return before, after

    def test_floating_point(self):
        """The same channels go in every type."""
        for network in SHAPES:
            for normalized in (False, True):
                for options in ([], ["--compensate", "none"], ["--criterion", "fpgm"]):
                    plans = {}
                    for element_type in TOLERANCES:
                        name = TensorProto.DataType.Name(element_type)
                        with self.subTest(network, normalized=normalized, options=options, type=name):
                            model = Builder(network, element_type).model(normalized)
                            small, masked, plans[name] = self.prune(model, *options)
                            self.assert_cut(model, small, network)
                            self.assert_agree(small, masked, element_type)
                    if normalized:
                        # Double precision keeps its normalizations, and scores layers without them.
                        del plans["DOUBLE"]
                    for name, plan in plans.items():
                        self.assertEqual(plan, plans["FLOAT"], (network, options, name))

    def test_a_weight_that_is_no_number(self):
        """Times a masked channel it makes the masked original no number, which is named and called no error in prunec."""
        for number in (numpy.inf, numpy.nan):
            model = Builder("mlp", TensorProto.FLOAT).model()
            tensors = {tensor.name: tensor for tensor in model.graph.initializer}
            made, read = (numpy_helper.to_array(tensors[name]).copy() for name in ("b.weight", "c.weight"))
            made[:, 0] = STEP
            read[0, 0] = number
            for name, array in (("b.weight", made), ("c.weight", read)):
                tensors[name].CopyFrom(numpy_helper.from_array(array, name))
            with self.subTest(number=number), tempfile.TemporaryDirectory() as folder:
                original, small = (os.path.join(folder, name) for name in ("original.onnx", "small.onnx"))
                onnx.save(model, original)
                run = subprocess.run(
                    [os.environ["PRUNEC"], original, "-o", small, "--ratio", "0.5", "--align", "1", "--compensate", "none"],
                    stdin=subprocess.DEVNULL, capture_output=True, text=True)
                self.assertEqual(run.returncode, 1, run.stdout)
                self.assertIn("'c.weight' holds numbers that are infinite or NaN", run.stderr)
                self.assertNotIn("error in prunec", run.stderr)
                self.assertFalse(os.path.exists(small))

    def test_eight_bits(self):
        """Scales and zero points go with the channels they belong to."""
        for network in SHAPES:
            reference = self.prune(
                Builder(network, TensorProto.FLOAT).model(), "--compensate", "none")[2]
            for quantization in ("per-tensor", "per-channel"):
                with self.subTest(network, quantization=quantization):
                    model = Builder(network, TensorProto.FLOAT, quantization).model()
                    small, masked, plan = self.prune(model, "--compensate", "none")
                    before, after = self.assert_cut(model, small, network)
                    self.assertEqual(set(after), set(before))
                    for name, tensor in after.items():
                        if name in SHAPES[network]:
                            self.assertEqual(plan.get(name), reference.get(name), name)
                            continue
                        layer = name.split(".")[0]
                        channels = before[name].dims[0] if before[name].dims else None
                        expected = []
                        if channels is not None:
                            expected = [channels if layer in "xc" else channels // 2]
                        self.assertEqual(list(tensor.dims), expected, name)
                        if expected and layer in "ab":
                            # The channels of the layer's bias are those that it makes.
                            indices = plan[layer + ".bias"]["0"]
                            self.assertTrue(numpy.array_equal(
                                numpy_helper.to_array(tensor),
                                numpy_helper.to_array(before[name])[indices]), name)
                    self.assert_agree(small, masked, TensorProto.FLOAT)


if __name__ == "__main__":
    unittest.main()
