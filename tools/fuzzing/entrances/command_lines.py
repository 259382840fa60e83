import re

import numpy

from .. import texts
from ..trial import Trial

# One would run commands of the shell, the others as often or as long as they are told.
LEFT_OUT = {"--measure", "--runs", "--iterations", "--output", "--help", "--version", "--latency", "--in-place"}
OPTION = re.compile(r"^  (?:-\w, )?(--[a-z-]+)(?:/(--[a-z-]+))?(?: (<[^>]+>))?", re.MULTILINE)
FILES = {"<path>", "<file>", "<data>", "<profile>"}
CHOICES = re.compile(r"\(values: ([^)]+)\)")
WORDS = [
    "l1", "bn-scale", "hrank", "conv", "head", "auto", "global", "quick", "outer", "nchw", "x=1,3,8,8", "x=", "x=1,3,-8,8", "x=0,3,8,8",
    "x=9999999999,3,8,8", "y=3", "x=x.npy", "samples.npz", "c0=0.5", "*=0.5", "=", "24KiB", "1MiB", "16GiB", "0B", "1.5KiB", "224x160",
    "0x0", "8x8", "0.1,0.2,0.3", "0.5", "0,1", "miou", "mse", "model.onnx", "0.999999", "1e-9", "fold-constants", "*", "none",
]


class CommandLines:
    name = "command-lines"
    summary = "options of every command with odd values, as --help lists them"
    weight = 4

    def __init__(self, materials):
        self.model, self.samples = materials.convolutions, materials.samples
        self.options = {
            command: [(first, second, value) for first, second, value in OPTION.findall(text) if first not in LEFT_OUT]
            for command, text in materials.help.items()}

    def make(self, random, folder):
        (folder / "model.onnx").write_bytes(self.model)
        numpy.savez(folder / "samples.npz", **self.samples)
        numpy.save(folder / "x.npy", self.samples["x"])
        command = random.choices(list(self.options), [4, 1, 2, 1, 1, 1, 1, 1])[0]
        arguments, output = [command, "model.onnx"], None
        if command == "verify":
            arguments.append("model.onnx")
        if command in ("prune", "calibrate") and random.random() < 0.9:
            output = "small.onnx" if command == "prune" else "set.stats"
            arguments += ["-o", output]
        if command in ("calibrate", "evaluate"):
            arguments += [{"calibrate": "--calibration", "evaluate": "--data"}[command], "samples.npz"]
        if command == "bench":
            arguments += ["--runs", "1"]
        if command in ("prune", "sensitivity"):
            arguments += ["--effort", "quick"]
            arguments += ["--compensate", "none"] if command == "prune" and random.random() < 0.9 else []
        for _ in range(random.choice([1, 1, 2, 3])):
            first, second, value = random.choice(self.options[command])
            arguments.append(second if second and random.random() < 0.5 else first)
            if value and random.random() < 0.97:
                arguments.append(self._value(value, random))
        return Trial(arguments, output=output)

    @staticmethod
    def _value(kind, random):
        if kind in FILES and random.random() < 0.7:
            return random.choice(["samples.npz", "x.npy", "model.onnx", "missing", ".", "small.onnx", "new/x", ""])
        choice = random.randrange(4)
        if choice == 0:
            return random.choice(WORDS)
        if choice == 1:
            return texts.mutate(random.choice(WORDS), random).replace("\0", "").replace("/", "")
        return texts.number(random)
