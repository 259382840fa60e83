"""A short run of tools/fuzz: mutants through every entrance, and faults.

usage: PRUNEC=path/to/prunec python -m unittest fuzz_tests

PRUNEC_OPT is taken from the folder of PRUNEC.
"""

import io
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import numpy

TOOLS = pathlib.Path(__file__).resolve().parents[2] / "tools"
sys.path.insert(0, str(TOOLS))

from fuzzing import materials  # noqa: E402
from fuzzing.entrances.statistics import checksum  # noqa: E402

ENTRANCES, FAULTS = 11, 6


def fuzz(keep, *arguments):
    command = [sys.executable, "-m", "fuzzing", "--prunec", os.environ["PRUNEC"], "--keep", keep, *arguments]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": str(TOOLS)})


class FuzzTests(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def rows(self, result):
        """Number of runs in each row of the table, by its name."""
        lines = [line.split() for line in result.stdout.splitlines()]
        start = next(place for place, line in enumerate(lines) if line[1:2] == ["runs"])
        return {line[0]: int(line[1]) for line in lines[start + 1:] if len(line) > 3 and line[1].isdigit()}

    def test_mutants(self):
        result = fuzz(self.folder, "--seed", "1", "--mutants", "400", "--jobs", "2", "--time", "12", "--limit", "60")
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        rows = self.rows(result)
        self.assertEqual(len(rows), ENTRANCES + 1, result.stdout)
        self.assertGreater(rows["all"], 50)

    def test_faults(self):
        result = fuzz(self.folder, "--faults", "--runs", "6", "--limit", "60")
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assertEqual(len(self.rows(result)), FAULTS + 1, result.stdout)

    def test_a_finding_is_kept_and_made_again(self):
        """Of a program that ends by a signal, each mutant is a finding, and its number makes the same files."""
        broken = self.folder / "bin" / "prunec"
        broken.parent.mkdir()
        broken.write_text(f'#!/bin/bash\n[ "$1 $2" = "run model.onnx" ] && kill -SEGV $$\nexec {os.environ["PRUNEC"]} "$@"\n')
        broken.chmod(0o755)
        (broken.parent / "prunec-opt").symlink_to(pathlib.Path(os.environ["PRUNEC"]).with_name("prunec-opt"))
        found = self.folder / "found"
        arguments = ["--prunec", str(broken), "--entrance", "arrays", "--seed", "3"]
        result = fuzz(found, *arguments, "--mutants", "12")
        self.assertEqual(result.returncode, 1, result.stderr)
        kept = sorted(found.iterdir())
        self.assertTrue(kept, result.stdout)
        self.assertIn("signal: 11", (kept[0] / "finding.txt").read_text())
        number = kept[0].name.rsplit("-", 1)[1]
        again = fuzz(found, *arguments, "--mutant", number)
        self.assertEqual(again.returncode, 1, again.stderr)
        copy = found / f"mutant-arrays-3-{number}"
        for path in copy.iterdir():
            self.assertEqual(path.read_bytes(), (kept[0] / path.name).read_bytes(), path.name)

    def test_statistics_of_odd_numbers(self):
        """Numbers in the header of a file whose checksum is right are no more trusted than others."""
        prunec = pathlib.Path(os.environ["PRUNEC"]).resolve()
        made = materials.make(prunec, self.folder)

        def write(name, data, change):
            # Damage names its statistics by their checksum, which the header is part of.
            if change is None:
                (self.folder / name).write_bytes(data)
                return
            with numpy.load(io.BytesIO(data)) as archive:
                arrays = {name: archive[name] for name in archive if name != "checksum"}
            header = json.loads(arrays["header"].tobytes())
            change(header)
            arrays["header"] = numpy.frombuffer(json.dumps(header).encode(), numpy.uint8)
            numpy.savez(self.folder / name, **arrays, checksum=numpy.array([checksum(arrays)], numpy.uint64))
            (self.folder / (name + ".npz")).rename(self.folder / name)

        def damage(**fields):
            return lambda header: header["damage"].update(fields)

        def channels(header):
            header["damage"]["groups"][0]["channels"] = -1

        def rows(header):
            header["sums"][0]["count"] = 2**63 - 1

        cases = [(None, None, 0), (None, damage(fractions=[1e30, 0.5]), 3), (None, damage(fractions=[-0.5]), 3),
                 (None, damage(sampleCount=2**63 - 1), 3), (None, channels, 3), (rows, None, 3)]
        for sums, table, code in cases:
            write("sums", made.statistics, sums)
            write("damage", made.damage, table)
            result = subprocess.run(
                [prunec, "sensitivity", "model.onnx", "--samples", "8", "--effort", "quick", "--stats", "sums", "damage"],
                cwd=self.folder, stdin=subprocess.DEVNULL, capture_output=True, text=True)
            self.assertEqual(result.returncode, code, result.stderr)


if __name__ == "__main__":
    unittest.main()
