"""Trains networks like those of Fixtures/Models on Fashion-MNIST and exports them.

Usage:

    python tools/models/train.py --out DIRECTORY [--model NAME]... [--epochs N] [--seed N]

Needs tools/requirements-training.txt and the Debian package dataset-fashion-mnist. Each network
is written with its variants: folded normalisations by the TorchScript exporter, and for some of
them also kept normalisations (-bn) or the dynamo exporter (-dynamo). The accuracy of every file,
in onnxruntime on the test images, is printed. On two cores the default epochs take from a minute
(lenet300) to two hours (mobilenetv2, densenet).
"""

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import export
import fashion_mnist
import networks
import torch
from torch.nn import functional


@dataclass(frozen=True)
class Recipe:
    """How one network is trained: the optimizer, its highest rate and its weight decay, by how
    many pixels images are shifted, and the files to write."""

    optimizer: type
    rate: float
    decay: float
    epochs: int
    shift: int = 2
    variants: tuple = ("",)


RECIPES = {
    # A perceptron does not know that a shifted shirt is a shirt, and is too small to learn it.
    "lenet300": Recipe(torch.optim.AdamW, 2e-3, 1e-2, 20, shift=0),
    "vgg8": Recipe(torch.optim.SGD, 0.1, 5e-4, 20, variants=("", "-bn")),
    "resnet20": Recipe(torch.optim.SGD, 0.2, 5e-4, 20, variants=("", "-bn", "-dynamo")),
    "mobilenetv2": Recipe(torch.optim.SGD, 0.2, 2e-4, 20),
    "densenet": Recipe(torch.optim.SGD, 0.2, 2e-4, 20),
    "vit": Recipe(torch.optim.AdamW, 1e-3, 5e-2, 30, variants=("", "-dynamo")),
}

EXPORTERS = {
    "": export.by_torchscript,
    "-bn": lambda network, path: export.by_torchscript(network, path, fold_batch_norm=False),
    "-dynamo": export.by_dynamo,
}


def augmented(pixels, shift):
    """Each image mirrored or not, and shifted by up to `shift` pixels with black moving in."""
    count = len(pixels)
    mirrored = torch.rand(count, 1, 1, 1) < 0.5
    pixels = torch.where(mirrored, pixels.flip(3), pixels)
    # A view of the padded image from every possible place: [N, 1, places, places, 28, 28].
    windows = functional.pad(pixels, (shift,) * 4).unfold(2, 28, 1).unfold(3, 28, 1)
    rows, columns = torch.randint(0, 2 * shift + 1, (2, count))
    return windows[torch.arange(count), :, rows, columns]


def normalised(pixels):
    return (pixels.float() / 255 - fashion_mnist.MEAN) / fashion_mnist.DEVIATION


def train(network, recipe, pixels, labels, epochs, batch):
    steps = epochs * (len(pixels) // batch)
    options = {"lr": recipe.rate, "weight_decay": recipe.decay}
    if recipe.optimizer is torch.optim.SGD:
        options |= {"momentum": 0.9, "nesterov": True}
    optimizer = recipe.optimizer(network.parameters(), **options)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.rate, total_steps=steps)
    network.train()
    for epoch in range(epochs):
        start, total_loss = time.monotonic(), 0.0
        # The incomplete last batch is left out, so that every epoch has the same number of steps.
        batches = torch.randperm(len(pixels))[:len(pixels) // batch * batch].split(batch)
        for chosen in batches:
            scores = network(normalised(augmented(pixels[chosen], recipe.shift)))
            loss = functional.cross_entropy(scores, labels[chosen], label_smoothing=0.05)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
            total_loss += loss.item()
        print(f"  epoch {epoch + 1:2} of {epochs}: loss {total_loss / len(batches):.4f}, "
              f"{time.monotonic() - start:.0f} s", flush=True)


def main():
    parser = argparse.ArgumentParser(
        description="Trains networks like those of Fixtures/Models and exports them.")
    parser.add_argument("--out", type=Path, required=True, metavar="DIRECTORY")
    parser.add_argument("--model", action="append", choices=list(networks.NETWORKS),
                        help="repeatable; without it all of them")
    parser.add_argument("--epochs", type=int, help="instead of the recipe's own number")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, help="threads of PyTorch; without it all cores")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    arguments.out.mkdir(parents=True, exist_ok=True)

    pixels, labels = (torch.from_numpy(part.copy()) for part in fashion_mnist.read_pixels("train"))
    test_images, test_labels = fashion_mnist.read("t10k")
    for name in arguments.model or networks.NETWORKS:
        print(name)
        recipe = RECIPES[name]
        torch.manual_seed(arguments.seed)
        network = networks.NETWORKS[name]()
        train(network, recipe, pixels, labels, arguments.epochs or recipe.epochs, arguments.batch)
        for variant in recipe.variants:
            path = arguments.out / f"{name}{variant}.onnx"
            EXPORTERS[variant](network, path)
            accuracy = fashion_mnist.top1(path, test_images, test_labels)
            print(f"  {path.name}: {accuracy:.2f} % of the test images", flush=True)


if __name__ == "__main__":
    main()
