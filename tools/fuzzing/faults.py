"""Faults: prunec is killed while it writes, its disk is full, its memory and its files are limited, its outputs are closed.

However it ends, the model that is there loads with its data and is the old one or the new one; where prunec fails by itself it
says so, with a documented exit code, and leaves nothing behind.
"""

import contextlib
import hashlib
import os
import random
import resource
import signal
import subprocess
import time
from pathlib import Path

import numpy
import onnx

from . import processes, results, seed_models, verdicts
from .campaign import temporary_folder

MODEL, SMALL = "model.onnx", "small.onnx"
INPUT_OUTPUT, UNSUPPORTED, NOT_LOADED = 5, 4, 127
RATIOS = ["0.25", "0.5"]


def layered_model():
    """A perceptron of which writing takes a while: two megabytes after pruning."""
    widths = [64, 512, 512, 512, 512, 16]
    nodes, weights, value = [], [], "x"
    for place, shape in enumerate(zip(widths, widths[1:])):
        weights.append(seed_models.weight(f"w{place}", *shape))
        nodes += [seed_models.node("MatMul", f"{value} w{place}", f"h{place}"), seed_models.node("Relu", f"h{place}", f"r{place}")]
        value = f"r{place}"
    nodes[-1].output[0] = "y"
    return seed_models.model(nodes, {"x": [1, 64]}, {"y": [1, 16]}, weights)


def digest(path):
    """Contents of a model with its data; `None` where it does not load."""
    try:
        return hashlib.sha256(onnx.load(path).SerializeToString()).hexdigest()
    except Exception:
        return None


class Bench:
    """A folder with the model and a small model in `out`, and what small models may be."""

    def __init__(self, options, folder):
        self.options, self.folder, self.out = options, folder, folder / "out"
        self.random = random.Random(options.seed)
        self.variables = processes.environment(folder / "caches")
        (folder / "caches").mkdir()
        self.out.mkdir()
        (folder / MODEL).write_bytes(layered_model().SerializeToString())
        numpy.savez(folder / "samples.npz", x=numpy.random.default_rng(0).standard_normal((16, 64)).astype(numpy.float32))
        self.wanted, self.collected = {}, []
        for ratio in RATIOS:
            start = time.monotonic()
            subprocess.run(self.command(ratio), check=True, cwd=folder, env=self.variables, capture_output=True)
            self.seconds = time.monotonic() - start
            self.wanted[ratio] = digest(self.out / SMALL)

    def chosen(self, cases):
        """At most as many of the cases as are asked for, by the seed."""
        cases = list(cases)
        return self.random.sample(cases, min(self.options.runs, len(cases)))

    def command(self, ratio, out=None):
        return [self.options.prunec, MODEL, "-o", (out or self.out) / SMALL, "--external-data", "--ratio", ratio, "--compensate", "none",
                "--no-check", "-q"]

    def note(self, fault, ending, seconds, kind=None, text=""):
        finding = kind and verdicts.Finding(kind, f"{text}: {ending.message.strip()[-200:]}")
        index = sum(result.entrance == fault for result in self.collected)
        self.collected.append(results.Result(fault, index, ending.code, seconds, finding))
        if finding:
            print(f"{finding.kind}, {fault}: {finding.text}", flush=True)

    def run(self, arguments, prepare=None, **streams):
        """Runs a command with `prepare` called in the process, and gives how it ended and how long it took."""
        start = time.monotonic()
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, **streams}
        process = subprocess.Popen(arguments, cwd=self.folder, env=self.variables, preexec_fn=prepare, **streams)
        try:
            message = process.communicate(timeout=self.options.limit)[1]
            code = process.returncode
        except subprocess.TimeoutExpired:
            process.kill()
            message, code = process.communicate()[1], None
        return processes.Ending(code, "", (message or b"").decode(errors="replace")), time.monotonic() - start

    # Judgements

    def judge_pair(self, out, ratio, old, code):
        """Fault of the small model in `out` after prunec was told to make that of `ratio` from `old`."""
        found = digest(out / SMALL)
        if code == 0 and found != self.wanted[ratio]:
            return "missing", "success, and another model"
        if code != 0 and found not in (old, self.wanted[ratio]):
            return "touched", "the model is neither the old nor the new one" if found else "the model does not load"
        return None, ""

    def leftovers(self, out):
        """The files that the model does not need."""
        model = onnx.load(out / SMALL, load_external_data=False)
        data = {entry.value for tensor in model.graph.initializer for entry in tensor.external_data if entry.key == "location"}
        return sorted({path.name for path in out.iterdir()} - data - {SMALL})


