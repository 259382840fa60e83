"""PP-OCR's classifier of upright and upside-down lines (v2) on drawn lines of text."""

import numpy

from . import packages, text_lines

NAME = "PP-OCRv2 angle classifier"
MEASURE = "lines judged rightly, %"
INPUT = "x"
TESTS = 1000
WIDTH = 192


def model(folder):
    path = packages.fetch("rapidocr-onnxruntime==1.4.4",
                          "rapidocr_onnxruntime/models/ch_ppocr_mobile_v2.0_cls_infer.onnx", folder)
    return packages.fix_extents(path, (3, text_lines.HEIGHT, WIDTH), folder / "classifier.onnx")


def samples(count, seed):
    """Inputs [count, 3, 48, 192] and whether they are upside down, which every other one is."""
    random = numpy.random.default_rng(seed)
    turned = numpy.arange(count) % 2
    inputs = []
    for is_turned in turned:
        _, pixels = text_lines.line(random, WIDTH)
        inputs.append(text_lines.normalise(pixels[::-1, ::-1] if is_turned else pixels, WIDTH))
    return numpy.stack(inputs), turned


def score(outputs, turned, path):
    return 100 * float((outputs[0].argmax(1) == turned).mean())
