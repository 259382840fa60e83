"""A short run of tools/fuzz: mutants through every entrance, and faults.

usage: PRUNEC=path/to/prunec python -m unittest fuzz_tests

PRUNEC_OPT is taken from the folder of PRUNEC.
"""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

TOOLS = pathlib.Path(__file__).resolve().parents[2] / "tools"
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
        """How many runs each row of the table has, by its name."""
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


if __name__ == "__main__":
    unittest.main()
