"""Files and processes: what is written appears whole, nothing replaces what it should not, failures are no success.

usage: PRUNEC=path/to/prunec python -m unittest files_tests
"""

import fcntl
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import struct
import subprocess
import tempfile
import termios
import threading
import time
import unittest
import uuid

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

MODELS = pathlib.Path(__file__).resolve().parents[2] / "Fixtures" / "Models"
DATA = re.compile(r"small\.onnx\.[0-9a-f]{16}\.data")


def command(*arguments):
    return [os.environ["PRUNEC"], *map(str, arguments)]


def prunec(*arguments, text=True, **options):
    return subprocess.run(command(*arguments), stdin=subprocess.DEVNULL, text=text,
                          **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options})


class FilesTests(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.out = self.folder / "out"
        self.out.mkdir()
        self.model = self.save("model.onnx", 8, 64)

    def save(self, name, width, hidden, layers=1):
        """A perceptron of `layers` hidden layers."""
        random = np.random.default_rng(0)
        widths = [width] + [hidden] * layers + [width]
        nodes, weights, value = [], [], "x"
        for index, shape in enumerate(zip(widths, widths[1:])):
            weights.append(numpy_helper.from_array(
                random.standard_normal(shape).astype(np.float32) / shape[0] ** 0.5, f"w{index}"))
            last = index == layers
            result = "y" if last else f"h{index}"
            nodes.append(helper.make_node("MatMul", [value, f"w{index}"], [result]))
            if not last:
                nodes.append(helper.make_node("Relu", [result], [f"r{index}"]))
            value = f"r{index}"
        graph = helper.make_graph(
            nodes, "mlp", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, width])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, width])], weights)
        path = self.folder / name
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
        return path

    def names(self):
        return sorted(os.listdir(self.out))

    def assert_pair(self, path=None):
        """The model loads with its own data, and no other data and no temporary file is there."""
        path = path or self.out / "small.onnx"
        onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        model = onnx.load(path, load_external_data=False)
        named = {entry.value for tensor in model.graph.initializer for entry in tensor.external_data
                 if entry.key == "location"}
        self.assertEqual({name for name in self.names() if name != path.name}, named)
        return named

    # External data

    def test_data_and_model_are_one(self):
        small = self.out / "small.onnx"
        seen = set()
        for ratio in ("0.2", "0.5", "0.5", "0.2"):
            result = prunec(self.model, "-o", small, "--external-data", "--ratio", ratio)
            self.assertEqual(result.returncode, 0, result.stderr)
            (name,) = self.assert_pair()
            self.assertRegex(name, DATA)
            seen.add(name)
        self.assertEqual(len(seen), 2)
        # One that another model needs stays.
        shutil.copy(small, self.out / "copy.onnx")
        prunec(self.model, "-o", small, "--external-data", "--ratio", "0.5")
        onnx.load(self.out / "copy.onnx")
        onnx.load(small)
        self.assertEqual(len(self.names()), 4)
        # In place, and into the model.
        (self.out / "copy.onnx").unlink()
        self.assertEqual(prunec(small, "-o", small, "--in-place", "--ratio", "0.2").returncode, 0)
        onnx.load(small)

    def test_kills_and_other_writers(self):
        """However several writers end, the model that is there has its data."""
        small = self.out / "small.onnx"
        prunec(self.model, "-o", small, "--external-data", "--ratio", "0.1")
        random = np.random.default_rng(0)
        deadline = time.monotonic() + 4

        def write(index):
            while time.monotonic() < deadline:
                process = subprocess.Popen(
                    command(self.model, "-o", small, "--external-data", "--no-check", "-q",
                            "--ratio", f"0.{1 + index}"), stderr=subprocess.DEVNULL)
                try:
                    process.wait(delays[index] / 1000)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
                delays[index] = int(random.integers(20, 300))

        delays = [100, 200, 300]
        threads = [threading.Thread(target=write, args=(index,)) for index in range(3)]
        for thread in threads:
            thread.start()
        loads = 0
        while time.monotonic() < deadline:
            # A reader may come between the two halves of a replacement, and comes again.
            for attempt in range(20):
                try:
                    onnx.load(small)
                    loads += 1
                    break
                except FileNotFoundError:
                    self.assertLess(attempt, 19)
        for thread in threads:
            thread.join()
        self.assertGreater(loads, 10)
        onnx.load(small)
        self.assertEqual(prunec("run", small).returncode, 0)

    # Outputs that meet

    def test_outputs_do_not_meet(self):
        small = self.out / "small.onnx"
        (self.out / "again").symlink_to(self.out)
        taken = self.out / "taken"
        taken.write_text("taken")
        (self.out / "link").symlink_to("taken")
        os.link(taken, self.out / "hard")
        before = self.names()
        array = self.folder / "x.npy"
        np.save(array, np.zeros([1, 8], np.float32))
        samples = self.folder / "samples"
        samples.mkdir()
        np.savez(samples / "a.npz", x=np.zeros([8, 1, 8], np.float32))
        os.link(self.model, self.folder / "model2.onnx")
        prune = [self.model, "--ratio", "0.2", "-o"]
        cases = [
            ("two outputs", [*prune, small, "--report", self.out / "again" / "small.onnx"]),
            ("two outputs", [*prune, taken, "--report", self.out / "link"]),
            ("two outputs", [*prune, small, "--plan", taken, "--report", self.out / "hard"]),
            ("two outputs", [*prune, small, "--emit-masked", small]),
            ("two outputs", [*prune, small, "--external-data",
                             "--report", self.out / f"small.onnx.{'0' * 16}.data"]),
            ("is what this run reads", [*prune, self.folder / "model2.onnx"]),
            ("is what this run reads", [*prune, small, "--report", self.model]),
            ("is what this run reads", [*prune, small, "--in-place", "--plan", self.model]),
            ("is what this run reads", [*prune, small, "--calibration", array, "--plan", array]),
            ("is what this run reads",
             [*prune, small, "--calibration", samples, "--report", samples / "a.npz"]),
            ("is what this run reads",
             ["calibrate", self.model, "--calibration", array, "-o", self.folder / "model2.onnx"]),
            ("is what this run reads", ["sensitivity", self.model, "--html", self.model]),
            ("is what this run reads", ["bench", self.model, "--profile", self.model]),
        ]
        contents = self.model.read_bytes()
        for message, arguments in cases:
            with self.subTest(message=message, arguments=arguments):
                result = prunec(*arguments)
                self.assertEqual(result.returncode, 2, result.stderr)
                self.assertIn(message, result.stderr)
                self.assertEqual(self.names(), before)
                self.assertEqual(taken.read_text(), "taken")
                self.assertEqual(self.model.read_bytes(), contents)
        # A device that takes everything may be named twice.
        result = prunec(*prune, "/dev/null", "--report", "/dev/null")
        self.assertEqual(result.returncode, 0, result.stderr)

    # Inputs that change

    def test_an_input_that_changes(self):
        """The model is written to while it is looked at, in ways that a run must notice."""
        large = self.save("large.onnx", 128, 512, layers=3)
        small = self.out / "small.onnx"

        def shorten(path):
            os.truncate(path, 4096)

        def change(path):
            with open(path, "r+b") as file:
                file.seek(os.path.getsize(path) // 2)
                file.write(b"\1\2\3\4")

        for alter in (shorten, change):
            copy = self.folder / "copy.onnx"
            for arguments in ([copy, "-o", small, "--ratio", "0.3"],
                              ["bench", copy, "--runs", "300"]):
                with self.subTest(alter.__name__, arguments=arguments):
                    shutil.copy(large, copy)
                    process = subprocess.Popen(command(*arguments), stdout=subprocess.PIPE,
                                               stderr=subprocess.PIPE, text=True)
                    self.wait_for_map(process, copy)
                    alter(copy)
                    if arguments[0] == "bench" and alter is shorten:
                        # Its weights may have been packed before.
                        _, said = process.communicate()
                        self.assertIn(process.returncode, (0, 5), said)
                        continue
                    _, said = process.communicate()
                    self.assertEqual(process.returncode, 5, said)
                    self.assertIn("copy.onnx", said)
                    self.assertEqual(self.names(), [])

    def wait_for_map(self, process, path):
        """Waits until the process has mapped the file."""
        while process.poll() is None:
            try:
                if str(path) in pathlib.Path(f"/proc/{process.pid}/maps").read_text():
                    return
            except (FileNotFoundError, ProcessLookupError):
                break
            time.sleep(0.001)
        self.fail("it has ended before it has read the file")

    # Outputs that cannot be written

    def test_standard_output(self):
        for arguments in (["inspect", self.model], ["--help"], ["run", self.model],
                          [self.model, "-o", self.out / "small.onnx"]):
            with self.subTest(arguments=arguments):
                with open("/dev/full", "w") as full:
                    result = prunec(*arguments, stdout=full)
                self.assertEqual(result.returncode, 5, result.stderr)
                self.assertIn("standard output", result.stderr)
                reading, writing = os.pipe()
                os.close(reading)
                result = prunec(*arguments, stdout=writing)
                os.close(writing)
                self.assertEqual(result.returncode, 5, result.stderr)
        # Errors that nobody reads change nothing.
        with open("/dev/full", "w") as full:
            self.assertEqual(prunec("inspect", "no.onnx", stderr=full).returncode, 5)
        closed = subprocess.run(["bash", "-c", '"$0" run "$1" -o "$2" >&-', os.environ["PRUNEC"],
                                 self.model, self.out / "y.npz"], capture_output=True)
        self.assertEqual(closed.returncode, 5)
        np.load(self.out / "y.npz")

    def test_a_model_for_standard_output(self):
        small = self.out / "small.onnx"
        self.assertEqual(prunec(self.model, "-o", small, "--ratio", "0.5").returncode, 0)
        result = prunec(self.model, "-o", "/dev/stdout", "--ratio", "0.5", text=False)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(result.stdout, small.read_bytes())
        with open(self.out / "redirected", "wb") as file:
            result = prunec(self.model, "-o", "/dev/stdout", "--ratio", "0.5", stdout=file)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual((self.out / "redirected").read_bytes(), small.read_bytes())
        result = prunec(self.model, "-o", small, "--ratio", "0.5", "--report", "/dev/stdout")
        json.loads(result.stdout)
        for more in (["--json"], ["--report", "/dev/stdout"], ["--external-data"]):
            result = prunec(self.model, "-o", "/dev/stdout", "--ratio", "0.5", *more, text=False)
            self.assertEqual(result.returncode, 2, result.stderr)
            self.assertEqual(result.stdout, b"")

    def test_outputs_are_all_or_none(self):
        small, report = self.out / "small.onnx", self.out / "report.json"
        prune = [self.model, "-o", small, "--ratio", "0.5", "--external-data"]
        cases = [
            ("No such file", ["--report", self.out / "nowhere" / "r.json"]),
            ("it is a folder", ["--plan", self.out]),
            ("No space left", ["--report", "/dev/full"]),
        ]
        for message, more in cases:
            with self.subTest(message):
                result = prunec(*prune, *more)
                self.assertEqual(result.returncode, 5, result.stderr)
                self.assertIn(message, result.stderr)
                self.assertEqual(self.names(), [])

        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))
        result = prunec(*prune, "--report", report, preexec_fn=limit)
        self.assertEqual(result.returncode, 5, result.stderr)
        self.assertIn("File too large", result.stderr)
        self.assertEqual(self.names(), [])

        small.write_bytes(b"kept")
        small.chmod(0o444)
        result = prunec(*prune)
        self.assertEqual(result.returncode, 5, result.stderr)
        self.assertIn("read-only", result.stderr)
        self.assertEqual(small.read_bytes(), b"kept")
        self.assertEqual(self.names(), ["small.onnx"])

    # Signals

    def test_signals_leave_nothing(self):
        """A signal during the measurement of times removes the folder of models, and ends the command that measures."""
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(number=number):
                temporary = self.folder / f"tmp{number}"
                temporary.mkdir()
                mark = f"{uuid.uuid4().int % 10**9}.5"
                process = subprocess.Popen(
                    command(self.model, "-o", self.out / "small.onnx", "--latency", "0.5",
                            "--measure", f"sleep {mark}; true {{model}}"),
                    env={**os.environ, "TMPDIR": str(temporary), "XDG_CACHE_HOME": str(temporary)},
                    stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                    preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
                deadline = time.monotonic() + 20
                while not self.runs(mark):
                    self.assertIsNone(process.poll(), process.stderr)
                    self.assertLess(time.monotonic(), deadline)
                    time.sleep(0.01)
                self.assertTrue(any(temporary.glob("prunec-*")))
                process.send_signal(number)
                process.communicate()
                self.assertEqual(process.returncode, -number)
                self.assertEqual(list(temporary.glob("prunec-*")), [])
                time.sleep(0.05)
                self.assertFalse(self.runs(mark))
                self.assertEqual(self.names(), [])

    def runs(self, mark):
        """Whether some process has `mark` as an argument of its own."""
        for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            try:
                if mark.encode() in path.read_bytes().split(b"\0"):
                    return True
            except OSError:
                continue
        return False

    def test_signals_between_names(self):
        """A signal when the data has its name and the model has none as yet leaves a model with its data, and nothing else."""
        small = self.out / "small.onnx"
        prunec(self.model, "-o", small, "--external-data", "--ratio", "0.1")
        endings = set()
        for turn in range(12):
            before = set(self.names())
            process = subprocess.Popen(
                command(self.model, "-o", small, "--external-data", "--no-check", "-q", "--compensate", "none",
                        "--ratio", ("0.5", "0.2")[turn % 2]), stderr=subprocess.DEVNULL)
            while process.poll() is None and not any(DATA.fullmatch(name) for name in set(self.names()) - before):
                pass
            process.terminate()
            endings.add(process.wait())
            self.assert_pair()
        self.assertIn(-signal.SIGTERM, endings)

    def test_names_that_are_not_utf8(self):
        path = os.fsencode(self.folder) + b"/mod\xe8le.onnx"
        shutil.copy(self.model, path)
        result = subprocess.run([os.environ["PRUNEC"], "inspect", path], capture_output=True)
        self.assertEqual(result.returncode, 2)
        self.assertIn(b"is not UTF-8", result.stderr)
        accents = self.folder / "modèle.onnx"
        shutil.copy(self.model, accents)
        self.assertEqual(prunec(accents, "-o", self.out / "résumé.onnx", "-q").returncode, 0)
        self.assertEqual(self.names(), ["résumé.onnx"])

    # Start

    def test_linear_algebra_is_loaded_when_it_is_needed(self):
        """A command that needs none of OpenBLAS has neither it nor its threads."""
        for arguments in (["inspect", MODELS / "vgg8.onnx", "--json"], ["prune", "--help"]):
            with self.subTest(arguments=arguments):
                reading, writing = os.pipe()
                # The text does not fit into the pipe, so that the process waits.
                fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
                process = subprocess.Popen(command(*arguments), stdout=writing)
                os.close(writing)
                folder = pathlib.Path(f"/proc/{process.pid}")
                while struct.unpack("i", fcntl.ioctl(reading, termios.FIONREAD, bytes(4)))[0] < 4096:
                    time.sleep(0.01)
                maps = (folder / "maps").read_text()
                threads = len(list((folder / "task").iterdir()))
                with open(reading, "rb") as file:
                    file.read()
                self.assertEqual(process.wait(), 0)
                self.assertIn("libswiftCore", maps)
                self.assertNotIn("openblas", maps)
                self.assertEqual(threads, 1)


if __name__ == "__main__":
    unittest.main()
