"""Statistics that are collected in parts, and pruning with them.

usage: PRUNEC=path/to/prunec python -m unittest statistics_tests
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import numpy as np
import onnx
from onnx import numpy_helper

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "tools" / "models")]

import fashion_mnist  # noqa: E402

LENET, RESNET = (ROOT / "Fixtures" / "Models" / f"{name}.onnx" for name in ("lenet300", "resnet20"))
PARTS = 4


def prunec(*arguments):
    return subprocess.run([os.environ["PRUNEC"], *map(str, arguments)],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True)


def weights(path):
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(path).graph.initializer}


class StatisticsTests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.images = fashion_mnist.read("train")[0][:256]
        cls.test = fashion_mnist.read("t10k")
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        cls.whole = cls.folder / "whole.npz"
        np.savez(cls.whole, x=cls.images)
        cls.parts = [cls.folder / f"part{part}.npz" for part in range(PARTS)]
        for part, path in enumerate(cls.parts):
            np.savez(path, x=cls.images[part::PARTS])
        cls.sums = cls.calibrate_parts(RESNET, "resnet")
        cls.sum = cls.folder / "resnet.whole.stats"
        cls.check(prunec("calibrate", RESNET, "--calibration", cls.whole, "--hold-back", "0", "-o", cls.sum))

    @staticmethod
    def check(result):
        if result.returncode:
            raise AssertionError(result.stderr)
        return result

    @classmethod
    def calibrate_parts(cls, model, name, *options):
        """Statistics of all parts, each by a process of its own, at once."""
        paths = [cls.folder / f"{name}.{part}.stats" for part in range(PARTS)]
        running = [subprocess.Popen([os.environ["PRUNEC"], "calibrate", str(model), *map(str, options),
                                     "--calibration", str(part), "--hold-back", "0", "-o", str(path)],
                                    stdout=subprocess.DEVNULL)
                   for part, path in zip(cls.parts, paths)]
        for process in running:
            if process.wait():
                raise AssertionError("calibrate failed")
        return paths

    def refused(self, *arguments, code, saying):
        """Runs prunec, which must fail and leave no output."""
        target = self.folder / "never.onnx"
        result = prunec(*arguments, "-o", target)
        self.assertEqual(result.returncode, code, result.stderr)
        for word in saying:
            self.assertIn(word, result.stderr)
        self.assertFalse(target.exists())

    def test_parts_add_up_to_the_whole(self):
        parts, whole = [np.load(path) for path in self.sums], np.load(self.sum)
        names = set(whole.files) - {"header", "checksum"}
        self.assertGreater(len(names), 20)
        for name in names:
            total = sum(part[name] for part in parts)
            self.assertLess(np.abs(total - whole[name]).max(), 1e-6 * np.abs(whole[name]).max(), name)
        headers = [json.loads(bytes(file["header"])) for file in parts + [whole]]
        for entry, *others in zip(headers[-1]["sums"], *(header["sums"] for header in headers[:-1])):
            self.assertEqual(entry["count"], sum(other["count"] for other in others))
        self.assertEqual(sorted(headers[-1]["samples"]),
                         sorted(sample for header in headers[:-1] for sample in header["samples"]))

    def test_the_pruned_model_is_the_same(self):
        damage = self.folder / "damage.stats"
        self.check(prunec("calibrate", RESNET, "--stats", *self.sums, "--calibration", self.whole,
                          "--effort", "quick", "-o", damage))
        one = self.folder / "one.damage.stats"
        self.check(prunec("calibrate", RESNET, "--stats", self.sum, "--calibration", self.whole,
                          "--effort", "quick", "-o", one))
        models = [self.folder / "sharded.onnx", self.folder / "unsharded.onnx"]
        report = self.folder / "report.json"
        for path, stats in zip(models, [self.sums + [damage], [self.sum, one]]):
            result = self.check(prunec(RESNET, "-o", path, "--macs", "0.5", "--stats", *stats,
                                       "--report", report))
            self.assertIn("layers are fitted to what they read in the original", result.stdout)
        sharded, unsharded = map(weights, models)
        self.assertEqual({name: array.shape for name, array in sharded.items()},
                         {name: array.shape for name, array in unsharded.items()})
        for name, array in sharded.items():
            np.testing.assert_allclose(array, unsharded[name], atol=1e-4, rtol=1e-4, err_msg=name)
        told = json.loads(report.read_text())
        self.assertEqual(told["statistics"]["samples"], 256)
        self.assertTrue(told["statistics"]["fit_is_symmetric"])
        self.assertIn("measure-damage{stats=stored}", told["pipeline"])
        self.assertGreater(fashion_mnist.top1(models[0], *self.test), 80)

    def test_with_samples_the_fit_is_what_it_is_without_statistics(self):
        stats = self.folder / "same.stats"
        self.check(prunec("calibrate", LENET, "--calibration", self.whole, "-o", stats))
        models = [self.folder / "with.onnx", self.folder / "without.onnx"]
        self.check(prunec(LENET, "-o", models[0], "--calibration", self.whole, "--stats", stats))
        result = self.check(prunec(LENET, "-o", models[1], "--calibration", self.whole))
        self.assertNotIn("stored", result.stdout)
        self.assertEqual(models[0].read_bytes(), models[1].read_bytes())

    def test_damage_of_parts_adds_up(self):
        parts = self.calibrate_parts(RESNET, "damage", "--stats", *self.sums, "--effort", "quick")
        page = self.check(prunec("sensitivity", RESNET, "--stats", *self.sums, *parts, "--json"))
        told = json.loads(page.stdout)
        counts = [json.loads(bytes(np.load(part)["header"]))["damage"]["sampleCount"] for part in parts]
        self.assertEqual(told["samples"], sum(counts))
        self.assertTrue(told["groups"])

    def test_without_damage_importance_chooses(self):
        result = self.check(prunec(RESNET, "-o", self.folder / "x.onnx", "--stats", *self.sums))
        self.assertIn("--stats holds no damage", result.stderr)
        result = prunec("sensitivity", RESNET, "--stats", *self.sums)
        self.assertEqual(result.returncode, 2)
        self.assertIn("--calibration", result.stderr)

    def test_one_sample_is_a_part(self):
        one = self.folder / "one.npz"
        np.savez(one, x=self.images[:1])
        stats = self.folder / "one.stats"
        result = self.check(prunec("calibrate", LENET, "--calibration", one, "-o", stats))
        self.assertEqual(result.stdout.strip(), "sums over 1 sample")

    def test_samples_in_two_parts_are_named(self):
        again = self.folder / "again.stats"
        self.check(prunec("calibrate", RESNET, "--calibration", self.whole, "--hold-back", "0.5", "-o", again))
        result = self.check(prunec(RESNET, "-o", self.folder / "y.onnx", "--stats", self.sums[0], again))
        self.assertIn("count twice", result.stderr)

    def test_what_does_not_fit_is_refused(self):
        self.refused(LENET, "--stats", *self.sums, code=2, saying=["another model", self.sums[0].name[:6]])
        seeded = self.folder / "seeded.stats"
        self.check(prunec("calibrate", RESNET, "--calibration", self.parts[0], "--seed", "3", "-o", seeded))
        self.refused(RESNET, "--stats", self.sums[1], seeded, code=2, saying=[str(seeded), "seed is 3, not 0"])
        self.refused(RESNET, "--stats", self.sums[0], "--direction", "outer", code=2, saying=["--direction inner"])
        self.refused(RESNET, "--stats", self.sums[0], "--iterations", "2", code=2, saying=["--calibration"])
        self.refused(RESNET, "--stats", self.folder / "none.stats", code=5, saying=["none.stats"])
        self.refused(RESNET, "--stats", self.whole, code=3, saying=["whole.npz", "calibrate"])

    def test_damaged_files_are_refused(self):
        data = self.sums[0].read_bytes()
        broken = self.folder / "broken.stats"
        for cut in (10, len(data) // 2, len(data) - 10):
            broken.write_bytes(data[:cut])
            self.refused(RESNET, "--stats", broken, code=3, saying=["broken.stats"])
        changed = bytearray(data)
        changed[len(data) // 2] ^= 1
        broken.write_bytes(changed)
        self.refused(RESNET, "--stats", broken, code=3, saying=["broken.stats"])
        arrays = dict(np.load(self.sums[0]))
        header = json.loads(bytes(arrays["header"]))
        header["version"] = 2
        arrays["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
        with open(broken, "wb") as file:
            np.savez(file, **arrays)
        self.refused(RESNET, "--stats", broken, code=2, saying=["broken.stats", "version 2"])

    def test_the_printed_pipeline_is_what_runs(self):
        printed = self.check(prunec(RESNET, "--stats", *self.sums, "--print-pipeline")).stdout.strip()
        self.assertIn("collect-statistics{stats=stored}", printed)
        options = [self.folder / "a.onnx", self.folder / "b.onnx"]
        self.check(prunec(RESNET, "-o", options[0], "--stats", *self.sums))
        self.check(prunec(RESNET, "-o", options[1], "--stats", *self.sums, "--pipeline", printed))
        self.assertEqual(options[0].read_bytes(), options[1].read_bytes())


if __name__ == "__main__":
    unittest.main()
