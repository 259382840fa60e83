"""Families of architectures: pruned to half of the channels, each has to be right, and small.

The files are networks of random weights, in both of PyTorch's exporters, that `tools/sweep
--write-fixtures` writes; what is small and why not smaller stands in the table.

usage: PRUNEC=path/to/prunec python -m unittest families_tests
"""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import onnx

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

from check_pruned import compare  # noqa: E402

FOLDER = ROOT / "Fixtures" / "Families"
TOLERANCE = 1e-4
# The percentage of the parameters that may be left, of a family or of one file. A layer between
# channels that are halved keeps a quarter of its weights; one that reads the input or makes the
# output keeps half, which in networks as small as these is a good part. One file picks single
# elements by a tensor of indices, which pins two layers.
LARGEST = {
    "conv-fc": 27, "convnext": 32, "convnext-dynamo": 53, "densenet": 28, "efficientnet": 33,
    "generator": 41, "glu": 39, "groupnorm": 28, "gru": 32, "llama": 33, "llama-tied": 37, "lstm": 30,
    "lstm-bidirectional": 30, "mlp": 35, "mobilenetv2": 32, "mobilenetv3": 32, "pixelshuffle": 28,
    "resnet": 27, "resnext": 28, "shufflenetv2": 31, "siamese": 36, "space-to-depth": 28, "swin": 36,
    "unet": 27, "vit-fused": 32, "vit-mha": 37, "vit-separate": 32, "yolov8": 28,
}
OPTIONS = ["--ratio", "0.5", "--align", "1", "--compensate", "none"]


class FamiliesTests(unittest.TestCase):
    def test_every_family_is_here(self):
        files = sorted(path.stem for path in FOLDER.glob("*.onnx"))
        families = sorted({stem.rsplit("-", 1)[0] for stem in files})
        self.assertEqual(families, sorted(LARGEST.keys() - set(files)))
        self.assertEqual(len(files), 2 * len(families))

    def test_half_of_the_channels(self):
        for path in sorted(FOLDER.glob("*.onnx")):
            with self.subTest(path.stem), tempfile.TemporaryDirectory() as folder:
                small, masked = os.path.join(folder, "s.onnx"), os.path.join(folder, "m.onnx")
                run = subprocess.run(
                    [os.environ["PRUNEC"], str(path), "-o", small, "--emit-masked", masked, *OPTIONS],
                    stdin=subprocess.DEVNULL, capture_output=True, text=True)
                self.assertEqual(run.returncode, 0, run.stderr)
                self.assertIn("checked: equal", run.stdout)
                self.assertNotIn("not known", run.stderr)
                onnx.checker.check_model(small, full_check=True)
                result = compare(path, masked, small)
                self.assertLess(result.relative_error, TOLERANCE)
                kept = 100 * result.parameters_after / result.parameters_before
                family = path.stem.rsplit("-", 1)[0]
                self.assertLessEqual(kept, LARGEST.get(path.stem, LARGEST[family]))


if __name__ == "__main__":
    unittest.main()
