"""onnxruntime's own attentions: pruned, they compute in onnxruntime what the masked original does.

usage: PRUNEC=path/to/prunec python -m unittest runtime_attention_tests
"""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
from dataclasses import dataclass

import numpy
import onnx
from onnx import numpy_helper

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

from check_pruned import compare  # noqa: E402

TOLERANCE = 1e-4
HEADER = '<ir_version: 8, opset_import: ["": 17, "com.microsoft": 1]>'
PROJECTIONS = "q = MatMul (x, wq) k = MatMul (x, wk) v = MatMul (x, wv)"
SEPARATE = {"wq": (12, 16), "wk": (12, 16), "wv": (12, 16), "wo": (16, 6)}
INNER, OUTER = "inner", "outer"


@dataclass(frozen=True)
class Network:
    """Projections, an attention `a` and a projection back."""

    text: str
    weights: dict
    inputs: str = "float[N, 5, 12] x"
    directions: tuple = (INNER, OUTER)
    # The percentage of the parameters that may be left.
    largest: int = 51

    def model(self):
        model = onnx.parser.parse_model(
            f"{HEADER} g ({self.inputs}) => (float[N, 5, 6] y) {{ {self.text} y = MatMul (a, wo) }}")
        generator = numpy.random.default_rng(0)
        for name, value in self.weights.items():
            if isinstance(value, tuple):
                value = generator.standard_normal(value).astype(numpy.float32)
            model.graph.initializer.append(numpy_helper.from_array(value, name))
        return model


LENGTHS = {"lengths": numpy.int32([4, 4]), "total": numpy.int32(5)}
GENERATOR = numpy.random.default_rng(1)
ANGLES = GENERATOR.standard_normal((8, 8)).astype(numpy.float32)
GROUPS = {"wq": (12, 64), "wk": (12, 32), "wv": (12, 32), "wo": (64, 6)} | LENGTHS

NETWORKS = {
    "heads": Network(
        f"{PROJECTIONS} a = com.microsoft.MultiHeadAttention <num_heads = 4> (q, k, v)", SEPARATE),
    "heads with biases": Network(
        f"{PROJECTIONS} a = com.microsoft.MultiHeadAttention <num_heads = 4, scale = 0.3> "
        "(q, k, v, b)", SEPARATE | {"b": (48,)}),
    "narrow values, and a bias for each head": Network(
        f"{PROJECTIONS} a = com.microsoft.MultiHeadAttention <num_heads = 4, unidirectional = 1> "
        "(q, k, v, b, , r)",
        SEPARATE | {"wv": (12, 8), "wo": (8, 6), "b": (40,), "r": (1, 4, 5, 5)}, largest=58),
    "keys in heads": Network(
        f"{PROJECTIONS} k4 = Reshape (k, apart) v4 = Reshape (v, apart) "
        "kt = Transpose <perm = [0, 2, 1, 3]> (k4) vt = Transpose <perm = [0, 2, 1, 3]> (v4) "
        "a = com.microsoft.MultiHeadAttention <num_heads = 4> (q, kt, vt)",
        SEPARATE | {"apart": numpy.int64([0, 0, 4, 4])}),
    "its own projections": Network(
        "a = com.microsoft.Attention <num_heads = 4> (x, w, b)",
        {"w": (12, 48), "b": (48,), "wo": (16, 6)}),
    "its own projections, narrow values": Network(
        "z = MatMul (x, wz) "
        "a = com.microsoft.Attention <num_heads = 4, qkv_hidden_sizes = [16, 16, 8], "
        "unidirectional = 1> (z, w, b, m)",
        {"wz": (12, 10), "w": (10, 40), "b": (40,), "wo": (8, 6)},
        "float[N, 5, 12] x, int32[N, 5] m"),
    "groups of heads": Network(
        f"{PROJECTIONS} a = com.microsoft.GroupQueryAttention <num_heads = 8, kv_num_heads = 4> "
        "(q, k, v, , , lengths, total, , , , r, s)",
        GROUPS | {"r": (1, 8, 5, 5), "s": (8,)}, "float[2, 5, 12] x", (OUTER,)),
    "groups of heads that are turned, of one projection": Network(
        "z = MatMul (x, w) q = Add (z, b) "
        "a = com.microsoft.GroupQueryAttention <num_heads = 4, kv_num_heads = 2, do_rotary = 1> "
        "(q, , , , , lengths, total, cosines, sines)",
        {"w": (12, 128), "b": (128,), "wo": (64, 6), "cosines": numpy.cos(ANGLES),
         "sines": numpy.sin(ANGLES)} | LENGTHS, "float[2, 5, 12] x", (OUTER,), 54),
    "one head for all queries": Network(
        f"{PROJECTIONS} a = com.microsoft.GroupQueryAttention <num_heads = 8, kv_num_heads = 1> "
        "(q, k, v, , , lengths, total)",
        GROUPS | {"wk": (12, 8), "wv": (12, 8)}, "float[2, 5, 12] x", (OUTER,), 60),
}


class RuntimeAttentionTests(unittest.TestCase):
    def test_half_of_the_channels(self):
        for name, network in NETWORKS.items():
            for direction in network.directions:
                with self.subTest(name, direction=direction), \
                        tempfile.TemporaryDirectory() as folder:
                    self.check(network, direction, folder)

    def check(self, network, direction, folder):
        original, small, masked = (os.path.join(folder, f"{name}.onnx") for name in "osm")
        onnx.save(network.model(), original)
        run = subprocess.run(
            [os.environ["PRUNEC"], original, "-o", small, "--emit-masked", masked, "--ratio", "0.5",
             "--align", "1", "--direction", direction],
            stdin=subprocess.DEVNULL, capture_output=True, text=True)
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertIn("checked: equal", run.stdout)
        result = compare(original, masked, small)
        self.assertLess(result.relative_error, TOLERANCE)
        self.assertLess(result.parameters_kept, network.largest)


if __name__ == "__main__":
    unittest.main()
