"""Repeats the table of "Neuron Merging" (Kim et al., NeurIPS 2020) on the authors' LeNet-300-100.

Usage:

    python tools/bench_neuron_merging.py [--model neuron-merging-lenet300.onnx]
                                         [--tables merging reconstruction]
                                         [--prunec-options "--seed 1"]

The model is the authors' checkpoint converted to ONNX, which is not part of this repository.
The first table prunes both hidden layers by each criterion and ratio, once without compensation
(Prune) and once with `--compensate merge` (Merge), and prints the accuracy on the Fashion-MNIST
test images beside the figure that their code gives. The second leaves compensation to prunec,
without data and with 1,024 training images without labels, of channels chosen by l1, beside goals,
and of channels that prunec chooses itself. Exits with 1 when a Prune cell is off by more than 0.05
points, a Merge cell more than 0.05 points below, or a cell with a goal below it, and with 2 when
the model is missing.
"""

import argparse
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy

from models import fashion_mnist

REPOSITORY = Path(__file__).resolve().parent.parent
TOLERANCE = 0.05
CRITERIA = ("l1", "l2", "fpgm")
METHODS = ("none", "merge")
# By ratio: Prune and Merge for each of the criteria in turn.
EXPECTED = {
    0.5: (88.40, 88.69, 87.86, 88.38, 88.08, 88.57),
    0.6: (85.17, 86.92, 83.03, 88.07, 85.82, 88.10),
    0.7: (71.26, 82.75, 71.21, 83.27, 78.38, 86.39),
    0.8: (66.76, 80.02, 63.90, 77.11, 64.19, 77.49),
}

# The authors trained on pixels normalised so.
MEAN, DEVIATION = 0.5, 0.5
SAMPLES = 1024
RECONSTRUCTIONS = ("l1, no data", "l1, images", "own, no data", "own, images")
# By ratio: what the first two of them are to reach.
GOALS = {0.5: (88.85, 89.08), 0.6: (87.72, 88.18), 0.7: (85.6, 86.81), 0.8: (81.9, 83.25)}


class Pruner:
    """Prunes one model at a ratio, and measures the result."""

    def __init__(self, prunec, model, options, folder):
        self.command = [str(prunec), str(model), "--align", "1", "--scope", "uniform", *options]
        self.small = Path(folder) / "small.onnx"
        self.test = fashion_mnist.read("t10k", MEAN, DEVIATION)

    def accuracy(self, ratio, *options):
        """Top-1 in percent; 10,000 images have two decimals."""
        command = [*self.command, "-o", str(self.small), "--ratio", str(ratio), *options]
        finished = subprocess.run(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if finished.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}\nended with {finished.returncode}:\n"
                               f"{finished.stderr.strip()}")
        return round(fashion_mnist.top1(self.small, *self.test), 2)


def complaint(method, difference):
    """What is wrong with a cell that differs from the table by so many points, or None."""
    if method == "none" and abs(difference) > TOLERANCE:
        return f"off by {difference:+.2f}"
    if method == "merge" and difference < -TOLERANCE:
        return f"short by {-difference:.2f}"
    return None


def repeat_merging(pruner):
    """Prints the authors' table; gives back what is wrong with it."""
    columns = [(criterion, method) for criterion in CRITERIA for method in METHODS]
    titles = [f"{criterion} {'prune' if method == 'none' else 'merge'}"
              for criterion, method in columns]
    print("ratio " + "".join(f"{title:>16}" for title in titles))
    complaints, shortfalls = [], []
    for ratio, expected in EXPECTED.items():
        row = f"{ratio:<6}"
        for (criterion, method), title, figure in zip(columns, titles, expected):
            accuracy = pruner.accuracy(ratio, "--criterion", criterion, "--compensate", method)
            # A difference of 0.05 is not over 0.05.
            difference = round(accuracy - figure, 2)
            row += f"{accuracy:8.2f} ({difference:+.2f})"
            wrong = complaint(method, difference)
            if wrong:
                complaints.append(f"{title} at {ratio}: {accuracy:.2f} for {figure:.2f}, {wrong}")
            elif method == "merge" and difference < 0:
                shortfalls.append(f"{title} at {ratio}: short by {-difference:.2f}")
        print(row, flush=True)
    for shortfall in shortfalls:
        print(f"within the tolerance: {shortfall}")
    return complaints


def reconstruct(pruner, folder):
    """Prints the table of reconstruction; gives back which goals are not reached."""
    images, _ = fashion_mnist.read("train", MEAN, DEVIATION)
    calibration = Path(folder) / "calibration.npz"
    numpy.savez(calibration, x=images[:SAMPLES])
    print("ratio " + "".join(f"{title:>16}" for title in RECONSTRUCTIONS))
    complaints = []
    for ratio, goals in GOALS.items():
        row = f"{ratio:<6}"
        for title, goal in zip(RECONSTRUCTIONS, (*goals, None, None)):
            options = ["--criterion", "l1"] if title.startswith("l1") else []
            if title.endswith("images"):
                options += ["--calibration", str(calibration), "--samples", str(SAMPLES)]
            accuracy = pruner.accuracy(ratio, *options)
            if goal is None:
                row += f"{accuracy:16.2f}"
                continue
            row += f"{accuracy:8.2f} ({accuracy - goal:+.2f})"
            if accuracy < goal:
                complaints.append(f"{title} at {ratio}: {accuracy:.2f}, the goal is {goal:.2f}")
        print(row, flush=True)
    return complaints


def main():
    parser = argparse.ArgumentParser(description="The Neuron Merging table on LeNet-300-100.")
    parser.add_argument(
        "--model", type=Path,
        default=REPOSITORY.parent / "shared" / "models" / "neuron-merging-lenet300.onnx")
    parser.add_argument("--prunec", type=Path, default=REPOSITORY / "tools" / "prunec")
    parser.add_argument("--tables", nargs="+", choices=("merging", "reconstruction"),
                        default=["merging", "reconstruction"])
    parser.add_argument("--prunec-options", default="", metavar="OPTIONS",
                        help="more options for prunec, in one argument")
    arguments = parser.parse_args()
    if not arguments.model.is_file():
        print(f"SKIPPED: {arguments.model} is missing; it is the authors' checkpoint, give it "
              "with --model", file=sys.stderr)
        return 2

    complaints = []
    with tempfile.TemporaryDirectory() as folder:
        pruner = Pruner(arguments.prunec, arguments.model, shlex.split(arguments.prunec_options),
                        folder)
        if "merging" in arguments.tables:
            complaints += repeat_merging(pruner)
        if "reconstruction" in arguments.tables:
            complaints += reconstruct(pruner, folder)
    for wrong in complaints:
        print(f"error: {wrong}", file=sys.stderr)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
