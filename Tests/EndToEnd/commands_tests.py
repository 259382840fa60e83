"""prunec run, bench, verify and evaluate.

usage: PRUNEC=path/to/prunec python -m unittest commands_tests
"""

import json
import os
import pathlib
import subprocess
import tempfile
import unittest
import zipfile

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

    def text_model(self, inputs, outputs, nodes):
        """A model in ONNX's textual syntax."""
        path = self.folder / f"model{len(list(self.folder.iterdir()))}.onnxtxt"
        path.write_text('<ir_version: 10, opset_import: ["" : 21]>\n'
                        f"main ({inputs}) => ({outputs}) {{ {nodes} }}\n")
        return path

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
        self.assertGreater(report["threads"], 0)
        self.assertEqual([len(given["shape"]) for given in report["inputs"]], [4])
        self.assertGreater(len(report["steps"]), 20)
        self.assertEqual(len(json.loads(trace.read_text())["traceEvents"]), len(report["steps"]))
        self.assertNotIn("reference", {step["kernel"] for step in report["steps"]})
        text = prunec("bench", path, "--runs", "3", "--per-layer").stdout
        self.assertIn("depthwise", text)
        self.assertIn(" µs", text)
        text = prunec("bench", self.text_model("float[N, 4] x", "float[N, 4] y", "y = Relu (x)"),
                      "--runs", "3").stdout
        self.assertIn("timed for x [1, 4]", text)
        self.assertRegex(text, r"; \d+ B for activations")

    def test_verify(self):
        path = MODELS / "resnet20.onnx"
        small, masked = self.folder / "small.onnx", self.folder / "masked.onnx"
        result = prunec(path, "-o", small, "--ratio", "0.5", "--emit-masked", masked)
        self.assertEqual(result.returncode, 0, result.stderr)
        same = prunec("verify", masked, small, "--json")
        self.assertEqual(same.returncode, 0, same.stderr)
        (difference,) = json.loads(same.stdout)
        self.assertLess(difference["max_relative"], 1e-5)
        self.assertEqual(difference["top1_agreement"], 1)
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

    def test_verify_says_what_cannot_be_compared(self):
        one = self.text_model("float[4] x", "float[4] y", "y = Relu (x)")
        two = self.text_model("float[4] x", "int64[4] y", "y = Cast <to = 7> (x)")
        wide = self.text_model("float[4] x", "float[8] y", "y = Concat <axis = 0> (x, x)")
        pair = self.text_model("float[4] x", "float[4] y, float[4] z", "y = Relu (x) z = Abs (x)")
        for other, message in [
            (two, "output 'y' is int64 [4] instead of float [4]"),
            (wide, "output 'y' is float [8] instead of float [4]"),
            (pair, "has 2 outputs instead of 1"),
        ]:
            result = prunec("verify", one, other)
            self.assertEqual(result.returncode, 1, result.stderr)
            self.assertIn(message, result.stderr)
        self.assertIn("has 1 output instead of 2", prunec("verify", pair, one).stderr)
        infinite = self.text_model(
            "float[4] x", "float[4] y",
            "zero = Sub (x, x) one = Exp (zero) y = Div (one, zero)")
        result = prunec("verify", one, infinite, "--json")
        self.assertEqual(result.returncode, 1, result.stderr)
        (difference,) = json.loads(result.stdout)
        self.assertEqual(difference["max_absolute"], "inf")
        undefined = self.text_model(
            "float[4] x", "float[4] y", "zero = Sub (x, x) y = Div (zero, zero)")
        result = prunec("verify", undefined, undefined)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("a comparison of it says nothing", result.stderr)

    def evaluate(self, path, **arrays):
        data = self.folder / "data.npz"
        np.savez(data, **arrays)
        return prunec("evaluate", path, "--data", data)

    def test_evaluate_explains_what_does_not_fit(self):
        scores = self.text_model("float[N, 3] x", "float[N, 3] y", "y = Identity (x)")
        maps = self.text_model("float[N, 3, 2, 2] x", "float[N, 3, 2, 2] y", "y = Identity (x)")
        indices = self.text_model("int64[N, 3] x", "float[N, 3] y", "y = Cast <to = 1> (x)")
        x, y = np.eye(3, dtype=np.float32), np.arange(3)
        for code, message, path, arrays in [
            (2, "not [N, classes]", maps, dict(x=np.zeros([3, 3, 2, 2], np.float32), y=y)),
            (2, "takes int64, which cannot express", indices, dict(x=x / 2, y=y)),
            (3, "label 18446744073709551615 of item 0", scores,
             dict(x=x, y=np.full(3, 2**64 - 1, np.uint64))),
            (3, "x has 3 items, y 2 labels", scores, dict(x=x, y=y[:2])),
            (2, "has no labels", scores, dict(x=x)),
            (2, "has no array for input 'x', but no others", scores, {}),
        ]:
            with self.subTest(message):
                result = self.evaluate(path, **arrays)
                self.assertEqual(result.returncode, code, result.stderr)
                self.assertIn(message, result.stderr)
        self.assertIn("top-1 100.00 %", self.evaluate(indices, x=x, y=y).stdout)
        roots = self.text_model("float[N, 3] x", "float[N, 3] y", "y = Sqrt (x)")
        x[0] = -1
        result = self.evaluate(roots, x=x, y=y, note=np.array(["unused"]))
        self.assertIn("top-1 66.67 %", result.stdout)
        self.assertIn("1 of 3 items have a score that is NaN", result.stderr)

    def test_arrays(self):
        path = self.text_model("float[N] x", "float[N] y", "y = Identity (x)")
        x = np.arange(5, dtype=np.float32)
        output = self.folder / "y.npy"
        for type in [">f4", "<f4"]:
            np.save(self.folder / "x.npy", x.astype(type))
            result = prunec("run", path, "--input", f"x={self.folder / 'x.npy'}", "-o", output)
            self.assertEqual(result.returncode, 0, result.stderr)
            np.testing.assert_array_equal(np.load(output), x)
        given = self.folder / "given.npz"
        np.savez(given, x=x, note=np.array(["unused"]))
        with zipfile.ZipFile(given, "a") as archive:
            archive.writestr("README.txt", "unused")
        result = prunec("run", path, "--input", given, "-o", output)
        self.assertEqual(result.returncode, 0, result.stderr)
        np.testing.assert_array_equal(np.load(output), x)

    def test_extents_of_one_name_are_the_same(self):
        path = self.text_model("float[M, K] a, float[K, N] b", "float[M, N] y", "y = MatMul (a, b)")
        result = prunec("run", path)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("[1, 128]", result.stdout)
        result = prunec("run", path, "--shape", "b=7,9")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("[1, 9]", result.stdout)

    def test_wrong_use_is_explained(self):
        path = MODELS / "lenet300.onnx"
        (name, array), = made_up(path, batch=2).items()
        np.save(self.folder / "wide.npy", np.zeros([2, 3], np.float32))
        np.save(self.folder / "double.npy", array.astype(np.float64))
        (self.folder / "broken.npy").write_bytes(b"\x93NUMPY\x01\x00\xff\xff{")
        (self.folder / "broken.npz").write_bytes(b"PK\x03\x04 nothing")
        np.save(self.folder / "right.npy", array)
        np.save(self.folder / "fields.npy", np.zeros(2, [("a", "<f4"), ("b", "<i4")]))
        np.save(self.folder / "text.npy", np.array(["one", "two"]))
        np.savez(self.folder / "others.npz", other=array)
        given = ["--input", f"{name}={self.folder / 'right.npy'}"]
        cases = [
            (2, "takes shape", ["run", path, "--input", f"{name}={self.folder / 'wide.npy'}"]),
            (2, "takes float", ["run", path, "--input", f"{name}={self.folder / 'double.npy'}"]),
            (2, "no input 'z'", ["run", path, "--shape", "z=1,2"]),
            (2, "is no shape", ["run", path, "--shape", f"{name}=1,two"]),
            (3, "header", ["run", path, "--input", f"{name}={self.folder / 'broken.npy'}"]),
            (3, "archive", ["run", path, "--input", self.folder / "broken.npz"]),
            (5, "No such file",
             ["run", path, "--input", f"{name}={self.folder / 'no.npy'}"]),
            (5, "not a regular file", ["run", path, "--input", f"{name}={self.folder}"]),
            (2, "names no file", ["run", path, "--input", f"{name}="]),
            (2, "--input is given twice", ["run", path] + 2 * given),
            (2, "--shape is given twice", ["run", path] + 2 * ["--shape", f"{name}=1,784"]),
            (2, "a --shape too", ["run", path, *given, "--shape", f"{name}=2,784"]),
            (2, "is what this run reads",
             ["run", path, *given, "-o", self.folder / "right.npy"]),
            (2, "is what this run reads",
             ["bench", path, *given, "--runs", "1", "--profile", self.folder / "right.npy"]),
            (5, "No such file", ["bench", self.folder / "no.onnxtxt"]),
            (2, "more than 16777216 elements",
             ["run", path, "--shape", f"{name}=100000,4,1000,1000"]),
            (2, "has no array for an input",
             ["run", path, "--input", self.folder / "others.npz"]),
            (3, "several fields", ["run", path, "--input", f"{name}={self.folder / 'fields.npy'}"]),
            (3, "type '<U3'", ["run", path, "--input", f"{name}={self.folder / 'text.npy'}"]),
            (2, "--tolerance", ["verify", path, path, "--tolerance", "nan"]),
            (2, "--tolerance", ["verify", path, path, "--tolerance", "inf"]),
            (5, "cannot be read", ["evaluate", path, "--data", self.folder / "no.npz"]),
            (2, "must end in", ["run", path, "-o", self.folder / "out.txt"]),
            (2, "--runs", ["bench", path, "--runs", "0"]),
            (2, "'--ratio <fraction>': it is not a fraction from 0 to below 1",
             [path, "-o", self.folder / "no.onnx", "--ratio", "-0.5"]),
        ]
        for code, message, arguments in cases:
            with self.subTest(message=message, arguments=arguments):
                result = prunec(*arguments)
                self.assertEqual(result.returncode, code, result.stderr)
                self.assertIn(message, result.stderr)
                self.assertEqual(result.stdout, "")


if __name__ == "__main__":
    unittest.main()
