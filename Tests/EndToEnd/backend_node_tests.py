"""onnx's backend tests hold for every operator that prunec knows.

usage: PRUNEC_OPT=path/to/prunec-opt python -m unittest backend_node_tests
"""

import os
import pathlib
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import check_node_tests as node_tests  # noqa: E402

# So many cases passed when this was written: fewer would mean that operators got lost.
FEWEST_PASSED = 1100


class BackendNodeTests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.program = node_tests.Program(os.environ["PRUNEC_OPT"])
        cls.cases = node_tests.load_cases()

    def check(self, examine, exceptions):
        findings, unused = node_tests.check(self.program, self.cases, examine, exceptions)
        failed = [f"{finding.case}: {finding.message}" for finding in findings
                  if finding.verdict == node_tests.FAILED]
        self.assertEqual(failed, [])
        self.assertEqual(unused, [], "no case needs these exceptions")
        passed = sum(finding.verdict == node_tests.PASSED for finding in findings)
        self.assertGreaterEqual(passed, FEWEST_PASSED)

    def test_evaluation(self):
        self.check(node_tests.evaluate, node_tests.EVALUATION_EXCEPTIONS)

    def test_inference(self):
        self.check(node_tests.infer, node_tests.INFERENCE_EXCEPTIONS)


if __name__ == "__main__":
    unittest.main()
