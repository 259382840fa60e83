"""Models as exporters write them: equal constants stored once, and inputs of open sizes.

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

from check_pruned import compare, open_session  # noqa: E402

UNCHECKED = 7


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

    # Open sizes.

    def reader(self):
        """Only heights of 48 to 95 become one row."""
        return self.save(
            "reader",
            [helper.make_node("Conv", ["x", "w1"], ["c"], pads=[1] * 4, strides=[2, 2]),
             helper.make_node("Relu", ["c"], ["r"]),
             helper.make_node("AveragePool", ["r"], ["p"], kernel_shape=[24, 1], strides=[24, 1]),
             helper.make_node("Squeeze", ["p", "two"], ["q"]),
             helper.make_node("Transpose", ["q"], ["t"], perm=[0, 2, 1]),
             helper.make_node("MatMul", ["t", "w2"], ["y"])],
            [("x", TensorProto.FLOAT, ["N", 3, "H", "W"])], [("y", TensorProto.FLOAT, ["N", "M", 10])],
            [self.weight("w1", 32, 3, 3, 3), self.weight("w2", 32, 10), self.constant("two", [2])])

    def test_one_cost_for_inspect_and_report(self):
        path = self.reader()
        for options, height, width in (([], 48, 224), (["--shape", "x=1,3,64,320"], 64, 320)):
            macs = height // 2 * (width // 2) * 32 * 27 + width // 2 * 320
            inspected = prunec("inspect", path, "--json", *options)
            self.assertEqual(inspected.returncode, 0, inspected.stderr)
            self.assertEqual(json.loads(inspected.stdout)["macs"], macs)
            report, messages, small, _ = self.prune(path, *options)
            self.assertEqual(report["before"]["macs"], macs)
            self.assertEqual(report["input_shapes"], {"x": [1, 3, height, width]})
            self.assertEqual(report["check"]["status"], "passed")
            self.assertEqual("MACs are counted for x [1, 3, 48, 224]" in messages, not options)
            x = self.random.standard_normal([2, 3, height, width]).astype(numpy.float32)
            self.assertEqual(open_session(small).run(None, {"x": x})[0].shape, (2, width // 2, 10))

    def test_shape_of_an_array(self):
        path = self.reader()
        numpy.save(self.folder / "x.npy", numpy.zeros([1, 3, 50, 100], numpy.float32) + 1)
        report, messages, _, _ = self.prune(path, "--input", f"x={self.folder / 'x.npy'}")
        self.assertEqual(report["before"]["macs"], 25 * 50 * 32 * 27 + 50 * 320)
        self.assertEqual(messages, "")

    def test_sound_with_a_large_kernel(self):
        path = self.save(
            "sound",
            [helper.make_node("Unsqueeze", ["x", "one"], ["u"]),
             helper.make_node("Conv", ["u", "w1"], ["c"], strides=[128]),
             helper.make_node("Relu", ["c"], ["r"]), helper.make_node("Conv", ["r", "w2"], ["d"]),
             helper.make_node("ReduceMean", ["d"], ["y"], axes=[2], keepdims=0)],
            [("x", TensorProto.FLOAT, ["batch", "samples"])], [("y", TensorProto.FLOAT, ["batch", 4])],
            [self.constant("one", [1]), self.weight("w1", 64, 1, 256), self.weight("w2", 4, 64, 1)])
        report, _, _, _ = self.prune(path)
        self.assertEqual(report["check"]["status"], "passed")

    def test_scalar_inputs(self):
        path = self.save(
            "scalar",
            [helper.make_node("MatMul", ["x", "w1"], ["h"]), helper.make_node("Mul", ["h", "k"], ["m"]),
             helper.make_node("MatMul", ["m", "w2"], ["y"])],
            [("x", TensorProto.FLOAT, ["N", 8]), ("k", TensorProto.FLOAT, [])],
            [("y", TensorProto.FLOAT, ["N", 4])], [self.weight("w1", 8, 32), self.weight("w2", 32, 4)])
        report, _, _, _ = self.prune(path, "--shape", "k=", "--shape", "x=0,8")
        self.assertEqual(report["check"]["status"], "passed")
        ran = prunec("run", path, "--shape", "k=", "--shape", "x=3,8")
        self.assertEqual(ran.returncode, 0, ran.stderr)
        self.assertIn("[3, 4]", ran.stdout)

    def unchecked(self):
        """Runs for one number of rows alone, of a table that nothing made up ever names."""
        return self.save(
            "unchecked",
            [helper.make_node("Sub", ["i", "hundred"], ["j"]),
             helper.make_node("Gather", ["table", "j"], ["g"], axis=0),
             helper.make_node("MatMul", ["g", "w1"], ["h"]), helper.make_node("Relu", ["h"], ["r"]),
             helper.make_node("MatMul", ["r", "w2"], ["y"])],
            [("i", TensorProto.INT64, ["N"])], [("y", TensorProto.FLOAT, ["N", 4])],
            [self.constant("hundred", [100]), self.weight("table", 4, 8), self.weight("w1", 8, 32),
             self.weight("w2", 32, 4)])

    def test_unchecked_results_have_an_exit_code(self):
        path = self.unchecked()
        report, messages, small, _ = self.prune(path, code=UNCHECKED)
        self.assertEqual(report["check"]["status"], "impossible")
        self.assertIn("the result has not been checked: ", messages)
        self.assertIn("--input i=FILE.npy", messages)
        self.assertIn("--shape i=N", messages)
        self.assertIn("--no-check", messages)
        onnx.checker.check_model(str(small), full_check=True)
        by_weights = ("--compensate", "merge")
        report, messages, _, _ = self.prune(path, "--no-check", *by_weights)
        self.assertEqual((report["check"]["status"], messages), ("skipped", ""))
        numpy.save(self.folder / "i.npy", numpy.array([100, 103]))
        report, messages, _, _ = self.prune(
            path, "--input", f"i={self.folder / 'i.npy'}", *by_weights)
        self.assertEqual((report["check"]["status"], messages), ("passed", ""))

    def test_inputs_that_do_not_fit(self):
        path = self.reader()
        array = self.folder / "x.npy"
        numpy.save(array, numpy.zeros([1, 3, 48, 48]))
        for message, options in (
                ("no input 'z'", ["--shape", "z=1"]),
                ("does not fit what the model declares: [N, 3, H, W]", ["--shape", "x=1,4,48,48"]),
                ("does not run on inputs of the shapes", ["--shape", "x=1,3,20,48"]),
                ("is of type double, the model declares float", ["--input", f"x={array}"]),
                ("is no shape", ["--shape", "x=1,,2"])):
            for command in (["inspect", path], [path, "-o", self.folder / "small.onnx"]):
                with self.subTest(message, command=command):
                    result = prunec(*command, *options)
                    self.assertEqual(result.returncode, 2, result.stderr)
                    self.assertIn(message, result.stderr)
        numpy.save(array, numpy.zeros([1, 3, 48, 48], numpy.float32))
        result = prunec(path, "-o", array, "--input", f"x={array}")
        self.assertEqual(result.returncode, 2, result.stderr)
        self.assertIn("is what this run reads", result.stderr)


if __name__ == "__main__":
    unittest.main()
