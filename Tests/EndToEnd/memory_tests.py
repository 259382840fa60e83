"""Limits of memory: what is too large is refused before it is allocated.

usage: PRUNEC=path/to/prunec python -m unittest memory_tests
"""

import os
import pathlib
import resource
import struct
import subprocess
import tempfile
import unittest
import zipfile

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


ROOT = pathlib.Path(__file__).resolve().parents[2]


def prunec(*arguments, address_space=None):
    def limit():
        if address_space:
            resource.setrlimit(resource.RLIMIT_AS, (address_space, address_space))
    return subprocess.run([os.environ["PRUNEC"], *map(str, arguments)], preexec_fn=limit,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True)


class MemoryTests(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def padding(self, count):
        """A model of about a hundred bytes that pads to `count` elements."""
        pads = numpy_helper.from_array(np.array([0, 0, 0, count], np.int64), "p")
        graph = helper.make_graph(
            [helper.make_node("Pad", ["x", "p"], ["y"], name="padding")], "pad",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)], [pads])
        path = self.folder / "pad.onnx"
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
        return path

    def identity(self):
        graph = helper.make_graph(
            [helper.make_node("Relu", ["x"], ["y"])], "relu",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 1024])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 1024])])
        path = self.folder / "relu.onnx"
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
        return path

    def archive(self, rows):
        """A small archive of `rows` times 4 KiB of zeros."""
        header = "{'descr': '<f4', 'fortran_order': False, 'shape': (%d, 1024), }" % rows
        header += " " * (63 - (10 + len(header)) % 64) + "\n"
        path = self.folder / "zeros.npz"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            with file.open(zipfile.ZipInfo("x.npy"), "w", force_zip64=True) as entry:
                entry.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode())
                for _ in range(rows // 256):
                    entry.write(bytes(256 * 4096))
        return path

    def test_a_small_model_that_makes_much(self):
        model = self.padding(10**8)
        for options, limit in [(["--memory", "300MiB"], None), ([], 600 << 20)]:
            result = prunec("run", model, *options, address_space=limit)
            self.assertEqual(result.returncode, 4, result.stderr)
            self.assertIn("Pad", result.stderr)
            self.assertIn("MiB of memory", result.stderr)
        self.assertEqual(prunec("run", self.padding(1000), "--memory", "500MiB").returncode, 0)

    def test_a_small_archive_that_holds_much(self):
        model, arrays = self.identity(), self.archive(256 * 512)
        result = prunec("run", model, "--input", arrays, "--memory", "400MiB")
        self.assertNotEqual(result.returncode, 0)
        self.assertGreater(result.returncode, 0)
        self.assertIn("zeros.npz", result.stderr)
        self.assertIn("'x.npy' takes", result.stderr)
        self.assertEqual(prunec("run", model, "--input", self.archive(256), "--memory", "400MiB").returncode, 0)

    def test_a_limited_address_space_ends_in_an_error(self):
        """A limit that is too small is said, also where an allocation is too small to be asked for."""
        model = ROOT / "Fixtures" / "Models" / "vgg8.onnx"
        small = self.folder / "small.onnx"
        codes = set()
        for limit in (80, 110, 200):
            for arguments in (["bench", model, "--runs", "1"], [model, "-o", small, "--macs", "0.5", "-q"]):
                result = prunec(*arguments, address_space=limit << 20)
                # The loader needs some before the program begins.
                if "shared libraries" in result.stderr:
                    continue
                self.assertIn(result.returncode, (0, 4, 5), (limit, result.stderr))
                if result.returncode:
                    self.assertIn("error", result.stderr)
                    self.assertFalse(small.exists())
                codes.add(result.returncode)
        self.assertIn(4, codes)

    def test_statistics_that_do_not_fit(self):
        """Foundation traps where it gets no memory, which is an error like others."""
        random = np.random.default_rng(0)
        weights = [numpy_helper.from_array(random.standard_normal((512, 512)).astype(np.float32), f"w{index}") for index in range(4)]
        nodes = [helper.make_node("MatMul", [f"h{index}", f"w{index}"], [f"h{index + 1}"]) for index in range(4)]
        ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 512]) for name in ("h0", "h4")]
        graph = helper.make_graph(nodes, "deep", ends[:1], ends[1:], weights)
        model, samples, target = (self.folder / name for name in ("deep.onnx", "x.npy", "deep.stats"))
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), model)
        np.save(samples, random.standard_normal((8, 512)).astype(np.float32))
        codes = set()
        for limit in range(96, 200, 6):
            result = prunec("calibrate", model, "--calibration", samples, "-o", target, "-q", address_space=limit << 20)
            if "shared libraries" in result.stderr:
                continue
            self.assertIn(result.returncode, (0, 4), (limit, result.stderr))
            self.assertEqual(target.exists(), result.returncode == 0)
            target.unlink(missing_ok=True)
            codes.add(result.returncode)
        self.assertEqual(codes, {0, 4})

    def test_sizes(self):
        model = self.identity()
        for text in ("0", "0.5", "much", "-1GiB"):
            result = prunec("run", model, f"--memory={text}")
            self.assertEqual(result.returncode, 2, text)


if __name__ == "__main__":
    unittest.main()