def kills(bench):
    """Ends prunec at a random moment, every other time shortly after it has begun to write; by SIGKILL or SIGTERM."""
    for turn in range(bench.options.runs):
        ratio, old = RATIOS[turn % 2], digest(bench.out / SMALL)
        number = bench.random.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM])
        before = set(os.listdir(bench.out))
        start = time.monotonic()
        process = subprocess.Popen(bench.command(ratio), cwd=bench.folder, env=bench.variables, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        if turn % 4 < 2:
            time.sleep(bench.random.random() * bench.seconds * 1.2)
        else:
            while process.poll() is None and set(os.listdir(bench.out)) == before:
                pass
            time.sleep(bench.random.random() ** 2 * 0.01)
        process.send_signal(number)
        message = process.communicate()[1].decode(errors="replace")
        ending = processes.Ending(process.returncode, "", message)
        kind, text = bench.judge_pair(bench.out, ratio, old, process.returncode)
        if kind is None and process.returncode not in (0, -number):
            kind, text = "undocumented", f"{process.returncode} after {number.name}"
        new = sorted(set(os.listdir(bench.out)) - before - {SMALL})
        if kind is None and number == signal.SIGTERM and process.returncode and digest(bench.out / SMALL) == old and new:
            kind, text = "leftover", ", ".join(new)
        bench.note("kills", ending, time.monotonic() - start, kind, text)
        for name in bench.leftovers(bench.out):
            (bench.out / name).unlink()


def judge_failure(bench, out, ratio, old, before, ending, allowed):
    """Fault after a failure that prunec notices; `before` has the names that were in `out`."""
    kind, text = bench.judge_pair(out, ratio, old, ending.code)
    if kind is None and ending.code not in (0, *allowed):
        kind, text = ("signal" if (ending.code or 0) < 0 else "undocumented"), str(ending.code)
    if kind is None and ending.code and not ending.message.strip():
        kind, text = "silent", str(ending.code)
    left = sorted(set(os.listdir(out)) - before)
    if kind is None and ending.code and digest(out / SMALL) == old and left:
        kind, text = "leftover", ", ".join(left)
    return kind, text


@contextlib.contextmanager
def small_disk(folder, kibibytes):
    """A file system of that size, where this process may make one; else `None`."""
    folder.mkdir(exist_ok=True)
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kibibytes}k", "none", folder], capture_output=True).returncode == 0
    try:
        yield folder if made else None
    finally:
        if made:
            subprocess.run(["umount", folder], check=True)


def full_disks(bench):
    """Writes on a disk that is too small, for all of it or for a part."""
    for turn in bench.chosen(range(20)):
        ratio = RATIOS[turn % 2]
        with small_disk(bench.folder / "disk", bench.random.choice([1200, 1600, 2000, 2400, 3000, 4000])) as disk:
            if disk is None:
                print("full-disk: left out, no file system can be made here", flush=True)
                return
            if subprocess.run(bench.command("0.75", disk), cwd=bench.folder, env=bench.variables, capture_output=True).returncode:
                continue
            old, before = digest(disk / SMALL), set(os.listdir(disk))
            ending, seconds = bench.run(bench.command(ratio, disk))
            bench.note("full-disk", ending, seconds, *judge_failure(bench, disk, ratio, old, before, ending, [INPUT_OUTPUT]))


