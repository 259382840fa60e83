"""Pruning that looks at samples, and at none, judged by accuracy and by onnxruntime.

usage: PRUNEC=path/to/prunec python -m unittest calibration_tests
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
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "tools" / "models")]

import fashion_mnist  # noqa: E402
from check_pruned import compare  # noqa: E402

LENET, RESNET = (ROOT / "Fixtures" / "Models" / f"{name}.onnx" for name in ("lenet300", "resnet20"))


def prune(model, target, *options):
    return subprocess.run(
        [os.environ["PRUNEC"], str(model), "-o", str(target), *map(str, options)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True)


def perceptron(folder, width=24, seed=0):
    """Two layers, 8 inputs and 5 outputs."""
    random = numpy.random.default_rng(seed)
    weights = {"a": random.normal(size=[8, width]), "b": random.normal(size=[width]),
               "c": random.normal(size=[width, 5])}
    nodes = [helper.make_node("Gemm", ["x", "a", "b"], ["h"]), helper.make_node("Relu", ["h"], ["r"]),
             helper.make_node("MatMul", ["r", "c"], ["y"])]
    graph = helper.make_graph(
        nodes, "perceptron", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 5])],
        [numpy_helper.from_array(array.astype(numpy.float32), name) for name, array in weights.items()])
    path = folder / "perceptron.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


class CalibrationTests(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.small = self.folder / "small.onnx"

    def samples(self, array, name="samples.npz", **more):
        path = self.folder / name
        numpy.savez(path, x=array, **more)
        return path


class TrainedModelTests(CalibrationTests):
    """Fashion-MNIST: images of the training set, no labels; accuracy on the test set."""

    @classmethod
    def setUpClass(cls):
        cls.images = fashion_mnist.read("train")[0]
        cls.test = fashion_mnist.read("t10k")

    def prune(self, model, *options):
        """Prunes with all outputs there are: the report, the plan, the masked model."""
        paths = [self.folder / name for name in ("report.json", "plan.json", "masked.onnx")]
        result = prune(model, self.small, *options, "--report", paths[0], "--plan", paths[1],
                       "--emit-masked", paths[2])
        self.assertEqual(result.returncode, 0, result.stderr)
        report, plan = (json.loads(path.read_text()) for path in paths[:2])
        return report, plan, paths[2], result.stdout

    def accuracy(self):
        return fashion_mnist.top1(self.small, *self.test)

    def check_outputs(self, model, report, plan, masked):
        """What is written is one: sizes, plan, masks."""
        comparison = compare(model, masked, self.small)
        self.assertLess(comparison.relative_error, 1e-4)
        self.assertLessEqual(report["after"]["macs"], 0.5 * report["before"]["macs"])
        shapes = {tensor.name: list(tensor.dims) for tensor in onnx.load(self.small).graph.initializer}
        for name, axes in plan["initializers"].items():
            for axis, kept in axes.items():
                self.assertEqual(shapes[name][int(axis)], len(kept), name)
                self.assertEqual(kept, sorted(set(kept)), name)
        self.assertTrue(plan["initializers"])

    def test_lenet_on_1024_images(self):
        samples = self.samples(self.images[:1024])
        options = ["--macs", "0.5", "--calibration", samples, "--samples", "1024"]
        report, plan, masked, printed = self.prune(LENET, *options)
        self.check_outputs(LENET, report, plan, masked)
        self.assertGreaterEqual(self.accuracy(), 88.8)
        names = [step["name"] for step in report["passes"]]
        for name in ("collect-statistics", "measure-damage", "reconstruct-layers"):
            self.assertIn(name, names)
        self.assertIn("criterion=obs", report["pipeline"])
        agreement = report["agreement"]
        self.assertEqual(agreement["source"], "held-back")
        self.assertTrue(150 <= agreement["samples"] <= 250, agreement)
        self.assertTrue(0 < agreement["divergence"] < 0.2, agreement)
        self.assertTrue(0.9 < agreement["top1"] <= 1, agreement)
        self.assertIn("held back", printed)
        first = self.small.read_bytes()
        self.prune(LENET, *options)
        self.assertEqual(self.small.read_bytes(), first, "the same input gives the same bytes")

    def test_resnet_on_256_images(self):
        report, plan, masked, _ = self.prune(
            RESNET, "--macs", "0.5", "--calibration", self.samples(self.images[:256]))
        self.check_outputs(RESNET, report, plan, masked)
        self.assertGreaterEqual(self.accuracy(), 90.5)

    def test_lenet_without_samples(self):
        report, plan, masked, printed = self.prune(LENET, "--macs", "0.5")
        self.check_outputs(LENET, report, plan, masked)
        self.assertGreaterEqual(self.accuracy(), 87.5)
        self.assertEqual(report["agreement"]["source"], "synthetic")
        self.assertIn("this is no accuracy", printed)
        first = self.small.read_bytes()
        self.prune(LENET, "--macs", "0.5")
        self.assertEqual(self.small.read_bytes(), first, "the same input gives the same bytes")

    def test_other_criteria_and_compensations_take_samples(self):
        samples = self.samples(self.images[:64])
        for options in (["--criterion", "l2"], ["--compensate", "merge"], ["--compensate", "none"],
                        ["--scope", "global"], ["--scope", "uniform"], ["--effort", "quick"],
                        ["--criterion", "fpgm", "--scope", "uniform", "--compensate", "none"]):
            with self.subTest(options=options):
                report, plan, masked, _ = self.prune(
                    LENET, "--macs", "0.5", "--calibration", samples, *options)
                self.check_outputs(LENET, report, plan, masked)

    def test_few_and_strange_images(self):
        """The fewest, fewer than channels, and such that say nothing."""
        cases = {
            "one": self.images[:1], "two": self.images[:2], "ten": self.images[:10],
            "equal": numpy.repeat(self.images[:1], 40, axis=0),
            "zeros": numpy.zeros([40, 1, 28, 28], numpy.float32),
            "ones": numpy.ones([40, 1, 28, 28], numpy.float32),
            "huge": 1e30 * self.images[:40],
        }
        for name, images in cases.items():
            with self.subTest(images=name):
                report, plan, masked, printed = self.prune(
                    LENET, "--macs", "0.5", "--calibration", self.samples(images))
                self.check_outputs(LENET, report, plan, masked)
                for tensor in onnx.load(self.small).graph.initializer:
                    array = numpy_helper.to_array(tensor)
                    self.assertTrue(numpy.isfinite(array).all(), tensor.name)
                if len(images) < 5:
                    self.assertEqual(report["agreement"]["source"], "calibration")
                    self.assertIn("all of which were fitted to", printed)


class RefusalTests(CalibrationTests):
    def refused(self, code, model, *options):
        """Runs prunec, which must end with `code`, say why, and write nothing."""
        result = prune(model, self.small, *options)
        self.assertEqual(result.returncode, code, result.stderr)
        self.assertIn("rror: ", result.stderr)
        self.assertFalse(self.small.exists())
        return result.stderr

    def test_wrong_data(self):
        model = perceptron(self.folder)
        good = numpy.random.default_rng(1).normal(size=[40, 8]).astype(numpy.float32)
        broken = good.copy()
        broken[7, 3] = numpy.nan
        infinite = good.copy()
        infinite[7, 3] = numpy.inf
        for name, array, code, words in [
                ("shape", good[:, :7], 2, "'x'"), ("rank", good[:, :, None], 2, "'x'"),
                ("NaN", broken, 3, "sample 7"), ("infinite", infinite, 3, "sample 7"),
                ("none", good[:0], 3, "no samples"), ("texts", numpy.array(["a", "b"]), 3, "'x'")]:
            with self.subTest(data=name):
                message = self.refused(code, model, "--calibration", self.samples(array))
                self.assertIn("samples.npz", message)
                self.assertIn(words, message)

    def test_wrong_names(self):
        model = perceptron(self.folder)
        path = self.folder / "samples.npz"
        numpy.savez(path, image=numpy.zeros([9, 8], numpy.float32), other=numpy.zeros([9], numpy.float32))
        message = self.refused(2, model, "--calibration", path)
        self.assertIn("samples.npz: error: has no array for input 'x'", message)

    def test_no_data(self):
        model = perceptron(self.folder)
        self.assertIn("missing", self.refused(5, model, "--calibration", self.folder / "missing.npz"))
        (self.folder / "empty").mkdir()
        self.refused(3, model, "--calibration", self.folder / "empty")
        garbage = self.folder / "garbage.npz"
        garbage.write_bytes(b"PK\3\4 nothing")
        self.refused(3, model, "--calibration", garbage)

    def test_wrong_options(self):
        model = perceptron(self.folder)
        samples = self.samples(numpy.zeros([9, 8], numpy.float32))
        for options in (["--calibration", samples, "--input-stats", "0,1"], ["--input-stats", "0"],
                        ["--input-stats", "0,0"], ["--effort", "much"],
                        ["--calibration", samples, "--samples", "0"]):
            with self.subTest(options=options):
                self.refused(2, model, *options)


class MadeUpSamplesTests(CalibrationTests):
    def test_pruned_equals_masked(self):
        model, masked = perceptron(self.folder), self.folder / "masked.onnx"
        result = prune(model, self.small, "--input-stats", "0.5,2", "--emit-masked", masked)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertLess(compare(model, masked, self.small).relative_error, 1e-4)

    def test_a_model_that_made_up_samples_do_not_suit_is_pruned_all_the_same(self):
        """Zeros and ones pick no rows of this table."""
        random = numpy.random.default_rng(0)
        weights = {"table": random.normal(size=[4, 16]), "a": random.normal(size=[16, 32]),
                   "b": random.normal(size=[32, 5])}
        constants = [numpy_helper.from_array(array.astype(numpy.float32), name)
                     for name, array in weights.items()]
        constants.append(numpy_helper.from_array(numpy.array(100, numpy.int64), "first"))
        nodes = [helper.make_node("Sub", ["x", "first"], ["row"]),
                 helper.make_node("Gather", ["table", "row"], ["e"]),
                 helper.make_node("MatMul", ["e", "a"], ["h"]), helper.make_node("Relu", ["h"], ["r"]),
                 helper.make_node("MatMul", ["r", "b"], ["y"])]
        graph = helper.make_graph(
            nodes, "tokens", [helper.make_tensor_value_info("x", TensorProto.INT64, ["N", 6])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 6, 5])], constants)
        model = self.folder / "tokens.onnx"
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), model)
        result = prune(model, self.small, "--no-check")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("warning: no samples could be made up", result.stderr)
        session = onnxruntime.InferenceSession(self.small, providers=["CPUExecutionProvider"])
        rows = numpy.full([2, 6], 101, numpy.int64)
        self.assertEqual(session.run(None, {"x": rows})[0].shape, (2, 6, 5))


if __name__ == "__main__":
    unittest.main()
