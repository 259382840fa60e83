"""Hostile files end with a documented exit code and a message, quickly, and without an output.

usage: PRUNEC=path/to/prunec python -m unittest invalid_tests
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Fixtures/Invalid"))

import make  # noqa: E402

SECONDS = 2
MEGABYTES = 256
# A message says where: a byte, node, value, file or folder by name.
PLACE = re.compile(r"byte \d+|node '|value '|'[^']+'|the (file|model|graph)")


# Runs in a process of its own: the peak memory that the system reports for a child includes what its
# parent had when it started, and the process of all tests has much.
MEASURE = """
import os, signal, sys, time
start = time.monotonic()
nothing = os.open(os.devnull, os.O_RDWR)
pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=[
    (os.POSIX_SPAWN_DUP2, nothing, 0), (os.POSIX_SPAWN_DUP2, nothing, 1)])
signal.signal(signal.SIGALRM, lambda *_: os.kill(pid, signal.SIGKILL))
signal.alarm(60)
_, status, usage = os.wait4(pid, 0)
print(os.waitstatus_to_exitcode(status), time.monotonic() - start, usage.ru_maxrss)
"""


class Outcome:
    """One run of prunec: how it ended, what it said, what it took."""

    def __init__(self, source, target):
        command = [sys.executable, "-S", "-c", MEASURE, os.environ["PRUNEC"], source, "-o", target]
        finished = subprocess.run(command, capture_output=True, check=True)
        code, seconds, kilobytes = finished.stdout.split()
        self.code = int(code)
        self.seconds = float(seconds)
        self.megabytes = int(kilobytes) / 1024
        self.message = finished.stderr.decode(errors="replace")


class InvalidTests(unittest.TestCase):
    def check(self, source, folder, expected):
        target = os.path.join(folder, "out", "small.onnx")
        outcome = Outcome(source, target)
        said = outcome.message[-500:]
        self.assertGreaterEqual(outcome.code, 0, f"ended by signal {-outcome.code}: {said}")
        self.assertIn(outcome.code, make.expected_codes(expected), said)
        self.assertLess(outcome.seconds, SECONDS)
        self.assertLess(outcome.megabytes, MEGABYTES)
        self.assertLess(len(outcome.message), 4096, "the message is too long to be read")
        if outcome.code == make.DONE:
            os.remove(target)
        else:
            self.assertIn("error: ", outcome.message)
            self.assertRegex(outcome.message, PLACE)
        self.assertEqual(os.listdir(os.path.dirname(target)), [])

    def test_invalid_files(self):
        with tempfile.TemporaryDirectory() as folder:
            os.mkdir(os.path.join(folder, "out"))
            for name, (_, expected) in make.CASES.items():
                with self.subTest(case=name):
                    path = make.make(folder, name)
                    self.check(path, folder, expected)
                    os.remove(path)

    def test_other_formats(self):
        """Files that people take for a model are called by their format."""
        for begin, said in (
            (b"<!DOCTYPE html><html></html>", "a page of HTML"),
            (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
            (b"PK\x03\x04" + bytes(40), "a zip archive"),
            (b"\x89HDF\r\n\x1a\n" + bytes(40), "an HDF5 file"),
            (b"\x1c\0\0\0TFL3" + bytes(40), "a TensorFlow Lite model"),
        ):
            with self.subTest(said), tempfile.TemporaryDirectory() as folder:
                path = os.path.join(folder, "model.onnx")
                with open(path, "wb") as file:
                    file.write(begin)
                done = subprocess.run(
                    [os.environ["PRUNEC"], "inspect", path], capture_output=True, text=True, timeout=60
                )
                self.assertEqual(done.returncode, 3)
                self.assertIn(said, done.stderr)

    def test_invalid_paths(self):
        with tempfile.TemporaryDirectory() as folder:
            os.mkdir(os.path.join(folder, "out"))
            for name, (path, expected) in make.PATHS.items():
                with self.subTest(case=name):
                    self.check(os.path.join(folder, path), folder, expected)

    def test_files_are_the_same_every_time(self):
        with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
            for name in make.CASES:
                if name.startswith("external_") or name == "random_bytes":
                    first = pathlib.Path(make.make(one, name)).read_bytes()
                    self.assertEqual(first, pathlib.Path(make.make(two, name)).read_bytes(), name)

    def test_there_are_enough(self):
        self.assertGreaterEqual(len(make.CASES), 30)


if __name__ == "__main__":
    unittest.main()
