"""Budgets that are found (--max-drop, --max-divergence, --resume, the metrics that they are about), reached in several cuts, or
looked at beforehand."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import numpy
import onnx
from onnx import TensorProto, helper

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "tools" / "models")]

import fashion_mnist  # noqa: E402
from check_pruned import compare  # noqa: E402

LENET = ROOT / "Fixtures" / "Models" / "lenet300.onnx"


def prunec(*arguments):
    return subprocess.run([os.environ["PRUNEC"], *map(str, arguments)], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True)


def graph_model(path, text):
    """Writes the model that ONNX's textual syntax describes."""
    onnx.save(onnx.parser.parse_model('<ir_version: 8, opset_import: ["": 18]>\n' + text), path)
    return path


class Folder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.small = self.folder / "small.onnx"

    def archive(self, name, **arrays):
        path = self.folder / name
        numpy.savez(path, **arrays)
        return path


class Images(Folder):
    """Fashion-MNIST: images of the training set without labels, some of the test set with."""

    @classmethod
    def setUpClass(cls):
        cls.images = fashion_mnist.read("train")[0][:256]
        cls.test = [array[:1000] for array in fashion_mnist.read("t10k")]

    def setUp(self):
        super().setUp()
        self.calibration = self.archive("calibration.npz", x=self.images)
        self.labelled = self.archive("test.npz", x=self.test[0], y=self.test[1].astype(numpy.int64))

    def prune(self, *options, target=None):
        report = self.folder / "report.json"
        result = prunec(LENET, "-o", target or self.small, "--calibration", self.calibration, "--report", report,
                        *options)
        self.assertEqual(result.returncode, 0, result.stderr)
        return json.loads(report.read_text()), result.stdout


