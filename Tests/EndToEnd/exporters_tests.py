"""Models as exporters write them: equal constants stored once.

usage: PRUNEC=path/to/prunec python -m unittest exporters_tests
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

from check_pruned import compare  # noqa: E402


def prunec(*arguments):
    return subprocess.run([os.environ["PRUNEC"], *map(str, arguments)],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True)


class ExportersTests(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.random = numpy.random.default_rng(0)

    def weight(self, name, *shape):
        scale = 1 / numpy.sqrt(numpy.prod(shape[1:], initial=1))
        values = self.random.standard_normal(shape) * scale
        return numpy_helper.from_array(values.astype(numpy.float32), name)

    def constant(self, name, values, element=numpy.int64):
        return numpy_helper.from_array(numpy.array(values, element), name)

    def save(self, name, nodes, inputs, outputs, weights):
        def described(values):
            return [helper.make_tensor_value_info(value, element, shape)
                    for value, element, shape in values]

        graph = helper.make_graph(nodes, name, described(inputs), described(outputs), weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
        model.ir_version = 9
        onnx.checker.check_model(model)
        path = self.folder / f"{name}.onnx"
        onnx.save(model, path)
        return path

    def prune(self, path, *options, code=0):
        """The report, the messages, and where the small model and the masked one are."""
        small, masked = self.folder / "small.onnx", self.folder / "masked.onnx"
        report = self.folder / "report.json"
        run = prunec(path, "-o", small, "--emit-masked", masked, "--report", report, *options)
        self.assertEqual(run.returncode, code, run.stderr)
        return json.loads(report.read_text()), run.stderr, small, masked

    def holds(self, path, small, masked):
        self.assertLess(compare(path, masked, small).relative_error, 1e-4)

    # Equal constants stored once.

    def group_normalizations(self, name, shared):
        """Convolutions with group normalizations of 32 groups by Reshape and InstanceNormalization, the first on 32
        channels; `shared` are the ones and zeros of the latter."""
        nodes, weights, current, channels = [], [self.constant("groups", [0, 32, -1])], "x", 3
        for index, filters in enumerate((32, 128)):
            suffix = "" if shared else str(index)
            n = lambda stem: f"{stem}{index}"
            nodes += [
                helper.make_node("Conv", [current, n("w")], [n("c")], pads=[1] * 4),
                helper.make_node("Reshape", [n("c"), "groups"], [n("r")]),
                helper.make_node("InstanceNormalization",
                                 [n("r"), "one" + suffix, "zero" + suffix], [n("i")]),
                helper.make_node("Shape", [n("c")], [n("s")]),
                helper.make_node("Reshape", [n("i"), n("s")], [n("b")]),
                helper.make_node("Mul", [n("b"), n("gain")], [n("m")]),
                helper.make_node("Add", [n("m"), n("shift")], [n("n")]),
                helper.make_node("Relu", [n("n")], [n("a")])]
            weights += [self.weight(n("w"), filters, channels, 3, 3),
                        self.weight(n("gain"), filters, 1, 1), self.weight(n("shift"), filters, 1, 1)]
            if not (shared and index):
                weights += [self.constant("one" + suffix, [1] * 32, numpy.float32),
                            self.constant("zero" + suffix, [0] * 32, numpy.float32)]
            current, channels = n("a"), filters
        nodes.append(helper.make_node("Conv", [current, "wo"], ["y"]))
        weights.append(self.weight("wo", 4, channels, 1, 1))
        return self.save(name, nodes, [("x", TensorProto.FLOAT, ["N", 3, 8, 8])],
                         [("y", TensorProto.FLOAT, ["N", 4, 8, 8])], weights)

    def test_shared_ones_and_zeros_of_normalizations(self):
        kept = {}
        for name, shared in (("shared", True), ("own", False)):
            path = self.group_normalizations(name, shared)
            report, _, small, masked = self.prune(path, "--ratio", "0.5", "--align", "1")
            self.holds(path, small, masked)
            kept[name] = [layer["channels_after"] for layer in report["layers"]]
        self.assertEqual(kept["shared"], kept["own"])
        self.assertEqual(kept["shared"][:2], [16, 64])

    def test_shared_bias(self):
        path = self.save(
            "bias",
            [helper.make_node("Gemm", ["x", "w1", "b"], ["h"]), helper.make_node("Relu", ["h"], ["r"]),
             helper.make_node("Gemm", ["r", "w2", "b"], ["y"])],
            [("x", TensorProto.FLOAT, ["N", 16])], [("y", TensorProto.FLOAT, ["N", 64])],
            [self.weight("w1", 16, 64), self.weight("w2", 64, 64),
             self.constant("b", [0] * 64, numpy.float32)])
        plan = self.folder / "plan.json"
        report, _, small, masked = self.prune(
            path, "--ratio", "0.5", "--compensate", "none", "--plan", plan)
        self.assertEqual([layer["channels_after"] for layer in report["layers"]], [32, 64])
        self.holds(path, small, masked)
        cut = json.loads(plan.read_text())["initializers"]
        self.assertEqual(sorted(cut), ["w1", "w2"])
        tensors = {tensor.name: numpy_helper.to_array(tensor)
                   for model in (path, small) for tensor in onnx.load(model).graph.initializer}
        (kept,) = {tuple(cut["w1"]["1"]), tuple(cut["w2"]["0"])}
        original = numpy_helper.to_array(next(
            tensor for tensor in onnx.load(path).graph.initializer if tensor.name == "w1"))
        numpy.testing.assert_array_equal(tensors["w1"], original[:, list(kept)])

    def test_towers_stay_one(self):
        """Two inputs go through the same layers: what is stored once before is so after."""
        def tower(x, y):
            return [helper.make_node("MatMul", [x, "w1"], [x + "m"]),
                    helper.make_node("Add", [x + "m", "b"], [x + "a"]),
                    helper.make_node("Relu", [x + "a"], [x + "r"]),
                    helper.make_node("LayerNormalization", [x + "r", "scale", "shift"], [x + "n"]),
                    helper.make_node("MatMul", [x + "n", "w2"], [y])]

        path = self.save(
            "towers", [*tower("p", "u"), *tower("q", "v"), helper.make_node("Sub", ["u", "v"], ["y"])],
            [(name, TensorProto.FLOAT, ["N", 16]) for name in "pq"],
            [("y", TensorProto.FLOAT, ["N", 8])],
            [self.weight("w1", 16, 64), self.weight("b", 64), self.weight("scale", 64),
             self.weight("shift", 64), self.weight("w2", 64, 8)])
        _, _, small, masked = self.prune(path, "--ratio", "0.5")
        self.holds(path, small, masked)
        names = sorted(tensor.name for tensor in onnx.load(small).graph.initializer)
        self.assertEqual(names, ["b", "scale", "shift", "w1", "w2"])


if __name__ == "__main__":
    unittest.main()
