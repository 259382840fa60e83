"""The parts of tools/compare and tools/compare-field that compute what they print.

Needs neither PyTorch nor the peers.
"""

import pathlib
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

from comparison import plot, table  # noqa: E402
from comparison.outcome import Outcome  # noqa: E402
from comparison.results import Results  # noqa: E402
from field_models import reading  # noqa: E402

SVG = "{http://www.w3.org/2000/svg}"
MODELS, BUDGETS = ["small", "large"], [0.7, 0.5]
METHODS = {"prunec": "prunec, no data", "peer": "A peer & its best"}
ORIGINALS = {"small": 90.0, "large": 95.0}


def outcomes():
    found = {(model, method, budget): Outcome(80.0 + position, budget, seconds=position)
             for position, (model, method, budget) in enumerate(
                 (model, method, budget)
                 for model in MODELS for method in METHODS for budget in BUDGETS)}
    found["large", "peer", 0.5] = Outcome(reason="not reached")
    return found


class ResultsTests(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def test_a_result_is_found_again_in_the_file(self):
        model, cache = self.folder / "model.onnx", self.folder / "deep" / "peers.json"
        model.write_bytes(b"first")
        outcome = Outcome(88.5, 0.499, 2.0, 9.0, "l2 local")
        Results(cache).add(model, "peer", "1.0", 0.5, outcome)
        again = Results(cache)
        self.assertEqual(again.find(model, "peer", "1.0", 0.5), outcome)
        self.assertIsNone(again.find(model, "peer", "1.0", 0.7))

    def test_another_model_or_version_is_measured_anew(self):
        model, cache = self.folder / "model.onnx", self.folder / "peers.json"
        model.write_bytes(b"first")
        results = Results(cache)
        results.add(model, "peer", "1.0", 0.5, Outcome(88.5))
        self.assertIsNone(results.find(model, "peer", "1.1", 0.5))
        model.write_bytes(b"second")
        self.assertIsNone(results.find(model, "peer", "1.0", 0.5))

    def test_the_best_of_each_budget_stands_out_in_the_table(self):
        path = self.folder / "table.md"
        table.write(path, MODELS, BUDGETS, METHODS, ORIGINALS, outcomes())
        rows = [[cell.strip() for cell in line.strip("|").split("|")]
                for line in path.read_text().splitlines()]
        self.assertEqual(rows[0], ["MACs", "", "small", "large", "seconds"])
        self.assertEqual(rows[2], ["1", "original", "90.00", "95.00", ""])
        self.assertEqual(rows[3:], [
            ["0.7", "prunec, no data", "80.0", "84.0", "0.0 to 4.0"],
            ["0.7", "A peer & its best", "**82.0**", "**86.0**", "2.0 to 6.0"],
            ["0.5", "prunec, no data", "81.0", "**85.0**", "1.0 to 5.0"],
            ["0.5", "A peer & its best", "**83.0**", "–", "0.0 to 3.0"]])

    def test_the_plot_has_a_point_for_each_result(self):
        path = self.folder / "plot.svg"
        plot.write(path, MODELS, BUDGETS, METHODS, ORIGINALS, outcomes())
        root = ElementTree.parse(path).getroot()
        texts = [element.text for element in root.iter(f"{SVG}text")]
        for expected in [*MODELS, *METHODS.values(), "0.7", "100 %"]:
            self.assertIn(expected, texts)
        # Seven results, and an original for each model.
        self.assertEqual(len(list(root.iter(f"{SVG}circle"))), 9)
        lines = [element.get("points").split() for element in root.iter(f"{SVG}polyline")]
        self.assertEqual(sorted(map(len, lines)), [2, 3, 3, 3])
        for points in lines:
            across = [float(point.split(",")[0]) for point in points]
            self.assertEqual(across, sorted(across, reverse=True))


class ReadingTests(unittest.TestCase):
    def test_repetitions_and_gaps_are_left_out(self):
        alphabet = ["", "a", "b", " "]
        self.assertEqual(reading.decode([0, 1, 1, 0, 1, 2, 2, 3, 3, 2, 0], alphabet), "aab b")
        self.assertEqual(reading.decode([0, 0], alphabet), "")

    def test_edits_are_counted(self):
        for first, second, count in [("", "abc", 3), ("kitten", "sitting", 3), ("same", "same", 0),
                                     ("flaw", "lawn", 2), ("abc", "", 3)]:
            self.assertEqual(reading.edits(first, second), count, (first, second))


if __name__ == "__main__":
    unittest.main()
