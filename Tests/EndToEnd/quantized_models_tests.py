"""Models that onnxruntime quantises, in both of its forms with operators of ONNX: prunec's runtime computes what
onnxruntime does, and has kernels for all of it.

usage: PRUNEC=path/to/prunec python -m unittest quantized_models_tests
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import numpy
from onnxruntime.quantization import (
    CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static)

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODELS = ROOT / "Fixtures" / "Models"
sys.path.insert(0, str(ROOT / "tools"))

from check_pruned import open_session, random_inputs  # noqa: E402


class Calibration(CalibrationDataReader):
    def __init__(self, path):
        session = open_session(path)
        random = numpy.random.default_rng(1)
        self.items = iter([random_inputs(session, random) for _ in range(4)])

    def get_next(self):
        return next(self.items, None)


class QuantizedModels(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def prunec(self, *arguments):
        finished = subprocess.run(
            [os.environ["PRUNEC"], *map(str, arguments)], capture_output=True, text=True)
        self.assertEqual(finished.returncode, 0, finished.stderr)
        return finished.stdout

    def check(self, name, tolerance):
        path = self.folder / f"{name}.onnx"
        # Optimized, onnxruntime computes some of it with fewer steps of rounding.
        session = open_session(path, optimized=False)
        inputs = random_inputs(session, numpy.random.default_rng(2))
        expected, = session.run(None, inputs)
        given = []
        for index, (value, array) in enumerate(inputs.items()):
            numpy.save(self.folder / f"{index}.npy", array)
            given += ["--input", f"{value}={self.folder / str(index)}.npy"]
        results = self.folder / "results.npz"
        self.prunec("run", path, *given, "-o", results)
        with numpy.load(results) as arrays:
            result, = (arrays[key] for key in arrays.files)
        error = numpy.abs(result - expected).max() / numpy.abs(expected).max()
        self.assertLessEqual(error, tolerance)
        report = json.loads(self.prunec("bench", path, *given, "--runs", "1", "--json"))
        self.assertNotIn("reference", {step["kernel"] for step in report["steps"]})

    def test_weights_and_dynamic_activations(self):
        for name in ["lenet300", "vgg8", "vit"]:
            with self.subTest(name):
                # Weights of 7 bits: with 8, onnxruntime's sums of two products overflow 16 bits on
                # processors without instructions for such sums (VNNI).
                quantize_dynamic(
                    MODELS / f"{name}.onnx", self.folder / f"{name}.onnx", reduce_range=True,
                    weight_type=QuantType.QUInt8 if name == "vgg8" else QuantType.QInt8)
                self.check(name, 1e-5)

    def test_quantised_and_back_around_every_operator(self):
        for name in ["resnet20", "mobilenetv2", "densenet", "vit"]:
            for per_channel in [False, True]:
                with self.subTest(name, per_channel=per_channel):
                    quantize_static(
                        MODELS / f"{name}.onnx", self.folder / f"{name}.onnx",
                        Calibration(MODELS / f"{name}.onnx"), QuantFormat.QDQ, per_channel=per_channel)
                    # Sums of multiples of a scale often lie half-way between two integers, so that
                    # the last digit decides: the result, of 8 bits itself, may be some steps away.
                    self.check(name, 0.04)


if __name__ == "__main__":
    unittest.main()
