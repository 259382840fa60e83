"""The trained fixtures are pruned in many ways; onnx and onnxruntime judge the results.

usage: PRUNEC=path/to/prunec python -m unittest fixtures_tests
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

import numpy
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

from bench_ratio import OPTIONS as HALF  # noqa: E402
from bench_ratio import TORCH_PRUNING, VARIANTS  # noqa: E402
from check_pruned import compare  # noqa: E402

MODELS = sorted((ROOT / "Fixtures" / "Models").glob("*.onnx"))
SMALLEST = ROOT / "Fixtures" / "Models" / "mobilenetv2.onnx"
TOLERANCE = 1e-4
# The times that are measured here are not kept for later.
CACHE = tempfile.TemporaryDirectory()
# Nothing is run but the check.
BY_WEIGHTS = ["--compensate", "merge"]
CONFIGURATIONS = {
    "half of every group": HALF,
    "defaults": [],
    "uniform parameters": ["--scope", "uniform", "--params", "0.4", *BY_WEIGHTS],
    "geometric median": ["--criterion", "fpgm", *BY_WEIGHTS],
    "heads": ["--direction", "outer", "--ratio", "0.5", *BY_WEIGHTS],
}
# Nothing in these but initializers depends on how many channels there are, so that the slicing plan
# alone makes the small model.
SLICED_BY_PLAN = {"densenet", "lenet300", "resnet20", "resnet20-bn", "vgg8"}


def prune(source, target, *options, env=None):
    """Runs prunec; what it did is in the result."""
    return subprocess.run(
        [os.environ["PRUNEC"], str(source), "-o", str(target), *map(str, options)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True,
        env={**os.environ, "XDG_CACHE_HOME": CACHE.name, **(env or {})})


def initializers(model):
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def sliced(array, axes):
    """What the plan leaves of an initializer."""
    for axis, kept in axes.items():
        array = numpy.take(array, kept, axis=int(axis))
    return array


def slice_by_plan(model, plan):
    """The original model with its initializers sliced, and nothing else changed."""
    for tensor in model.graph.initializer:
        if tensor.name in plan:
            array = sliced(numpy_helper.to_array(tensor), plan[tensor.name])
            tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    # The extents noted between the nodes are those of the large model.
    del model.graph.value_info[:]
    return model


def outputs(model, inputs):
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return session.run(None, inputs)


class PrunedFixturesTests(unittest.TestCase):
    """Every fixture under every configuration."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def prune(self, model, options, folder=None):
        """Prunes with all outputs there are; the report, the plan, and the paths of the models."""
        folder = folder or self.folder
        small, masked = folder / "small.onnx", folder / "masked.onnx"
        report, plan = folder / "report.json", folder / "plan.json"
        result = prune(
            model, small, *options, "--emit-masked", masked, "--report", report, "--plan", plan,
            "--json")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(result.stderr, "")
        self.assertEqual(result.stdout, report.read_text(), "what is printed is the report")
        return json.loads(result.stdout), json.loads(plan.read_text()), small, masked

    def test_pruned_equals_masked(self):
        for model in MODELS:
            for name, options in CONFIGURATIONS.items():
                # Other exports of networks that are reconstructed already.
                if name == "defaults" and model.stem in VARIANTS:
                    options = BY_WEIGHTS
                with self.subTest(model=model.stem, configuration=name):
                    report, plan, small, masked = self.prune(model, options)
                    comparison = compare(model, masked, small)
                    self.assertLessEqual(comparison.relative_error, TOLERANCE)
                    self.check_report(report, model, small)
                    self.check_plan(plan, model, small)
                    self.check_budget(report, comparison, model, options)

    def check_budget(self, report, comparison, model, options):
        if options is HALF:
            peer = TORCH_PRUNING[VARIANTS.get(model.stem, model.stem)]
            self.assertLessEqual(round(comparison.parameters_kept, 1), peer)
        elif "--params" in options:
            before, after = report["before"]["parameters"], report["after"]["parameters"]
            self.assertLessEqual(after, 0.4 * before)
        elif "--ratio" not in options:
            self.assertLessEqual(report["after"]["macs"], 0.5 * report["before"]["macs"])

    def check_report(self, report, model, small):
        self.assertEqual(report["schema_version"], 1)
        self.assertEqual(
            set(report) - {"agreement"},
            {"schema_version", "pipeline", "before", "after", "groups", "layers", "check", "passes",
             "input_shapes", "warnings"})
        for size in (report["before"], report["after"]):
            self.assertEqual(set(size), {"macs", "parameters", "bytes", "nodes"})
            for number in size.values():
                self.assertIsInstance(number, int)
        self.assertEqual(report["before"]["bytes"], model.stat().st_size)
        self.assertEqual(report["after"]["bytes"], small.stat().st_size)
        self.assertEqual(report["after"]["nodes"], len(onnx.load(small).graph.node))
        for group in report["groups"]:
            self.assertLessEqual(group["channels_after"], group["channels_before"])
            if "pinned" in group:
                self.assertEqual(group["channels_after"], group["channels_before"])
        self.assertTrue(any(group["channels_after"] < group["channels_before"]
                            for group in report["groups"]))
        for layer in report["layers"]:
            self.assertEqual(
                set(layer), {"name", "operator", "channels_before", "channels_after"})
        self.assertEqual(report["check"]["status"], "passed")
        self.assertLessEqual(report["check"]["max_relative"], TOLERANCE)
        self.assertTrue(all(entry["seconds"] >= 0 for entry in report["passes"]))

    def check_plan(self, plan, model, small):
        self.assertEqual(set(plan), {"schema_version", "initializers", "changed"})
        self.assertEqual(plan["schema_version"], 2)
        large_model, small_model = onnx.load(model), onnx.load(small)
        large, little = initializers(large_model), initializers(small_model)
        for name, axes in plan["initializers"].items():
            self.assertIn(name, large)
            for axis, kept in axes.items():
                extent = large[name].shape[int(axis)]
                self.assertEqual(kept, sorted(set(kept)))
                self.assertTrue(0 < len(kept) < extent and 0 <= kept[0] and kept[-1] < extent)
        for name in large.keys() & little.keys():
            array = sliced(large[name], plan["initializers"].get(name, {}))
            # The targets of Reshape nodes are rewritten rather than sliced.
            if array.dtype != numpy.int64:
                self.assertEqual(array.shape, little[name].shape, name)

    def test_the_plan_alone_makes_the_small_model(self):
        generator = numpy.random.default_rng(0)
        inputs = {"input": generator.standard_normal((1, 1, 28, 28)).astype(numpy.float32)}
        for model in MODELS:
            if model.stem not in SLICED_BY_PLAN:
                continue
            with self.subTest(model=model.stem):
                _, plan, small, _ = self.prune(model, [*HALF, "--no-check"])
                rebuilt = slice_by_plan(onnx.load(model), plan["initializers"])
                expected = outputs(small.read_bytes(), inputs)[0]
                actual = outputs(rebuilt.SerializeToString(), inputs)[0]
                self.assertLessEqual(
                    abs(actual - expected).max(), TOLERANCE * abs(expected).max())

    def test_same_input_same_bytes(self):
        for model in MODELS:
            # Those of the others' reconstruction take long, and are made in the same way.
            reconstructed = [[]] if model.stem == "lenet300" else []
            for options in (
                    *reconstructed, BY_WEIGHTS,
                    ["--criterion", "random", "--seed", "7", *BY_WEIGHTS]):
                with self.subTest(model=model.stem, options=options):
                    files = []
                    for run in ("one", "two"):
                        folder = self.folder / f"{model.stem}-{run}"
                        folder.mkdir(exist_ok=True)
                        self.prune(model, [*options, "--no-check"], folder)
                        files.append([(folder / name).read_bytes()
                                      for name in ("small.onnx", "masked.onnx", "plan.json")])
                    self.assertEqual(files[0], files[1])


