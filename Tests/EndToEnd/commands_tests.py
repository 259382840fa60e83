"""prunec run, bench, verify and evaluate.

usage: PRUNEC=path/to/prunec python -m unittest commands_tests
"""

import json
import os
import pathlib
import subprocess
import tempfile
import unittest

import numpy as np
import onnxruntime

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODELS = ROOT / "Fixtures" / "Models"


def prunec(*arguments):
    return subprocess.run([os.environ["PRUNEC"], *map(str, arguments)],
                          capture_output=True, text=True)


def expected(path, inputs):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        path, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, inputs)))


def made_up(path, batch):
    """Inputs of the shapes that a model declares, with that batch where it is open."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    random = np.random.default_rng(0)
    return {
        declared.name: random.standard_normal(
            [extent if isinstance(extent, int) else batch for extent in declared.shape]
        ).astype(np.float32)
        for declared in session.get_inputs()
    }


class CommandsTests(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def run_on(self, path, inputs, *more):
        given = self.folder / "inputs.npz"
        np.savez(given, **inputs)
        output = self.folder / "outputs.npz"
        result = prunec("run", path, "--input", given, "-o", output, *more)
        self.assertEqual(result.returncode, 0, result.stderr)
        with np.load(output) as arrays:
            return dict(arrays), result.stdout

    def test_run_agrees_with_onnxruntime(self):
        paths = sorted(MODELS.glob("*.onnx")) + sorted((ROOT / "Fixtures/Families").glob("*.onnx"))
        compared = 0
        for path in paths:
            try:
                inputs = made_up(path, batch=2)
                outputs = expected(path, inputs)
            except Exception:  # inputs that are no floats
                continue
            arrays, text = self.run_on(path, inputs)
            for name, value in outputs.items():
                with self.subTest(path.name, output=name):
                    self.assertIn(name, text)
                    self.assertEqual(arrays[name].shape, value.shape)
                    scale = np.abs(value).max()
                    self.assertLessEqual(np.abs(arrays[name] - value).max(), 1e-4 * scale)
            compared += 1
        self.assertGreater(compared, 30)

    def test_threads_and_npy(self):
        path = MODELS / "resnet20.onnx"
        inputs = made_up(path, batch=3)
        one, _ = self.run_on(path, inputs, "--threads", "1")
        two, _ = self.run_on(path, inputs, "--threads", "2")
        (name, value), = expected(path, inputs).items()
        np.testing.assert_allclose(one[name], value, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(two[name], value, rtol=1e-4, atol=1e-4)
        (key, array), = inputs.items()
        np.save(self.folder / "x.npy", np.asfortranarray(array))
        result = prunec("run", path, "--input", f"{key}={self.folder / 'x.npy'}",
                        "-o", self.folder / "y.npy")
        self.assertEqual(result.returncode, 0, result.stderr)
        np.testing.assert_allclose(np.load(self.folder / "y.npy"), value, rtol=1e-4, atol=1e-4)

    def test_bench(self):
        path = MODELS / "mobilenetv2.onnx"
        trace = self.folder / "trace.json"
        result = prunec("bench", path, "--runs", "3", "--json", "--profile", trace)
        self.assertEqual(result.returncode, 0, result.stderr)
        report = json.loads(result.stdout)
        self.assertGreater(report["median_ms"], 0)
        self.assertEqual(report["runs"], 3)
        self.assertGreater(len(report["steps"]), 20)
        self.assertEqual(len(json.loads(trace.read_text())["traceEvents"]), len(report["steps"]))
        self.assertNotIn("reference", {step["kernel"] for step in report["steps"]})
        text = prunec("bench", path, "--runs", "3", "--per-layer").stdout
        self.assertIn("depthwise", text)

    def test_verify(self):
        path = MODELS / "resnet20.onnx"
        small, masked = self.folder / "small.onnx", self.folder / "masked.onnx"
        result = prunec(path, "-o", small, "--ratio", "0.5", "--emit-masked", masked)
        self.assertEqual(result.returncode, 0, result.stderr)
        same = prunec("verify", masked, small, "--json")
        self.assertEqual(same.returncode, 0, same.stderr)
        (difference,) = json.loads(same.stdout)
        self.assertLess(difference["maxRelative"], 1e-5)
        self.assertEqual(difference["top1Agreement"], 1)
        other = prunec("verify", path, small)
        self.assertEqual(other.returncode, 1)
        self.assertIn("computes something else", other.stderr)

    def test_evaluate(self):
        path = MODELS / "lenet300.onnx"
        inputs = made_up(path, batch=20)
        (x,), (logits,) = inputs.values(), expected(path, inputs).values()
        labels = np.argmax(logits, axis=-1).astype(np.int64)
        labels[:5] = np.argmin(logits[:5], axis=-1)
        data = self.folder / "set.npz"
        np.savez_compressed(data, x=x, y=labels)
        result = prunec("evaluate", path, "--data", data, "--json", "--batch", "7")
        self.assertEqual(result.returncode, 0, result.stderr)
        report = json.loads(result.stdout)
        self.assertEqual((report["items"], report["top1"]), (20, 0.75))
        self.assertIn("top-1 75.00 %", prunec("evaluate", path, "--data", data).stdout)

    def test_wrong_use_is_explained(self):
        path = MODELS / "lenet300.onnx"
        (name, array), = made_up(path, batch=2).items()
        np.save(self.folder / "wide.npy", np.zeros([2, 3], np.float32))
        np.save(self.folder / "double.npy", array.astype(np.float64))
        (self.folder / "broken.npy").write_bytes(b"\x93NUMPY\x01\x00\xff\xff{")
        (self.folder / "broken.npz").write_bytes(b"PK\x03\x04 nothing")
        cases = [
            (2, "takes shape", ["run", path, "--input", f"{name}={self.folder / 'wide.npy'}"]),
            (2, "takes float", ["run", path, "--input", f"{name}={self.folder / 'double.npy'}"]),
            (2, "no input 'z'", ["run", path, "--shape", "z=1,2"]),
            (2, "is no shape", ["run", path, "--shape", f"{name}=1,two"]),
            (3, "header", ["run", path, "--input", f"{name}={self.folder / 'broken.npy'}"]),
            (3, "archive", ["run", path, "--input", self.folder / "broken.npz"]),
            (5, "cannot be read", ["run", path, "--input", f"{name}={self.folder / 'no.npy'}"]),
            (5, "archive", ["evaluate", path, "--data", self.folder / "no.npz"]),
            (2, "must end in", ["run", path, "-o", self.folder / "out.txt"]),
            (2, "--runs", ["bench", path, "--runs", "0"]),
        ]
        for code, message, arguments in cases:
            with self.subTest(message=message, arguments=arguments):
                result = prunec(*arguments)
                self.assertEqual(result.returncode, code, result.stderr)
                self.assertIn(message, result.stderr)
                self.assertEqual(result.stdout, "")


if __name__ == "__main__":
    unittest.main()
