"""Things that entrances start from, made once."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy

from . import processes, seed_models

SUBCOMMANDS = ["prune", "inspect", "run", "bench", "verify", "evaluate", "calibrate", "sensitivity"]


@dataclass(frozen=True)
class Materials:
    """Models as bytes, files of statistics and of damage of the one called `convolutions`, a file of tried cuts, and the help of
    every subcommand."""

    models: list
    convolutions: bytes
    samples: dict
    statistics: bytes
    damage: bytes
    tried: bytes
    help: dict


def make(prunec, folder, model_folders=()):
    """Makes them in a folder, with prunec itself where that writes them."""
    folder = Path(folder)
    variables = processes.environment(folder)

    def run(*arguments):
        return subprocess.run([prunec, *arguments], cwd=folder, env=variables, check=True, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True).stdout

    convolutions = seed_models.convolutions().SerializeToString()
    (folder / "model.onnx").write_bytes(convolutions)
    random = numpy.random.default_rng(0)
    samples = {"x": random.standard_normal((8, 3, 8, 8)).astype(numpy.float32), "y": numpy.arange(8) % 4}
    numpy.savez(folder / "samples.npz", **samples)
    calibrate = ["calibrate", "model.onnx", "--calibration", "samples.npz", "--samples", "8"]
    run(*calibrate, "-o", "sums.stats")
    run(*calibrate, "--stats", "sums.stats", "--effort", "quick", "-o", "damage.stats")
    run("model.onnx", "-o", "small.onnx", "--max-divergence", "1", "--calibration", "samples.npz", "--compensate", "none",
        "--effort", "quick", "--min-channels", "1", "--resume", "tried.json")
    return Materials(
        models=seed_models.build(prunec.with_name("prunec-opt"), model_folders), convolutions=convolutions, samples=samples,
        statistics=(folder / "sums.stats").read_bytes(), damage=(folder / "damage.stats").read_bytes(),
        tried=(folder / "tried.json").read_bytes(), help={command: run(command, "--help") for command in SUBCOMMANDS})
