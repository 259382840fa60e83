"""onnx's backend tests hold for every operator that prunec knows, and in its runtime.

usage: PRUNEC=path/to/prunec PRUNEC_OPT=path/to/prunec-opt python -m unittest backend_node_tests
"""

import os
import pathlib
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import check_node_tests as node_tests  # noqa: E402
import check_runtime  # noqa: E402

# So many cases passed when this was written: fewer would mean that operators got lost.
FEWEST_PASSED, FEWEST_EXECUTED = 1100, 1650


class BackendNodeTests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.program = node_tests.Program(os.environ["PRUNEC_OPT"])
        cls.cases = node_tests.load_cases()

    def check(self, examine, exceptions, cases=None, also=frozenset(), fewest=FEWEST_PASSED):
        findings, unused = node_tests.check(
            self.program, self.cases if cases is None else cases, examine, exceptions, also)
        failed = [f"{finding.case}: {finding.message}" for finding in findings
                  if finding.verdict == node_tests.FAILED]
        self.assertEqual(failed, [])
        self.assertEqual(unused, [], "no case needs these exceptions")
        passed = sum(finding.verdict == node_tests.PASSED for finding in findings)
        self.assertGreaterEqual(passed, fewest)

    def test_evaluation(self):
        self.check(node_tests.evaluate, node_tests.EVALUATION_EXCEPTIONS)

    def test_inference(self):
        self.check(node_tests.infer, node_tests.INFERENCE_EXCEPTIONS)

    def execute(self, _, case):
        return check_runtime.execute(check_runtime.Runtime(os.environ["PRUNEC"]).run, case)

    def test_execution(self):
        self.check(self.execute, check_runtime.EXCEPTIONS, also=node_tests.CONTROL_FLOW,
                   fewest=FEWEST_EXECUTED)

    def test_execution_of_light_models(self):
        self.check(self.execute, {}, check_runtime.light_cases(), fewest=9)


if __name__ == "__main__":
    unittest.main()
