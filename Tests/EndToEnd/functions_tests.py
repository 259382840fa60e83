"""Models with functions of their own: onnxruntime, which inlines them itself, judges the results.

usage: PRUNEC=path/to/prunec python -m unittest functions_tests
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
from onnx import AttributeProto, TensorProto, helper, numpy_helper

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

from check_pruned import compare  # noqa: E402

OPSETS = [helper.make_opsetid("", 18), helper.make_opsetid("local", 1)]


def function(name, inputs, outputs, nodes, defaults=()):
    return helper.make_function(
        "local", name, inputs, outputs, nodes, OPSETS,
        attribute_protos=[helper.make_attribute(key, value) for key, value in defaults])


def model():
    """A residual network of two blocks, each a call of a function that calls another."""
    generator = numpy.random.default_rng(1)
    leaky = helper.make_node("LeakyRelu", ["a"], ["c"])
    leaky.attribute.append(
        AttributeProto(name="alpha", type=AttributeProto.FLOAT, ref_attr_name="slope"))
    functions = [
        function("activation", ["a"], ["c"], [leaky], [("slope", 0.1)]),
        function("block", ["x", "w", "b", "v"], ["y"], [
            helper.make_node("Conv", ["x", "w", "b"], ["h"], pads=[1, 1, 1, 1]),
            helper.make_node("activation", ["h"], ["r"], domain="local", slope=0.2),
            helper.make_node("Conv", ["r", "v"], ["g"]),
            helper.make_node("Add", ["x", "g"], ["y"]),
        ]),
    ]
    shapes = {"s": (16, 3, 1, 1), "w": (32, 16, 3, 3), "b": (32,), "v": (16, 32, 1, 1),
              "w2": (24, 16, 3, 3), "b2": (24,), "v2": (16, 24, 1, 1), "o": (4, 16, 1, 1)}
    weights = [
        numpy_helper.from_array(generator.normal(0, 0.2, shape).astype(numpy.float32), name)
        for name, shape in shapes.items()]
    nodes = [
        helper.make_node("Conv", ["x", "s"], ["x1"], name="stem"),
        helper.make_node("block", ["x1", "w", "b", "v"], ["x2"], name="first", domain="local"),
        helper.make_node("block", ["x2", "w2", "b2", "v2"], ["x3"], name="second", domain="local"),
        helper.make_node("Conv", ["x3", "o"], ["y"], name="head"),
    ]
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 3, 8, 8))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 4, 8, 8))], weights)
    return helper.make_model(graph, functions=functions, opset_imports=OPSETS, ir_version=10)


class FunctionsTests(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def prune(self, *options):
        onnx.save(model(), self.path("m.onnx"))
        run = subprocess.run(
            [os.environ["PRUNEC"], self.path("m.onnx"), "-o", self.path("small.onnx"), *options],
            stdin=subprocess.DEVNULL, capture_output=True, text=True)
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertNotIn("not known", run.stderr)
        return onnx.load(self.path("small.onnx"))

    def test_nothing_removed(self):
        small = self.prune("--ratio", "0")
        self.assertEqual(list(small.functions), [])
        x = numpy.random.default_rng(2).normal(size=(1, 3, 8, 8)).astype(numpy.float32)
        expected, actual = (
            onnxruntime.InferenceSession(
                self.path(name), providers=["CPUExecutionProvider"]).run(None, {"x": x})[0]
            for name in ("m.onnx", "small.onnx"))
        numpy.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-6)

    def test_half_removed(self):
        masked = self.path("masked.onnx")
        small = self.prune(
            "--ratio", "0.5", "--align", "1", "--compensate", "none", "--emit-masked", masked)
        shapes = {tensor.name: tuple(tensor.dims) for tensor in small.graph.initializer}
        self.assertEqual(shapes["w"], (16, 8, 3, 3))
        self.assertEqual(shapes["v2"], (8, 12, 1, 1))
        onnx.checker.check_model(small, full_check=True)
        comparison = compare(self.path("m.onnx"), masked, self.path("small.onnx"))
        self.assertLess(comparison.relative_error, 1e-4)

    def test_many_calls(self):
        """65536 nodes by functions that call each other, and 20000 calls without names: no time is quadratic in them."""
        relu = function("f0", ["a"], ["b"], [helper.make_node("Relu", ["a"], ["b"])])
        nested = [relu]
        for level in range(1, 9):
            values = ["a", "t1", "t2", "t3", "b"]
            nested.append(function(f"f{level}", ["a"], ["b"], [
                helper.make_node(f"f{level - 1}", [one], [other], domain="local")
                for one, other in zip(values, values[1:])]))
        chain = [helper.make_node("f0", [f"x{index}" if index else "x"], [f"x{index + 1}"], domain="local")
                 for index in range(20000)]
        cases = [(nested, [helper.make_node("f8", ["x"], ["y"], domain="local")], "y"),
                 ([relu], chain, "x20000")]
        for functions, nodes, result in cases:
            graph = helper.make_graph(
                nodes, "calls", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4])],
                [helper.make_tensor_value_info(result, TensorProto.FLOAT, [1, 4])])
            with tempfile.TemporaryDirectory() as folder:
                path = pathlib.Path(folder) / "calls.onnx"
                onnx.save(helper.make_model(graph, opset_imports=OPSETS, functions=functions), path)
                ran = subprocess.run([os.environ["PRUNEC"], "run", path], capture_output=True,
                                     text=True, timeout=30)
            self.assertEqual(ran.returncode, 0, ran.stderr)


if __name__ == "__main__":
    unittest.main()
