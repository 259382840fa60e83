"""prunec sensitivity.

usage: PRUNEC=path/to/prunec python -m unittest sensitivity_tests
"""

import html.parser
import json
import os
import pathlib
import subprocess
import tempfile
import unittest

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

ROOT = pathlib.Path(__file__).resolve().parents[2]
LENET = ROOT / "Fixtures" / "Models" / "lenet300.onnx"


def prunec(*arguments):
    return subprocess.run([os.environ["PRUNEC"], *map(str, arguments)],
                          capture_output=True, text=True)


class Page(html.parser.HTMLParser):
    """The tags and texts of a page, whose tags must be closed in turn."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.texts, self.open = [], [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.handle_startendtag(tag, attributes)
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, tag

    def handle_data(self, data):
        self.texts.append(data)


class SensitivityTests(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def samples(self, shape, seed=0):
        path = self.folder / "samples.npy"
        np.save(path, np.random.default_rng(seed).standard_normal(shape).astype(np.float32))
        return path

    def lenet_samples(self):
        inputs = onnx.load(LENET).graph.input[0].type.tensor_type.shape.dim
        return self.samples([64] + [axis.dim_value for axis in inputs][1:])

    def measure(self, *arguments):
        result = prunec("sensitivity", *arguments, "--json")
        self.assertEqual(result.returncode, 0, result.stderr)
        return json.loads(result.stdout)

    def test_groups_of_a_fixture(self):
        found = self.measure(LENET, "--calibration", self.lenet_samples(), "--effort", "quick")
        self.assertEqual((found["schema_version"], found["source"]), (1, "calibration"))
        groups = found["groups"]
        self.assertEqual([group["channels"] for group in groups], [300, 100])
        self.assertEqual([group["kind"] for group in groups], ["ffn", "ffn"])
        self.assertEqual([group["macs"] for group in groups],
                         [784 * 300 + 300 * 100, 300 * 100 + 100 * 10])
        self.assertEqual(found["macs"], 784 * 300 + 300 * 100 + 100 * 10)
        for group in groups:
            points = group["points"]
            counts = [round(fraction * group["channels"]) for fraction in found["fractions"]]
            self.assertEqual([point["kept"] for point in points], [group["channels"]] + counts)
            damage = [point["divergence"] for point in points]
            self.assertEqual(damage[0], 0)
            self.assertEqual(damage, sorted(damage))
            self.assertGreater(damage[-1], 0)

    def test_the_table_says_what_the_json_says(self):
        arguments = [LENET, "--calibration", self.lenet_samples(), "--effort", "quick"]
        found = self.measure(*arguments)
        result = prunec("sensitivity", *arguments)
        self.assertEqual(result.returncode, 0, result.stderr)
        lines = result.stdout.splitlines()
        self.assertIn(f"on {found['samples']} samples", lines[0])
        self.assertEqual([float(text) for text in lines[2].split()[4:]], found["fractions"])
        for line, group in zip(lines[4:], found["groups"], strict=True):
            cells = line.split()
            self.assertEqual(cells[0], group["name"])
            for text, point in zip(cells[-len(found["fractions"]):], group["points"][1:]):
                self.assertAlmostEqual(float(text), point["divergence"],
                                       delta=0.006 * point["divergence"])

    def test_made_up_samples_are_said(self):
        result = prunec("sensitivity", LENET)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("made-up samples", result.stdout.splitlines()[0])
        self.assertEqual(self.measure(LENET)["source"], "synthetic")
        self.assertEqual(prunec("sensitivity", LENET).stdout, result.stdout)

    def test_the_page_has_a_chart_for_each_group(self):
        page = self.folder / "page.html"
        found = self.measure(LENET, "--calibration", self.lenet_samples(), "--effort", "quick",
                             "--html", page)
        parsed = Page(page.read_text())
        self.assertEqual(parsed.open, [])
        self.assertEqual(parsed.tags.count("svg"), 2)
        self.assertEqual(parsed.tags.count("polyline"), 2)
        points = sum(len(group["points"]) for group in found["groups"])
        self.assertEqual(parsed.tags.count("circle"), points)
        self.assertNotIn("script", parsed.tags)
        self.assertFalse([name for name, _ in parsed.attributes if name in ("src", "href")])

        def half(group):
            return next(point["divergence"] for point in group["points"]
                        if 2 * point["kept"] <= group["channels"])
        expected = sorted(found["groups"], key=lambda group: -half(group))
        names = [group["name"] for group in expected]
        self.assertEqual([text for text in parsed.texts if text in names], names)

    def test_channels_that_nothing_reads_do_no_damage(self):
        random = np.random.default_rng(1)
        second = random.standard_normal([10, 4])
        second[[1, 2, 5, 7, 8]] = 0
        weights = {"w1": random.standard_normal([8, 10]), "w2": second}
        graph = helper.make_graph(
            [helper.make_node("MatMul", ["x", "w1"], ["a"], "fc<1>"),
             helper.make_node("Relu", ["a"], ["b"], "relu"),
             helper.make_node("MatMul", ["b", "w2"], ["y"], "fc2")], "half & half",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 8])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 4])],
            [numpy_helper.from_array(array.astype(np.float32), name)
             for name, array in weights.items()])
        model, page = self.folder / "model.onnx", self.folder / "page.html"
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)],
                                    ir_version=10), model)
        found = self.measure(model, "--calibration", self.samples([200, 8]), "--html", page)
        (group,) = found["groups"]
        for point in group["points"]:
            if point["kept"] >= 5:
                self.assertLess(point["divergence"], 1e-6)
        self.assertGreater(group["points"][-1]["divergence"], 1e-3)
        self.assertIn("Sensitivity of half & half", Page(page.read_text()).texts)

    def test_the_model_is_not_replaced(self):
        model = self.folder / "model.onnx"
        model.write_bytes(LENET.read_bytes())
        result = prunec("sensitivity", model, "--html", model)
        self.assertEqual(result.returncode, 2, result.stderr)
        self.assertEqual(model.read_bytes(), LENET.read_bytes())


if __name__ == "__main__":
    unittest.main()
