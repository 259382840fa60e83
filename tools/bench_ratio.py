"""Prunes half of the channels of each trained model and compares what is kept with Torch-Pruning.

Usage:

    python tools/bench_ratio.py [--models Fixtures/Models] [--no-accuracy]

Runs `tools/prunec MODEL -o OUT --ratio 0.5 --align 1 --compensate none --emit-masked MASKED` on
every known model of the folder and prints a row for each: parameters kept, in percent, beside what
Torch-Pruning keeps of the same network; whether onnx's checker and onnxruntime accept the result;
how far onnxruntime's outputs for it are from those for the masked original; top-1 on the
Fashion-MNIST test images before and after, without fine-tuning. Exits with 1 when a model is
missing, prunec fails, more parameters are kept than by Torch-Pruning, the result is refused or the
relative difference is over 1e-4.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from check_pruned import CheckFailed, compare
from models import fashion_mnist

REPOSITORY = Path(__file__).resolve().parent.parent
OPTIONS = ["--ratio", "0.5", "--align", "1", "--compensate", "none"]
TOLERANCE = 1e-4
# Percent of the parameters kept by Torch-Pruning 1.6.1 at a uniform ratio of 0.5 with the
# classifier's outputs kept. It counts what is trained, so no running statistics.
TORCH_PRUNING = {
    "lenet300": 47.2, "vgg8": 25.2, "resnet20": 25.2,
    "mobilenetv2": 28.4, "densenet": 26.0, "vit": 25.7,
}
# Other exports of these networks, measured where the folder has them.
VARIANTS = {
    "vgg8-bn": "vgg8", "resnet20-bn": "resnet20", "resnet20-dynamo": "resnet20",
    "vit-dynamo": "vit", "neuron-merging-lenet300": "lenet300",
}
HEADER = (f"{'model':24} {'kept %':>7} {'Torch-Pruning %':>15} {'accepted':>8} "
          f"{'relative difference':>19} {'top-1':>14}")


def test_set(name):
    """The test images, normalised as the model was trained on them."""
    if name.startswith("neuron-merging"):
        return fashion_mnist.read("t10k", 0.5, 0.5)
    return fashion_mnist.read("t10k")


def measure(prunec, model, name, folder, with_accuracy):
    """Prunes one model, prints its row and gives back the complaints."""
    small, masked = folder / f"{name}.onnx", folder / f"{name}-masked.onnx"
    command = [str(prunec), str(model), "-o", str(small), *OPTIONS, "--emit-masked", str(masked)]
    finished = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if finished.returncode != 0:
        print(f"{name:24} failed")
        return [f"prunec ended with {finished.returncode}: {finished.stderr.strip()}"]
    try:
        result = compare(model, masked, small)
    except CheckFailed as error:
        print(f"{name:24} {'':7} {'':15} {'no':>8}")
        return [str(error)]
    accuracy = ""
    if with_accuracy:
        images, labels = test_set(name)
        accuracy = " -> ".join(f"{fashion_mnist.top1(path, images, labels):.2f}"
                               for path in (model, small))
    reference = TORCH_PRUNING[VARIANTS.get(name, name)]
    print(f"{name:24} {result.parameters_kept:7.1f} {reference:15.1f} {'yes':>8} "
          f"{result.relative_error:19.2g} {accuracy:>14}", flush=True)
    complaints = []
    if round(result.parameters_kept, 1) > reference:
        complaints.append("keeps more parameters than Torch-Pruning")
    if result.relative_error > TOLERANCE:
        complaints.append(f"differs from the masked original by more than {TOLERANCE:g}")
    return complaints


def main():
    parser = argparse.ArgumentParser(
        description="Prunes half of the channels of each trained model.")
    parser.add_argument("--models", type=Path, default=REPOSITORY / "Fixtures" / "Models",
                        metavar="DIRECTORY")
    parser.add_argument("--prunec", type=Path, default=REPOSITORY / "tools" / "prunec")
    parser.add_argument("--no-accuracy", action="store_true",
                        help="without top-1, which takes most of the time")
    arguments = parser.parse_args()
    complaints = []
    print(HEADER, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for name in sorted([*TORCH_PRUNING, *VARIANTS]):
            model = arguments.models / f"{name}.onnx"
            if model.is_file():
                found = measure(arguments.prunec, model, name, Path(folder),
                                not arguments.no_accuracy)
                complaints += [f"{name}: {complaint}" for complaint in found]
            elif name in TORCH_PRUNING:
                complaints.append(f"{name}: {model} is missing")
    for complaint in complaints:
        print(f"error: {complaint}", file=sys.stderr)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
