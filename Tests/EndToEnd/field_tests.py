"""Models after what people's own files do: each is pruned, right, and as small as it can be.

The models are not part of this repository but lie beside it, in ../shared/field; without them the tests are
skipped. The larger ones are made by the script that lies there.

usage: PRUNEC=path/to/prunec python -m unittest field_tests
"""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import numpy
import onnx
import onnxruntime

ROOT = pathlib.Path(__file__).resolve().parents[2]
FIELD = ROOT.parent / "shared" / "field"

# By model, the largest percentage of the MACs that `--ratio 0.5` leaves, and what is said of it. Where nothing can be
# cut, that is 100; `None` is for models without MACs.
SMALL = {
    "bn_fp16_overflow2": 50, "bn_fp16_silent_one_percent": 50, "cast_fp8_roundtrip": 50,
    "constant_sparse_value_node": 50, "deg_input_name_eq": 50, "dq_float8": 50,
    "dyn_empty_batch_split_tokens": 50, "dyn_empty_batch_tokens": 50, "fmt_opset_twice_same": 50,
    "fmt_output_listed_twice": 50, "fmt_stale_value_info_rank": 50, "fn_relu_op16_in_17": 50,
    "fn_relu_op20_in_21": 50, "if_const_cond_then_convs": 37, "loop_carries_channels": 67,
    "maxpool_indices_empty_name": 50, "sparse_initializer_conv": 37, "sparse_matmul": 38,
    "split_zero_size": 50, "zero_size_concat_and_zero_channels": 50,
    # The indices that MaxUnpool reads count over the whole input.
    "maxpool_ceil_dil_storage_indices": 100, "maxunpool_odd_width_only": 100,
}
MADE = {
    "audio_unchecked": 50, "dfl_bins": 65, "dynamic_quantize_lstm": 67, "gelu_mul_gated": 50,
    "groupnorm_own": 31, "groupnorm_shared": 31, "ocr_height": 50, "onehot_vocabulary": 51,
    "opset_twice": 50, "output_rank": 50, "qdq_silu": 26, "qdq_ties4": 27, "scaler": 50,
    "scan": 50, "shared_bias": 50, "stft": 55, "topk_close": 50, "topo_order": 50,
    "if_branches": 50,
    # All of its channels are given out.
    "lstm_in_if": 100,
}
RELIABILITY = {"declared-wrong": 50, "mlp": 50, "mean-of-infinity": 50}
# Rounding to few bits doubles a difference in the last place.
LOOSE = {"qdq_silu": 5e-2, "qdq_ties4": 5e-2, "dynamic_quantize_lstm": 2e-2}
TYPES = {
    "tensor(float)": numpy.float32, "tensor(float16)": numpy.float16,
    "tensor(int64)": numpy.int64, "tensor(int32)": numpy.int32, "tensor(bool)": numpy.bool_,
}


def session(path, optimized=True):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    if not optimized:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def feeds(model, shapes):
    generator = numpy.random.default_rng(0)
    result = {}
    for value in model.get_inputs():
        shape = shapes.get(value.name) or [
            extent if isinstance(extent, int) else 2 for extent in value.shape]
        numbers = numpy.asarray(generator.standard_normal(shape))
        kind = TYPES[value.type]
        result[value.name] = numpy.asarray(
            numbers if numpy.issubdtype(kind, numpy.floating) else numbers > 0, kind)
    return result


def checks(path):
    try:
        onnx.checker.check_model(str(path), full_check=True)
        return True
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError):
        return False


@unittest.skipUnless(FIELD.is_dir(), f"{FIELD} is missing: the models from the field are not tested")
class FieldTests(unittest.TestCase):
    def prune(self, model, folder, *options):
        small, masked = folder / "small.onnx", folder / "masked.onnx"
        run = subprocess.run(
            [os.environ["PRUNEC"], str(model), "-o", str(small), "--emit-masked", str(masked),
             "--ratio", "0.5", "--align", "1", "--compensate", "none", "--verify-each",
             "--report", str(folder / "report.json"), *options],
            capture_output=True, text=True)
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
        return small, masked, run

    def check(self, model, largest):
        """Right in onnxruntime, accepted by onnx's checker where the original is, and small."""
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            small, masked, run = self.prune(model, folder)
            if checks(model):
                self.assertTrue(checks(small))
            self.assertIn("checked: equal to the masked original", run.stdout)
            line = next(line for line in run.stdout.splitlines() if line.startswith("MACs"))
            if largest is not None:
                self.assertLessEqual(float(line.split()[-2]), largest + 0.5)
            wanted_session = session(masked)
            inputs = feeds(wanted_session, SHAPES.get(model.stem, {}))
            expected = wanted_session.run(None, inputs)
            for actual, wanted in zip(session(small).run(None, inputs), expected, strict=True):
                self.assertEqual(actual.shape, wanted.shape)
                finite = numpy.isfinite(wanted)
                numpy.testing.assert_array_equal(numpy.isfinite(actual), finite)
                actual, wanted = actual[finite].astype(float), wanted[finite].astype(float)
                scale = numpy.abs(wanted).max(initial=1e-6)
                self.assertLessEqual(
                    numpy.abs(actual - wanted).max(initial=0) / scale,
                    LOOSE.get(model.stem, 1e-4))

    def test_small_models(self):
        self.assertEqual(sorted(SMALL), sorted(path.stem for path in FIELD.glob("*.onnx")))
        for name, largest in SMALL.items():
            with self.subTest(name):
                self.check(FIELD / f"{name}.onnx", largest)

    def test_made_models(self):
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(
                [sys.executable, str(FIELD / "make_real.py"), folder], check=True,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            for name, largest in MADE.items():
                with self.subTest(name):
                    self.check(pathlib.Path(folder) / f"{name}.onnx", largest)

    def test_hostile_models(self):
        for name, largest in RELIABILITY.items():
            with self.subTest(name):
                self.check(FIELD / "reliability" / f"{name}.onnx", largest)

    def test_empty_batches(self):
        for name, empty in (
            ("dyn_empty_batch_tokens", (0, 3, 8, 8)), ("dyn_empty_batch_split_tokens", (0, 4, 16)),
        ):
            with self.subTest(name), tempfile.TemporaryDirectory() as folder:
                model = FIELD / f"{name}.onnx"
                small, _, _ = self.prune(model, pathlib.Path(folder))
                inputs = {"x": numpy.zeros(empty, numpy.float32)}
                # onnxruntime's own rewrites write targets that fail there.
                expected = session(model, optimized=False).run(None, inputs)
                actual = session(small, optimized=False).run(None, inputs)
                self.assertEqual(
                    [output.shape for output in actual],
                    [output.shape for output in expected])

    def test_axes_whose_indices_have_a_meaning(self):
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(
                [sys.executable, str(FIELD / "make_real.py"), folder], check=True,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            for name, kept in (("onehot_vocabulary", ("E", 0, 256)), ("dfl_bins", ("W2", 0, 64))):
                with self.subTest(name):
                    model = pathlib.Path(folder) / f"{name}.onnx"
                    small, _, _ = self.prune(model, pathlib.Path(folder))
                    tensor, axis, extent = kept
                    weights = {w.name: list(w.dims) for w in onnx.load(small).graph.initializer}
                    self.assertEqual(weights[tensor][axis], extent)


SHAPES = {"audio_unchecked": {"x": [2, 512]}, "ocr_height": {"x": [1, 3, 48, 64]}}

if __name__ == "__main__":
    unittest.main()
