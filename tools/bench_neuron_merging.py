"""Repeats the table of "Neuron Merging" (Kim et al., NeurIPS 2020) on the authors' LeNet-300-100.

Usage:

    python tools/bench_neuron_merging.py [--model neuron-merging-lenet300.onnx]

The model is the authors' checkpoint converted to ONNX, which is not part of this repository.
Prunes both hidden layers by each criterion and ratio, once without compensation (Prune) and once
with `--compensate merge` (Merge), and prints the accuracy on the Fashion-MNIST test images beside
the figure that their code gives. Exits with 1 when a Prune cell is off by more than 0.05 points or
a Merge cell is more than 0.05 points below, and with 2 when the model is missing.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

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


def prune(prunec, model, output, ratio, criterion, method):
    command = [str(prunec), str(model), "-o", str(output), "--ratio", str(ratio), "--align", "1",
               "--criterion", criterion, "--compensate", method, "--scope", "uniform"]
    finished = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if finished.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}\nended with {finished.returncode}:\n"
                           f"{finished.stderr.strip()}")


def complaint(method, difference):
    """What is wrong with a cell that differs from the table by so many points, or None."""
    if method == "none" and abs(difference) > TOLERANCE:
        return f"off by {difference:+.2f}"
    if method == "merge" and difference < -TOLERANCE:
        return f"short by {-difference:.2f}"
    return None


def main():
    parser = argparse.ArgumentParser(description="The Neuron Merging table on LeNet-300-100.")
    parser.add_argument(
        "--model", type=Path,
        default=REPOSITORY.parent / "shared" / "models" / "neuron-merging-lenet300.onnx")
    parser.add_argument("--prunec", type=Path, default=REPOSITORY / "tools" / "prunec")
    arguments = parser.parse_args()
    if not arguments.model.is_file():
        print(f"SKIPPED: {arguments.model} is missing; it is the authors' checkpoint, give it "
              "with --model", file=sys.stderr)
        return 2

    # The authors trained on pixels normalised so.
    images, labels = fashion_mnist.read("t10k", 0.5, 0.5)
    columns = [(criterion, method) for criterion in CRITERIA for method in METHODS]
    titles = [f"{criterion} {'prune' if method == 'none' else 'merge'}"
              for criterion, method in columns]
    print("ratio " + "".join(f"{title:>16}" for title in titles))
    complaints, shortfalls = [], []
    with tempfile.TemporaryDirectory() as folder:
        small = Path(folder) / "small.onnx"
        for ratio, expected in EXPECTED.items():
            row = f"{ratio:<6}"
            for (criterion, method), title, figure in zip(columns, titles, expected):
                prune(arguments.prunec, arguments.model, small, ratio, criterion, method)
                # 10,000 images: two decimals are exact, and a difference of 0.05 is not over 0.05.
                accuracy = round(fashion_mnist.top1(small, images, labels), 2)
                difference = round(accuracy - figure, 2)
                row += f"{accuracy:8.2f} ({difference:+.2f})"
                wrong = complaint(method, difference)
                if wrong:
                    complaints.append(
                        f"{title} at {ratio}: {accuracy:.2f} for {figure:.2f}, {wrong}")
                elif method == "merge" and difference < 0:
                    shortfalls.append(f"{title} at {ratio}: short by {-difference:.2f}")
            print(row, flush=True)
    for shortfall in shortfalls:
        print(f"within the tolerance: {shortfall}")
    for wrong in complaints:
        print(f"error: {wrong}", file=sys.stderr)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