def file_sizes(bench):
    """Limits the size of files (RLIMIT_FSIZE)."""
    for turn in bench.chosen(range(20)):
        ratio, old, before = RATIOS[turn % 2], digest(bench.out / SMALL), set(os.listdir(bench.out))
        size = bench.random.choice([0, 1, 100, 4096, 5000, 100_000, 10**6, 2 * 10**6])
        ending, seconds = bench.run(bench.command(ratio), lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)))
        bench.note("file-size", ending, seconds, *judge_failure(bench, bench.out, ratio, old, before, ending, [INPUT_OUTPUT]))


def open_files(bench):
    """Limits how many files are open (RLIMIT_NOFILE)."""
    for count in bench.chosen(range(3, 13)):
        ratio, old, before = RATIOS[count % 2], digest(bench.out / SMALL), set(os.listdir(bench.out))
        ending, seconds = bench.run(bench.command(ratio), lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (count, count)))
        # With too few of them the system cannot load the libraries of prunec.
        bench.note("open-files", ending, seconds, *judge_failure(bench, bench.out, ratio, old, before, ending, [INPUT_OUTPUT, NOT_LOADED]))


COMMANDS = {
    "inspect": ["inspect", MODEL],
    "run": ["run", MODEL],
    "prune": [MODEL, "-o", "limited.onnx", "--ratio", "0.5", "--compensate", "none", "-q"],
    "reconstruct": [MODEL, "-o", "limited.onnx", "--ratio", "0.5", "--calibration", "samples.npz", "-q"],
    "calibrate": ["calibrate", MODEL, "--calibration", "samples.npz", "-o", "limited.stats", "-q"],
}


def address_spaces(bench):
    """Limits the address space (RLIMIT_AS), from what nothing runs in to what everything does."""
    for name, mebibytes in bench.chosen((name, size) for name in COMMANDS for size in [*range(80, 200, 5), *range(200, 700, 50)]):
        size = mebibytes << 20
        ending, seconds = bench.run([bench.options.prunec, *COMMANDS[name]], lambda: resource.setrlimit(resource.RLIMIT_AS, (size, size)))
        kind = None
        if ending.code is None:
            kind = "timeout"
        elif ending.code < 0:
            kind = "signal"
        elif ending.code not in (0, UNSUPPORTED, INPUT_OUTPUT, NOT_LOADED):
            kind = "undocumented"
        elif ending.code and not ending.message.strip():
            kind = "silent"
        bench.note("address-space", ending, seconds, kind, f"{name} in {mebibytes} MiB, {ending.code}")


def outputs(bench):
    """Standard output that is full, closed, or that nobody reads, and standard error that is closed."""
    for name, how in bench.chosen((name, how) for name in COMMANDS for how in ("full", "closed", "unread", "errors-closed")):
        arguments = [bench.options.prunec, *(argument for argument in COMMANDS[name] if argument != "-q")]
        with contextlib.ExitStack() as stack:
            streams, prepare = {}, None
            if how == "full":
                streams["stdout"] = stack.enter_context(open("/dev/full", "wb"))
            elif how == "unread":
                reading, writing = os.pipe()
                os.close(reading)
                streams["stdout"] = stack.enter_context(open(writing, "wb"))
            else:
                prepare = (lambda: os.close(1)) if how == "closed" else (lambda: os.close(2))
            ending, seconds = bench.run(arguments, prepare, **streams)
        # Statistics are all that calibrate makes.
        prints = name != "calibrate" and how != "errors-closed"
        kind = None
        if ending.code is None or ending.code < 0:
            kind = "signal" if ending.code else "timeout"
        elif prints and ending.code != INPUT_OUTPUT or ending.code not in (0, INPUT_OUTPUT):
            kind = "undocumented"
        bench.note("outputs", ending, seconds, kind, f"{name}, {how}, {ending.code}")


FAULTS = {"kills": kills, "full-disk": full_disks, "file-size": file_sizes, "open-files": open_files, "address-space": address_spaces,
          "outputs": outputs}


def run(options):
    """Makes all faults, prints findings as they come and a table at the end; gives the exit code."""
    names = options.faults or list(FAULTS)
    with temporary_folder() as folder:
        bench = Bench(options, Path(folder))
        for name in names:
            FAULTS[name](bench)
    results.print_table(names, bench.collected, "fault")
    return 1 if results.print_findings(bench.collected) else 0