class BoundTests(Images):
    def test_the_smallest_within_a_drop(self):
        masked = self.folder / "masked.onnx"
        report, printed = self.prune("--eval", self.labelled, "--max-drop", "1.5", "--emit-masked", masked)
        bound = report["bound"]
        before, after = (fashion_mnist.top1(path, *self.test) for path in (LENET, self.small))
        self.assertLessEqual(before - after, 1.5 + 1e-6)
        self.assertAlmostEqual(report["accuracy"]["after"]["top1"] * 100, after)
        self.assertAlmostEqual(bound["before"] * 100, before)
        self.assertLessEqual(len(bound["candidates"]), 8)
        within = [c for c in bound["candidates"] if c["loss"] <= 1.5 + 1e-6]
        self.assertEqual(min(c["macs"] for c in within), report["after"]["macs"])
        beyond = [c["budget"] for c in bound["candidates"] if c not in within]
        # A budget between what the smallest has reached and the next one beyond gives one of the two: widths have steps.
        reached = min(bound["chosen"], report["after"]["macs"] / report["before"]["macs"])
        self.assertLess(reached - max(beyond), 0.011)
        for candidate in bound["candidates"]:
            self.assertAlmostEqual(candidate["loss"], 100 * (bound["before"] - candidate["value"]))
        self.assertIn("tried for a loss of top-1 of at most 1.50 points", printed)
        self.assertLess(compare(LENET, masked, self.small).relative_error, 1e-4)
        # What does not depend on the budget has run once.
        names = [step["name"] for step in report["passes"]]
        self.assertEqual(names.count("measure-damage"), 1)
        again = self.folder / "again.onnx"
        self.prune("--pipeline", report["pipeline"], target=again)
        self.assertEqual(again.read_bytes(), self.small.read_bytes())
        self.prune("--macs", bound["chosen"], target=again)
        self.assertEqual(again.read_bytes(), self.small.read_bytes())

    def test_the_smallest_within_a_divergence(self):
        report, printed = self.prune("--max-divergence", "0.03")
        self.assertLessEqual(report["agreement"]["divergence"], 0.03)
        self.assertEqual(report["agreement"]["source"], "held-back")
        self.assertIn("divergence of at most 0.03", printed)
        result = prunec(LENET, "-o", self.small, "--max-divergence", "0.03", "--compensate", "none", "--json")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(json.loads(result.stdout)["agreement"]["source"], "synthetic")

    def test_a_bound_out_of_reach(self):
        self.small.write_text("untouched")
        result = prunec(LENET, "-o", self.small, "--calibration", self.calibration, "--max-divergence", "1e-9")
        self.assertEqual(result.returncode, 1)
        self.assertIn("no cut has a divergence of at most 1e-09: the best that was tried keeps", result.stderr)
        self.assertEqual(self.small.read_text(), "untouched")

    def test_going_on(self):
        record = self.folder / "tried.json"
        options = ["--eval", self.labelled, "--max-drop", "1", "--resume", record]
        report, _ = self.prune(*options)
        bytes_ = self.small.read_bytes()
        kept = json.loads(record.read_text())
        self.assertEqual(kept["candidates"], report["bound"]["candidates"])
        # What is in the file is not measured again.
        kept["candidates"][0]["loss"] = kept["candidates"][0]["loss"] + 0.125
        record.write_text(json.dumps(kept))
        resumed, _ = self.prune(*options)
        self.assertEqual(resumed["bound"]["candidates"][0], kept["candidates"][0])
        # A search that was stopped ends as one that was not.
        kept["candidates"] = report["bound"]["candidates"][:3]
        record.write_text(json.dumps(kept))
        resumed, _ = self.prune(*options)
        self.assertEqual(resumed["bound"], report["bound"])
        self.assertEqual(self.small.read_bytes(), bytes_)
        # Another limit may use them.
        self.prune("--eval", self.labelled, "--max-drop", "3", "--resume", record)

    def test_candidates_of_something_else(self):
        record = self.folder / "tried.json"
        self.prune("--eval", self.labelled, "--max-drop", "1", "--resume", record)
        other = self.archive("other.npz", x=self.test[0], y=self.test[1].astype(numpy.int64)[::-1])
        self.small.unlink()
        model = self.folder / "model.onnx"
        changed = onnx.load(LENET)
        changed.doc_string = "another"
        onnx.save(changed, model)
        for what, arguments in [
                ("options", [LENET, "--eval", self.labelled, "--max-drop", "1", "--align", "2"]),
                ("data", [LENET, "--eval", other, "--max-drop", "1"]),
                ("model", [model, "--eval", self.labelled, "--max-drop", "1"]),
                ("measure", [LENET, "--eval", self.labelled, "--max-divergence", "1"])]:
            with self.subTest(what):
                result = prunec(*arguments, "-o", self.small, "--calibration", self.calibration,
                                "--resume", record)
                self.assertEqual(result.returncode, 2, result.stderr)
                self.assertIn(f"tried.json: error: holds candidates of something else (it differs in: {what})",
                              result.stderr)
                self.assertFalse(self.small.exists())
        record.write_text("{}")
        result = prunec(LENET, "-o", self.small, "--max-divergence", "1", "--resume", record)
        self.assertEqual(result.returncode, 3)

    def test_options_that_exclude_each_other(self):
        for words, options in [
                ("needs labelled samples", ["--max-drop", "1"]),
                ("one of --max-drop and --max-divergence",
                 ["--max-drop", "1", "--max-divergence", "1", "--eval", self.labelled]),
                ("give one of --macs", ["--max-divergence", "1", "--macs", "0.5"]),
                ("give one of --macs", ["--max-divergence", "1", "--latency", "0.5"]),
                ("a number from 0 up", ["--max-divergence=-1"]),
                ("--resume is for", ["--resume", "x.json"]),
                ("look for a budget", ["--max-divergence", "1", "--print-pipeline"])]:
            with self.subTest(options=options):
                result = prunec(LENET, "-o", self.small, *options)
                self.assertEqual(result.returncode, 2)
                self.assertIn(words, result.stderr)
        result = prunec(LENET, "-o", self.small, "--eval", self.calibration)
        self.assertEqual(result.returncode, 2)
        self.assertIn("has no labels", result.stderr)
        self.assertFalse(self.small.exists(), "labels are looked for before anything is written")


