"""prunec, with its defaults."""

import subprocess
import time

import numpy

from .inspection import count_macs
from .outcome import Outcome


def write_calibration(images, count, folder):
    """The first images as the array `x` of an archive; without labels."""
    path = folder / f"calibration-{count}.npz"
    if not path.is_file():
        numpy.savez(path, x=images[:count])
    return path


def prune(prunec, model, small, budget, calibration=None, samples=0, options=()):
    """Prunes to a fraction of the MACs, with `samples` images of the archive if there is one.
    The accuracy is still to be measured on `small`."""
    command = [str(prunec), str(model), "-o", str(small), "--macs", str(budget), "--json", *options]
    if calibration:
        command += ["--calibration", str(calibration), "--samples", str(samples)]
    # Before the time is taken, because tools/prunec may have to build.
    whole = count_macs(prunec, model)
    start = time.perf_counter()
    finished = subprocess.run(command, capture_output=True, text=True)
    seconds = time.perf_counter() - start
    if finished.returncode != 0:
        return Outcome(seconds=seconds, reason=_complaint(finished))
    return Outcome(macs=count_macs(prunec, small) / whole, seconds=seconds,
                   tried_seconds=seconds, setting=" ".join(options))


def _complaint(finished):
    """The error among warnings and notes on usage."""
    lines = finished.stderr.strip().splitlines()
    errors = [line for line in lines if "error:" in line.lower()]
    return (errors or lines or [f"exit code {finished.returncode}"])[0]
