"""A package that uses prunec as a library, beside another that has modules called `Runtime` and `Driver`.

The build takes minutes where nothing of it is in .build/client yet.

usage: python -m unittest client_tests
"""

import pathlib
import subprocess
import tempfile
import unittest

import onnx

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "Fixtures" / "Client"
MODEL = ROOT / "Fixtures" / "Models" / "lenet300.onnx"


class ClientTests(unittest.TestCase):
    def test_client_builds_and_prunes(self):
        place = ["--package-path", str(PACKAGE), "--scratch-path", str(ROOT / ".build" / "client")]
        built = subprocess.run(["swift", "build", "--disable-index-store", *place],
                               capture_output=True, text=True)
        self.assertEqual(built.returncode, 0, built.stdout + built.stderr)

        with tempfile.TemporaryDirectory() as folder:
            small = pathlib.Path(folder) / "small.onnx"
            ran = subprocess.run([ROOT / ".build" / "client" / "debug" / "Client", MODEL, small],
                                 capture_output=True, text=True)
            self.assertEqual(ran.returncode, 0, ran.stderr)
            printed = {words[0]: [int(word) for word in words[1:]]
                       for words in map(str.split, ran.stdout.splitlines())}
            model = onnx.load(small)

        self.assertLessEqual(printed["macs"][1], printed["macs"][0] / 2)
        self.assertEqual(printed["parameters"], [parameters(onnx.load(MODEL)), parameters(model)])
        self.assertEqual(printed["output"][1:], [10])


def parameters(model):
    return sum(int(onnx.numpy_helper.to_array(tensor).size) for tensor in model.graph.initializer)


if __name__ == "__main__":
    unittest.main()
