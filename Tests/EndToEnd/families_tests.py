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
# The percentage of the parameters that may be left, of either file of a family. A layer between
# channels that are halved keeps a quarter of its weights. Half is kept where a weight has one axis
# of channels only, and all where it has none; in networks as small as these that is a good part.
LARGEST = {
    # Nothing but the first layer and the last, which have an input or an output on one side.
    "conv-fc": 26, "densenet": 28, "groupnorm": 27, "gru": 31, "llama": 30, "lstm": 29,
    "lstm-bidirectional": 30, "pixelshuffle": 27, "resnet": 26, "resnext": 28, "shufflenetv2": 31,
    "space-to-depth": 27, "unet": 26, "yolov8": 27,
    # The first layer reads the input with about a third of all weights or more.
    "generator": 41, "glu": 39, "mlp": 35, "siamese": 35,
    # Depthwise filters have their channels on one axis.
    "convnext": 32, "efficientnet": 33, "mobilenetv2": 32, "mobilenetv3": 31,
    # Images are cut into patches by a layer of about a fifth of all weights or more.
    "vit-fused": 32, "vit-mha": 36, "vit-separate": 32,
    # Embeddings have the words on the other axis, and a constant mask has positions on both.
    "llama-tied": 35,
    # Tables of relative positions have an entry for each pair of positions and each head, and it is the
    # dimensions of heads that are cut.
    "swin": 35,
}
OPTIONS = ["--ratio", "0.5", "--align", "1", "--compensate", "none"]


class FamiliesTests(unittest.TestCase):
    def test_every_family_is_here(self):
        files = sorted(path.stem for path in FOLDER.glob("*.onnx"))
        families = sorted({stem.rsplit("-", 1)[0] for stem in files})
        self.assertEqual(families, sorted(LARGEST))
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
                self.assertLessEqual(kept, LARGEST[path.stem.rsplit("-", 1)[0]])


if __name__ == "__main__":
    unittest.main()
