"""Sequences of tensors that are taken apart: onnxruntime computes the same as before.

usage: PRUNEC_OPT=path/to/prunec-opt python -m unittest sequences_tests
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

GOLDENS = ROOT / "Fixtures" / "Passes" / "unpack-sequences" / "unpacks.onnxtxt"


def cases():
    """The text of each model of the pass's golden file, after its description."""
    for section in GOLDENS.read_text().split("\n# expect:")[:-1]:
        start = section.rindex("# run:")
        description = section[:start].rstrip().splitlines()[-1]
        yield description, section[start:]


class SequencesTests(unittest.TestCase):
    def run_passes(self, source, passes, target):
        finished = subprocess.run(
            [os.environ["PRUNEC_OPT"], source, "--passes", passes, "-o", target],
            stdin=subprocess.DEVNULL, capture_output=True, text=True)
        self.assertEqual(finished.returncode, 0, finished.stderr)

    def test_goldens(self):
        for description, text in cases():
            with self.subTest(description), tempfile.TemporaryDirectory() as folder:
                source, before, after = (
                    os.path.join(folder, name) for name in ("s.onnxtxt", "b.onnx", "a.onnx"))
                pathlib.Path(source).write_text(text)
                self.run_passes(source, "eliminate-dead-nodes", before)
                self.run_passes(source, "fixpoint(unpack-sequences)", after)
                self.assertIn("Sequence", str(onnx.load(before).graph.node))
                self.assertEqual(compare(before, before, after).absolute_error, 0)


if __name__ == "__main__":
    unittest.main()