class CommandTests(unittest.TestCase):
    """What the command promises whatever the model."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.target = self.folder / "small.onnx"

    def refused(self, code, source, target, *options):
        """Runs prunec, which must end with `code`, say why, and leave everything as it was."""
        before = self.contents()
        result = prune(source, target, *options)
        self.assertEqual(result.returncode, code, result.stderr)
        self.assertEqual(result.stdout, "")
        self.assertIn("rror: ", result.stderr)
        self.assertEqual(self.contents(), before)
        return result.stderr

    def contents(self):
        return {path: path.is_file() and path.read_bytes() for path in self.folder.rglob("*")}

    def test_the_output_may_not_replace_the_input_by_accident(self):
        model = self.folder / "model.onnx"
        shutil.copy(SMALLEST, model)
        symbolic, hard = self.folder / "symbolic.onnx", self.folder / "hard.onnx"
        symbolic.symlink_to(model)
        os.link(model, hard)
        for target in (model, self.folder / "." / "model.onnx", symbolic, hard):
            with self.subTest(target=target.name):
                self.assertIn("--in-place", self.refused(2, model, target, "--no-check"))
        for option in ("--report", "--plan", "--emit-masked"):
            with self.subTest(option=option):
                self.refused(2, model, self.target, option, symbolic)

    def test_two_outputs_do_not_share_a_file(self):
        self.refused(2, SMALLEST, self.target, "--report", self.folder / ".." / self.folder.name / "small.onnx")

    def test_in_place(self):
        model = self.folder / "model.onnx"
        shutil.copy(SMALLEST, model)
        self.assertEqual(prune(SMALLEST, self.target, *BY_WEIGHTS).returncode, 0)
        result = prune(model, model, "--in-place", *BY_WEIGHTS)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(model.read_bytes(), self.target.read_bytes())
        self.assertEqual(len(self.contents()), 2, "nothing temporary is left")

    def test_a_budget_out_of_reach(self):
        for budget in (["--macs", "0.0001"], ["--params", "0.0001"]):
            with self.subTest(budget=budget):
                message = self.refused(1, SMALLEST, self.target, *budget, *BY_WEIGHTS)
                self.assertRegex(message, r"\d+\.\d % is as far as it goes")

    def test_a_time_out_of_reach(self):
        message = self.refused(
            1, SMALLEST, self.target, "--latency", "1us", "--threads", "1", *BY_WEIGHTS)
        self.assertRegex(message, r"\d+(\.\d+)? (ms|µs) is as far as it goes")

    def test_a_budget_of_memory(self):
        for name, target in (("densenet", "0.6"), ("mobilenetv2", "0.7"), ("vit", "100KiB")):
            with self.subTest(model=name):
                model = ROOT / "Fixtures" / "Models" / f"{name}.onnx"
                result = prune(
                    model, self.target, "--peak-memory", target, "--json", *BY_WEIGHTS)
                self.assertEqual(result.returncode, 0, result.stderr)
                memory = json.loads(result.stdout)["memory"]
                limit = memory["before_bytes"] * float(target) if "K" not in target else 100 * 1024
                self.assertAlmostEqual(memory["target_bytes"], limit, delta=1)
                self.assertLessEqual(memory["after_bytes"], memory["target_bytes"])
                self.assertGreater(memory["after_bytes"], 0.8 * memory["target_bytes"])
                for path, size in ((model, "before_bytes"), (self.target, "after_bytes")):
                    bench = subprocess.run(
                        [os.environ["PRUNEC"], "bench", path, "--threads", "1", "--runs", "1",
                         "--json"], capture_output=True, text=True, check=True)
                    self.assertEqual(json.loads(bench.stdout)["arena_bytes"], memory[size])

    def test_a_budget_of_memory_that_cannot_be_met(self):
        message = self.refused(
            1, ROOT / "Fixtures" / "Models" / "vit.onnx", self.target, "--peak-memory", "10KiB",
            *BY_WEIGHTS)
        self.assertRegex(message, r"cannot be brought from \d+ KiB to 10 KiB: \d+ KiB is as far")

    def test_a_budget_of_time(self):
        model = ROOT / "Fixtures" / "Models" / "resnet20.onnx"
        cache = self.folder / "cache"
        for _ in range(2):
            result = prune(model, self.target, "--latency", "0.8", "--threads", "1", "--json",
                           env={"XDG_CACHE_HOME": str(cache)})
            self.assertEqual(result.returncode, 0, result.stderr)
            report = json.loads(result.stdout)
            time = report["latency"]
            self.assertEqual(time["threads"], 1)
            self.assertAlmostEqual(time["target_ms"], 0.8 * time["before_ms"], delta=1e-6)
            self.assertLessEqual(time["after_ms"], 1.03 * time["target_ms"])
            self.assertLess(report["after"]["macs"], report["before"]["macs"])
            self.assertEqual(report["check"]["status"], "passed")
            self.assertEqual(len(list((cache / "prunec").iterdir())), 1)

    def test_usage(self):
        for options in (
                ["--latency", "0"], ["--latency", "1.5"], ["--latency", "4 parsecs"],
                ["--latency", "0.5", "--macs", "0.5"], ["--threads", "2"],
                ["--latency", "0.5", "--measure", "time"], ["--measure", "time {model}"],
                ["--latency", "0.5", "--device", "phone"],
                ["--no-such-option"], ["--ratio", "1"], ["--macs", "half"], ["--macs", "1.5"],
                ["--macs", "0.5", "--ratio", "0.5"], ["--align", "0"], ["--criterion", "best"],
                ["--keep", "no-such-group"], ["--pipeline", "no-such-pass"],
                ["--pipeline", "mask-channels"], ["--ratio-for", "conv"]):
            with self.subTest(options=options):
                self.refused(2, SMALLEST, self.target, *options)

    def test_a_budget_of_time_by_a_command(self):
        """The command sees valid models, whole ones and parts, and is not asked again for what is known."""
        model = ROOT / "Fixtures" / "Models" / "resnet20.onnx"
        seen = self.folder / "seen"
        seen.mkdir()
        # A device on which a model takes as long as its file is large.
        command = (f"for m in {{models}}; do cp $m {seen}/$(ls {seen} | wc -l)-${{m##*/}}; "
                   "wc -c < $m; done")
        counts = []
        for _ in range(2):
            result = prune(
                model, self.target, "--latency", "0.6", "--measure", command, "--device", "a file",
                "--json", *BY_WEIGHTS, env={"XDG_CACHE_HOME": str(self.folder / "cache")})
            self.assertEqual(result.returncode, 0, result.stderr)
            report = json.loads(result.stdout)
            time = report["latency"]
            self.assertEqual((time["measure"], time["device"]), (command, "a file"))
            self.assertAlmostEqual(time["after_ms"] / time["before_ms"], 0.6, delta=0.03)
            counts.append(len([path for path in seen.iterdir() if "part" in path.name]))
        self.assertEqual(counts[0], counts[1])
        self.assertGreater(counts[0], 30)
        for path in seen.iterdir():
            checked = onnx.load(path)
            onnx.checker.check_model(checked, full_check=True)
            session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
            session.run(None, {
                value.name: numpy.zeros(value.shape, numpy.float32)
                for value in session.get_inputs()})

    def test_measuring_with_onnxruntime(self):
        script = ROOT / "tools" / "measure_onnxruntime.py"
        result = prune(
            ROOT / "Fixtures" / "Models" / "lenet300.onnx", self.target, "--latency", "0.7",
            "--measure", f"{sys.executable} {script} {{models}}", "--json", *BY_WEIGHTS)
        self.assertEqual(result.returncode, 0, result.stderr)
        report = json.loads(result.stdout)
        self.assertLess(report["latency"]["after_ms"], report["latency"]["before_ms"])
        self.assertLess(report["after"]["macs"], report["before"]["macs"])

    def test_a_command_that_fails(self):
        message = self.refused(
            1, SMALLEST, self.target, "--latency", "0.5", "--measure", "cat {model}x")
        self.assertIn("has failed with exit code 1", message)
        self.assertIn("No such file", message)

    def test_what_is_no_model(self):
        for name, data in {"text": b"not a model", "empty": b""}.items():
            with self.subTest(file=name):
                source = self.folder / name
                source.write_bytes(data)
                self.refused(3, source, self.target)

    def test_unknown_operators(self):
        model = self.folder / "unknown.onnx"
        value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4]) for name in "xy"]
        node = helper.make_node("Unheard", ["x"], ["y"], domain="com.example")
        onnx.save(
            helper.make_model(
                helper.make_graph([node], "unknown", value[:1], value[1:]), ir_version=8,
                opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("com.example", 1)]),
            model)
        self.assertIn("Unheard", self.refused(4, model, self.target, "--strict"))
        result = prune(model, self.target, "--ratio", "0.5")
        self.assertEqual(result.returncode, 7, result.stderr)
        self.assertIn("Unheard", result.stderr)

    def test_files(self):
        missing = self.folder / "missing"
        self.refused(5, missing / "model.onnx", self.target)
        self.refused(5, self.folder, self.target)
        for option in ("--report", "--plan", "--emit-masked"):
            with self.subTest(option=option):
                self.refused(
                    5, SMALLEST, self.target, "--no-check", *BY_WEIGHTS, option, missing / "file")
        self.refused(5, SMALLEST, missing / "small.onnx", "--no-check", *BY_WEIGHTS)
        self.refused(5, SMALLEST, self.folder, "--no-check", *BY_WEIGHTS)

    def test_quiet(self):
        result = prune(SMALLEST, self.target, "--quiet")
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, "", ""))


if __name__ == "__main__":
    unittest.main()