class IterationTests(Images):
    def test_three_cuts(self):
        plan = self.folder / "plan.json"
        report, _ = self.prune("--macs", "0.3", "--iterations", "3", "--align", "1", "--plan", plan)
        self.assertLessEqual(report["after"]["macs"], 0.3 * report["before"]["macs"])
        self.assertEqual(report["check"]["status"], "passed")
        names = [step["name"] for step in report["passes"]]
        self.assertEqual([names.count(name) for name in ("measure-damage", "mask-channels", "reconstruct-layers")],
                         [3, 3, 3])
        self.assertGreater(fashion_mnist.top1(self.small, *self.test), 85)
        shapes = {tensor.name: list(tensor.dims) for tensor in onnx.load(self.small).graph.initializer}
        before = {tensor.name: list(tensor.dims) for tensor in onnx.load(LENET).graph.initializer}
        for name, axes in json.loads(plan.read_text())["initializers"].items():
            for axis, kept in axes.items():
                self.assertEqual(shapes[name][int(axis)], len(kept), name)
                self.assertLess(max(kept), before[name][int(axis)])
        again = self.folder / "again.onnx"
        self.prune("--pipeline", report["pipeline"], target=again)
        self.assertEqual(again.read_bytes(), self.small.read_bytes())

    def test_turned_heads(self):
        vit = LENET.with_name("vit.onnx")
        images = self.archive("few.npz", x=self.images[:24])
        result = prunec(vit, "-o", self.small, "--calibration", images, "--effort", "quick", "--iterations", "2", "--json")
        self.assertEqual(result.returncode, 0, result.stderr)
        report = json.loads(result.stdout)
        self.assertEqual(report["check"]["status"], "passed")
        self.assertGreater(fashion_mnist.top1(self.small, *self.test), 70)

    def test_refusals(self):
        for words, options in [("--iterations must be", ["--iterations", "0"]),
                               ("--emit-masked is for one cut", ["--iterations", "2", "--emit-masked", "m.onnx"]),
                               ("is met in one iteration", ["--iterations", "2", "--latency", "0.5"]),
                               ("is met in one iteration", ["--iterations", "2", "--peak-memory", "0.5"])]:
            with self.subTest(words):
                result = prunec(LENET, "-o", self.small, *options)
                self.assertEqual(result.returncode, 2, result.stderr)
                self.assertIn(words, result.stderr)


class DryRunTests(Images):
    def test_what_would_be_cut(self):
        options = [LENET, "--calibration", self.calibration, "--macs", "0.4"]
        result = prunec(*options, "--dry-run", "--json", "-o", self.small, "--report", self.folder / "none.json")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(sorted(path.name for path in self.folder.iterdir()), ["calibration.npz", "test.npz"])
        forecast = json.loads(result.stdout)
        report, _ = self.prune("--macs", "0.4")
        self.assertEqual(forecast["groups"], report["groups"])
        self.assertEqual(forecast["pipeline"], report["pipeline"])
        self.assertEqual(forecast["after"]["macs"], report["after"]["macs"])
        steps = {step["name"]: step for step in forecast["steps"]}
        self.assertEqual(list(steps), ["collect-statistics", "measure-damage", "reconstruct-layers"])
        self.assertEqual([step["is_estimate"] for step in steps.values()], [False, False, True])
        self.assertEqual(steps["collect-statistics"]["macs"], 205 * report["before"]["macs"])
        self.assertGreater(steps["measure-damage"]["macs"], 100 * report["before"]["macs"])
        printed = prunec(*options, "--dry-run").stdout
        for words in ("/fc1/Gemm", "reconstruct-layers", "not done", "nothing has been written"):
            self.assertIn(words, printed)

    def test_it_goes_with_a_budget(self):
        result = prunec(LENET, "--dry-run", "--max-divergence", "1")
        self.assertEqual(result.returncode, 2)
        self.assertIn("--dry-run goes with a budget", result.stderr)


