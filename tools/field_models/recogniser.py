"""PP-OCR's recogniser of English and Chinese (v4) on drawn lines of text."""

import numpy
import onnx

from . import packages, reading, text_lines

NAME = "PP-OCRv4 recogniser"
MEASURE = "characters read, %"
INPUT = "x"
TESTS = 500
WIDTH = 320


def model(folder):
    path = packages.fetch("rapidocr-onnxruntime==1.4.4",
                          "rapidocr_onnxruntime/models/ch_PP-OCRv4_rec_infer.onnx", folder)
    return packages.fix_extents(path, (3, text_lines.HEIGHT, WIDTH), folder / "recogniser.onnx")


def samples(count, seed):
    """Inputs [count, 3, 48, 320] and the texts."""
    random = numpy.random.default_rng(seed)
    drawn = [text_lines.line(random, WIDTH) for _ in range(count)]
    inputs = numpy.stack([text_lines.normalise(pixels, WIDTH) for _, pixels in drawn])
    return inputs, [text for text, _ in drawn]


def score(outputs, texts, path):
    """One minus the edits that turn what is read into the text, per character of the texts."""
    alphabet = _alphabet(path)
    edits = sum(reading.edits(reading.decode(positions, alphabet), text)
                for positions, text in zip(outputs[0].argmax(2), texts, strict=True))
    return max(0.0, 100 * (1 - edits / sum(map(len, texts))))


def _alphabet(path):
    """The characters by index: a blank, those that the model's metadata lists, a space."""
    properties = {entry.key: entry.value for entry in onnx.load(str(path)).metadata_props}
    return ["", *properties["character"].splitlines(), " "]
