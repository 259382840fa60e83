"""The Fashion-MNIST data set, from the Debian package dataset-fashion-mnist, and a model's
accuracy on it.

Usage (from the folder that holds this file):

    python fashion_mnist.py MODEL.onnx...        prints the top-1 accuracy of each model

    import fashion_mnist
    images, labels = fashion_mnist.read("t10k")  float32 [10000, 1, 28, 28], int64 [10000]
    fashion_mnist.top1("resnet20.onnx", images, labels)
"""

import argparse
import gzip
from pathlib import Path

import numpy

FOLDER = Path("/usr/share/datasets/fashion-mnist")
# Mean and standard deviation of the training pixels, in units of full white.
MEAN, DEVIATION = 0.2860, 0.3530
ELEMENT_TYPES = {0x08: numpy.dtype(numpy.uint8)}


def read_idx(path):
    """Reads an array in the IDX format: two zero bytes, the element type, the number of
    dimensions, the dimensions as big-endian words, the elements."""
    with gzip.open(path, "rb") as file:
        content = file.read()
    if content[:2] != b"\0\0" or content[2] not in ELEMENT_TYPES:
        raise ValueError(f"{path}: not an IDX file of bytes")
    rank = content[3]
    shape = numpy.frombuffer(content, ">u4", rank, offset=4)
    return numpy.frombuffer(content, ELEMENT_TYPES[content[2]], offset=4 + 4 * rank).reshape(shape)


def read_pixels(part):
    """Pixels as bytes, [N, 1, 28, 28], and labels of the part "train" or "t10k"."""
    if not FOLDER.is_dir():
        raise FileNotFoundError(f"{FOLDER}: install the Debian package dataset-fashion-mnist")
    pixels = read_idx(FOLDER / f"{part}-images-idx3-ubyte.gz")
    labels = read_idx(FOLDER / f"{part}-labels-idx1-ubyte.gz")
    return pixels[:, None], labels.astype(numpy.int64)


def read(part, mean=MEAN, deviation=DEVIATION):
    """Like read_pixels, with pixels normalised to (x / 255 - mean) / deviation."""
    pixels, labels = read_pixels(part)
    return ((pixels / numpy.float32(255) - numpy.float32(mean)) / numpy.float32(deviation), labels)


def top1(model_path, images, labels, batch=500):
    """The percentage of images that the model classifies rightly in onnxruntime."""
    # Training reads the data without it.
    import onnxruntime

    session = onnxruntime.InferenceSession(str(model_path), providers=["CPUExecutionProvider"])
    model_input = session.get_inputs()[0]
    if isinstance(model_input.shape[0], int):
        batch = model_input.shape[0]
    right = 0
    for start in range(0, len(images), batch):
        chunk = images[start:start + batch]
        scores = session.run(None, {model_input.name: chunk})[0]
        right += int((scores.argmax(1) == labels[start:start + batch]).sum())
    return 100 * right / len(images)


def main():
    parser = argparse.ArgumentParser(description="Top-1 accuracy on the 10,000 test images.")
    parser.add_argument("models", nargs="+", type=Path, metavar="MODEL.onnx")
    arguments = parser.parse_args()
    images, labels = read("t10k")
    for path in arguments.models:
        print(f"{path.name:32} {top1(path, images, labels):6.2f}")


if __name__ == "__main__":
    main()