class MetricTests(Folder):
    """Against the formulas in NumPy."""

    def evaluate(self, model, data, metric):
        result = prunec("evaluate", model, "--data", data, "--metric", metric, "--json", "--batch", "7")
        self.assertEqual(result.returncode, 0, result.stderr)
        return json.loads(result.stdout)["value"]

    def setUp(self):
        super().setUp()
        self.random = numpy.random.default_rng(0)
        self.model = graph_model(self.folder / "maps.onnx", """
            g (float[N,4,3,2] image) => (float[N,4,3,2] out) { out = Identity (image) }""")
        self.x = self.random.normal(size=[20, 4, 3, 2]).astype(numpy.float32)

    def test_classes(self):
        y = self.random.integers(0, 3, size=[20, 3, 2])
        y[3] = 255
        predicted = self.x.argmax(axis=1)[y < 4]
        labelled = y[y < 4]
        pairs = [(((predicted == c) & (labelled == c)).sum(), (predicted == c).sum(), (labelled == c).sum())
                 for c in range(4)]
        for shape in ([20, 3, 2], [20, 1, 3, 2]):
            data = self.archive("set.npz", image=self.x, y=y.reshape(shape))
            self.assertAlmostEqual(self.evaluate(self.model, data, "miou"),
                                   numpy.mean([both / (p + t - both) for both, p, t in pairs]))
            self.assertAlmostEqual(self.evaluate(self.model, data, "f1"),
                                   numpy.mean([2 * both / (p + t) for both, p, t in pairs]))

    def test_mean_squared_error(self):
        y = self.random.normal(size=self.x.shape)
        for inputs in ({"image": self.x}, {"x": self.x}):
            data = self.archive("set.npz", y=y, **inputs)
            self.assertAlmostEqual(self.evaluate(self.model, data, "mse"), numpy.mean((self.x - y) ** 2), 5)
        folder = self.folder / "set"
        folder.mkdir()
        numpy.save(folder / "x.npy", self.x)
        numpy.save(folder / "y.npy", y)
        self.assertAlmostEqual(self.evaluate(self.model, folder, "mse"), numpy.mean((self.x - y) ** 2), 5)

    def test_graphs(self):
        metric = graph_model(self.folder / "metric.onnx", """
            g (float[N,4,3,2] out, float[N] weight) => (float loss) {
                m = ReduceMean <keepdims = 0> (out, axes) w = Mul (m, weight) loss = ReduceMax <keepdims = 0> (w)
            }""".replace("{", "<int64[3] axes = {1, 2, 3}> {", 1))
        weight = self.random.normal(size=20).astype(numpy.float32)
        data = self.archive("set.npz", image=self.x, weight=weight)
        self.assertAlmostEqual(self.evaluate(self.model, data, metric),
                               (self.x.mean(axis=(1, 2, 3)) * weight).max(), 5)

    def test_explanations(self):
        vector = graph_model(self.folder / "vector.onnx",
                             "g (float[N,4,3,2] out) => (float[N,4,3,2] z) { z = Identity (out) }")
        other = graph_model(self.folder / "other.onnx", "g (float[N] a) => (float[N] z) { z = Identity (a) }")
        y = numpy.zeros([20, 3, 2], numpy.int64)
        for code, words, metric, arrays in [
                (2, "is no metric", "recall", {}), (5, "none.onnx", self.folder / "none.onnx", {}),
                (2, "has no array of labels 'y'", "mse", {}),
                (2, "and the labels y [20, 3]", "mse", {"y": y[:, :, 0]}),
                (3, "label 7 of item 0", "miou", {"y": y + 7}),
                (3, "class numbers are integers", "f1", {"y": y + 0.5}),
                (2, "its output is no scalar", vector, {}),
                (2, "none of its inputs is called like one", other, {"a": numpy.zeros(20, numpy.float32)})]:
            with self.subTest(words):
                data = self.archive("set.npz", image=self.x, **arrays)
                result = prunec("evaluate", self.model, "--data", data, "--metric", metric)
                self.assertEqual(result.returncode, code, result.stderr)
                self.assertIn(words, result.stderr)

    def test_a_drop_of_an_error_is_an_increase(self):
        weights = self.random.normal(size=[8, 24]), self.random.normal(size=[24, 3])
        nodes = [helper.make_node("MatMul", ["x", "a"], ["h"]), helper.make_node("Relu", ["h"], ["r"]),
                 helper.make_node("MatMul", ["r", "b"], ["z"])]
        graph = helper.make_graph(
            nodes, "regression", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 8])],
            [helper.make_tensor_value_info("z", TensorProto.FLOAT, ["N", 3])],
            [onnx.numpy_helper.from_array(array.astype(numpy.float32), name)
             for array, name in zip(weights, "ab")])
        model = self.folder / "regression.onnx"
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8), model)
        x = self.random.normal(size=[300, 8])
        y = numpy.maximum(x @ weights[0], 0) @ weights[1] + self.random.normal(size=[300, 3])
        data = self.archive("set.npz", x=x.astype(numpy.float32), y=y.astype(numpy.float32))
        calibration = self.archive("calibration.npz", x=x.astype(numpy.float32))
        result = prunec(model, "-o", self.small, "--calibration", calibration, "--eval", data, "--metric", "mse",
                        "--max-drop", "100", "--align", "1", "--json")
        self.assertEqual(result.returncode, 0, result.stderr)
        report = json.loads(result.stdout)
        before, after = (report["accuracy"][when]["value"] for when in ("before", "after"))
        self.assertLessEqual(after, 2 * before)
        self.assertEqual(report["bound"]["bound"]["unit"], "%")
        for candidate in report["bound"]["candidates"]:
            if "value" in candidate:
                self.assertAlmostEqual(candidate["loss"], 100 * (candidate["value"] / before - 1))
        self.assertTrue(any(c.get("loss", 0) > 100 for c in report["bound"]["candidates"]))


if __name__ == "__main__":
    unittest.main()
