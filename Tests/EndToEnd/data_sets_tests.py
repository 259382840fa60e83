"""What prunec makes of files of samples, judged by NumPy and PIL.

usage: PRUNEC=path/to/prunec python -m unittest data_sets_tests

`evaluate` is what the samples are seen through: the model's scores are minus the largest distance of an
item to each of the tensors that Python expects, and minus a tolerance, so that an item is right if its own
tensor is the nearest and within the tolerance.
"""

import os
import pathlib
import random
import struct
import subprocess
import tempfile
import unittest
import zlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

# Half a level of 255 is what PIL rounds away after resizing rows, and half a level after columns; prunec rounds
# nothing. Its weights have 22 bits, which is less than a hundredth of a level.
RESIZED = 1.01 / 255
# What float32 arithmetic leaves of values that were not resized.
EXACT = 1e-6


def prunec(*arguments):
    return subprocess.run([os.environ["PRUNEC"], *map(str, arguments)],
                          capture_output=True, text=True)


def photo(height, width, seed=0):
    """An image with coarse and fine structure."""
    y, x = np.mgrid[0:height, 0:width]
    waves = np.stack([np.sin(x / 7 + y / 11 + seed), np.cos(x / 5), np.sin(y / 6)], axis=-1)
    noise = np.random.default_rng(seed).normal(0, 8, [height, width, 3])
    return Image.fromarray((127 + 120 * waves + noise).clip(0, 255).astype(np.uint8))


def cropped(image, height, width, fraction=1):
    """Resized by PIL so that it covers height by width, or that divided by the fraction, and cropped about
    its centre: torchvision's Resize and CenterCrop, for squares."""
    tall, wide = int(height / fraction), int(width / fraction)
    if height * image.width >= width * image.height:
        size = (int(tall * image.width / image.height), tall)
    else:
        size = (wide, int(wide * image.height / image.width))
    left, top = round((size[0] - width) / 2), round((size[1] - height) / 2)
    resized = image.resize(size, Image.Resampling.BILINEAR)
    return resized.crop((left, top, left + width, top + height))


def values(image):
    """[C, H, W] from 0 to 1."""
    array = np.asarray(image, np.float32) / 255
    return array[None] if array.ndim == 2 else array.transpose(2, 0, 1)


def png(rows, depth, colour):
    """A PNG file of big-endian rows, as PIL writes none with 16 bits a channel."""
    def chunk(name, data):
        return (struct.pack(">I", len(data)) + name + data
                + struct.pack(">I", zlib.crc32(name + data)))
    channels = {0: 1, 2: 3}[colour]
    header = struct.pack(">IIBBBBB", len(rows[0]) * 8 // depth // channels, len(rows),
                         depth, colour, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row for row in rows))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data)
            + chunk(b"IEND", b""))


class DataSetsTests(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.data = self.folder / "data"
        self.data.mkdir()

    def model(self, expected, tolerance, shape=None, type=TensorProto.FLOAT, name="image"):
        """Scores of items like each of the expected."""
        expected = np.stack(expected).astype(np.float32)
        targets = expected.reshape(1, len(expected), -1)
        nodes = [
            helper.make_node("Cast", [name], ["x"], to=TensorProto.FLOAT),
            helper.make_node("Reshape", ["x", "rows"], ["flat"]),
            helper.make_node("Sub", ["flat", "targets"], ["difference"]),
            helper.make_node("Abs", ["difference"], ["distance"]),
            helper.make_node("ReduceMax", ["distance"], ["largest"], axes=[2], keepdims=0),
            helper.make_node("Neg", ["largest"], ["scores"]),
            helper.make_node("ReduceMax", ["scores"], ["best"], axes=[1], keepdims=1),
            helper.make_node("Mul", ["best", "zero"], ["nothing"]),
            helper.make_node("Sub", ["nothing", "tolerance"], ["limit"]),
            helper.make_node("Concat", ["scores", "limit"], ["y"], axis=1),
        ]
        constants = {
            "rows": np.array([0, 1, -1], np.int64), "targets": targets,
            "zero": np.zeros(1, np.float32), "tolerance": np.array([tolerance], np.float32),
        }
        shape = shape or ["N", *expected.shape[1:]]
        graph = helper.make_graph(
            nodes, "nearest", [helper.make_tensor_value_info(name, type, shape)],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", len(expected) + 1])],
            [numpy_helper.from_array(value, key) for key, value in constants.items()])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        onnx.checker.check_model(model)
        path = self.folder / f"model{len(list(self.folder.iterdir()))}.onnx"
        onnx.save(model, path)
        return path

    def accuracy(self, model, data, *options):
        result = prunec("evaluate", model, "--data", data, *options)
        self.assertEqual(result.returncode, 0, result.stderr)
        return float(result.stdout.split()[1]), result

    def assert_right(self, model, data, *options):
        accuracy, result = self.accuracy(model, data, *options)
        self.assertEqual(accuracy, 100, result.stdout + result.stderr)
        return result

    def save(self, images, suffix="png", **options):
        """One image a class."""
        for index, image in enumerate(images):
            place = self.data / f"class{index:02}"
            place.mkdir(exist_ok=True)
            image.save(place / f"image.{suffix}", **options)

    # Arrays

    def test_arrays(self):
        x = np.random.default_rng(0).standard_normal([6, 3, 4]).astype(np.float32)
        y = np.arange(6)
        model = self.model(x, EXACT)
        path = self.data / "set.npz"
        for arrays in [dict(image=x, y=y), dict(x=x, y=y.astype(np.uint8), note=np.array(["-"])),
                       dict(anything=x.astype(">f8"), y=y[:, None]),
                       dict(image=np.asfortranarray(x), y=y, x=np.zeros(1))]:
            np.savez_compressed(path, **arrays)
            self.assert_right(model, path)
            self.assert_right(model, path, "--batch", "4")
        path.unlink()
        for order, start, end in [("b", 2, 6), ("a", 0, 2)]:
            np.savez(self.data / f"{order}.npz", x=x[start:end], y=y[start:end])
        self.assertIn("of 6", self.assert_right(model, self.data).stdout)
        files = self.folder / "files"
        files.mkdir()
        np.save(files / "x.npy", np.asfortranarray(x))
        np.save(files / "y.npy", y)
        self.assert_right(model, files)
        self.assertIn("of 4", self.assert_right(model, files, "--samples", "4").stdout)
        fixed = self.model(x, EXACT, shape=[4, 3, 4])
        self.assertIn("of 6", self.assert_right(fixed, files).stdout)
        wrong = np.roll(x, 1, axis=0)
        np.save(files / "x.npy", wrong)
        self.assertEqual(self.accuracy(model, files)[0], 0)

    def test_several_inputs(self):
        a, b = np.eye(3, dtype=np.float32), np.arange(3, dtype=np.int32)
        path = self.folder / "sum.onnxtxt"
        path.write_text(
            '<ir_version: 10, opset_import: ["" : 21]>\n'
            "main (float[N, 3] a, int64[N] b) => (float[N, 3] y) {\n"
            "  shape = Constant <value_ints = [-1, 1]> ()\n  column = Reshape (b, shape)\n"
            "  wide = Cast <to = 1> (column)\n  scaled = Mul (wide, a)\n  y = Add (scaled, a)\n}\n")
        np.savez(self.data / "set.npz", b=b, a=a, y=np.arange(3))
        self.assert_right(path, self.data / "set.npz")

    def test_what_does_not_fit_is_explained(self):
        x = np.zeros([3, 2, 4], np.float32)
        model = self.model(x, EXACT)
        integers = self.model(x, EXACT, type=TensorProto.INT64)
        images = self.model(np.zeros([2, 3, 8, 8]), EXACT)
        infinite = x.copy()
        infinite[2, 1, 1] = np.inf
        for code, message, path, arrays in [
            (2, "has no labels", model, dict(image=x)),
            (2, "has no array for input 'image', but a, b", model, dict(a=x, b=x)),
            (2, "has no array for input 'image', but no others", model, {}),
            (2, "input 'image' takes [N, 2, 4], array 'x' is [3, 2, 5]", model,
             dict(x=np.zeros([3, 2, 5]), y=np.arange(3))),
            (2, "input 'image' takes [N, 3, 8, 8], array 'x' is [3, 2, 4]", images,
             dict(x=x, y=np.arange(3))),
            (2, "takes int64, which cannot express", integers, dict(x=x + 0.5, y=np.arange(3))),
            (3, "x has 3 items, y 2 labels", model, dict(x=x, y=np.arange(2))),
            (3, "has no samples", model, dict(x=x[:0], y=np.arange(0))),
            (3, "array 'x' has a value that is NaN or infinite in sample 2", model,
             dict(x=infinite, y=np.arange(3))),
            (3, "label 18446744073709551615 of item 0", model,
             dict(x=x, y=np.full(3, 2**64 - 1, np.uint64))),
            (3, "label 4 of item 1 is none of 4 classes", model,
             dict(x=x, y=np.array([0, 4, 0]))),
            (3, "array 'x' has elements of type", model,
             dict(x=np.array(["a"]), y=np.arange(1))),
        ]:
            with self.subTest(message):
                data = self.folder / "set.npz"
                np.savez(data, **arrays)
                result = prunec("evaluate", path, "--data", data)
                self.assertEqual(result.returncode, code, result.stderr)
                self.assertIn(message, result.stderr)
                self.assertIn(str(data), result.stderr)
        for code, message, data in [
            (5, "cannot be read", self.folder / "absent"),
            (2, "is no set of samples", model),
            (3, "has no samples", self.data),
        ]:
            with self.subTest(message):
                result = prunec("evaluate", model, "--data", data)
                self.assertEqual(result.returncode, code, result.stderr)
                self.assertIn(message, result.stderr)

    def test_onnx_test_data(self):
        tensor = numpy_helper.from_array(np.zeros([1, 2, 5], np.float32), "image")
        place = self.data / "test_data_set_0"
        place.mkdir()
        (place / "input_0.pb").write_bytes(tensor.SerializeToString())
        model = self.model(np.zeros([1, 2, 5]), EXACT)
        result = prunec("evaluate", model, "--data", self.data)
        self.assertEqual(result.returncode, 2, result.stderr)
        self.assertIn("has no labels", result.stderr)

    # Images

    def test_formats(self):
        wide = np.random.default_rng(1).integers(0, 65536, [31, 43, 3])
        grey = wide[..., 0]
        cases = [("png", mode, {}) for mode in ["RGB", "L", "P", "RGBA", "LA", "1"]]
        cases += [("jpg", "RGB", {}), ("jpeg", "RGB", dict(subsampling=0, quality=95)),
                  ("JPG", "RGB", dict(progressive=True)), ("jpg", "L", {}), ("jpg", "CMYK", {})]
        expected = []
        for index, (suffix, mode, options) in enumerate(cases):
            place = self.data / f"class{index:02}"
            place.mkdir()
            path = place / f"image.{suffix}"
            # Each another image, so that no two classes are alike.
            photo(31, 43, index).convert(mode).save(path, **options)
            expected.append(values(Image.open(path).convert("RGB")))
        for index, (array, colour) in enumerate([(wide, 2), (grey, 0)]):
            place = self.data / f"wide{index}"
            place.mkdir()
            rows = [row.astype(">u2").tobytes() for row in array]
            (place / "image.png").write_bytes(png(rows, 16, colour))
            levels = np.round(array / 257).astype(np.uint8)
            expected.append(values(Image.fromarray(levels).convert("RGB")))
        # Another libjpeg may differ by a level.
        self.assert_right(self.model(expected, 1.01 / 255), self.data)

    def test_resizing_is_that_of_pil(self):
        images = [photo(*size, seed) for seed, size in
                  enumerate([(24, 24), (100, 73), (37, 211), (300, 301), (12, 17), (24, 999)])]
        self.save(images)
        for height, width in [(24, 24), (24, 31)]:
            expected = [values(cropped(image, height, width)) for image in images]
            self.assert_right(self.model(expected, RESIZED), self.data)
            # The tolerance tells: resizing by another filter would not pass.
            other = [values(image.resize((width, height), Image.Resampling.BOX))
                     for image in images]
            self.assertLess(self.accuracy(self.model(other, RESIZED), self.data)[0], 50)
        grey = [values(cropped(image.convert("L"), 24, 24)) for image in images]
        self.assert_right(self.model(grey, RESIZED), self.data)
        expected = [values(cropped(image, 24, 24)) for image in images]
        channels_last = [array.transpose(1, 2, 0) for array in expected]
        self.assert_right(self.model(channels_last, RESIZED), self.data)
        open = self.model(expected, RESIZED, shape=["N", 3, "H", "W"])
        self.assert_right(open, self.data, "--size", "24")
        bytes = [np.round(array * 255) for array in expected]
        self.assert_right(self.model(bytes, 1.01, type=TensorProto.UINT8), self.data)
        parts = [values(cropped(image, 24, 24, 0.75)) for image in images]
        self.assert_right(self.model(parts, RESIZED), self.data, "--crop", "0.75")

    def test_values_are_normalized(self):
        images = [photo(8, 8, seed) for seed in range(3)]
        self.save(images)
        mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
        expected = [(values(image) - mean[:, None, None]) / std[:, None, None] for image in images]
        options = ["--mean", "0.485,0.456,0.406", "--std", "0.229,0.224,0.225"]
        self.assert_right(self.model(expected, 1e-5), self.data, *options)
        self.assertEqual(self.accuracy(self.model(expected, 1e-5), self.data)[0], 0)
        one = [(values(image) - 0.5) / 0.25 for image in images]
        self.assert_right(self.model(one, 1e-5), self.data, "--mean", "0.5", "--std", "0.25")

    def test_damaged_images_are_left_out_and_named(self):
        images = [photo(40, 40, seed) for seed in range(3)]
        self.save(images, "jpg")
        for index, name in enumerate(["short.jpg", "text.png", "empty.png"]):
            whole = (self.data / "class01" / "image.jpg").read_bytes()
            content = [whole[:len(whole) // 2], b"text", b""][index]
            (self.data / "class01" / name).write_bytes(content)
        paths = sorted(self.data.glob("*/image.jpg"))
        model = self.model([values(Image.open(path)) for path in paths], 1.01 / 255)
        result = self.assert_right(model, self.data)
        self.assertIn("of 3", result.stdout)
        self.assertIn("3 samples left out", result.stderr)
        self.assertIn("'class01/short.jpg': it is cut short", result.stderr)
        for path in paths:
            path.unlink()
        result = prunec("evaluate", model, "--data", self.data)
        self.assertEqual(result.returncode, 3, result.stderr)
        self.assertIn("no sample that can be used", result.stderr)

    def test_hostile_images_are_survived(self):
        image = photo(20, 20)
        wholes = []
        for suffix, options in [("png", {}), ("jpg", {}), ("jpg", dict(progressive=True))]:
            path = self.folder / f"whole.{suffix}"
            image.save(path, **options)
            wholes.append((suffix, path.read_bytes()))
        generator = random.Random(0)
        place = self.data / "class"
        place.mkdir()
        for index in range(300):
            suffix, whole = wholes[index % 3]
            content = bytearray(whole)
            for _ in range(generator.randrange(1, 6)):
                content[generator.randrange(len(content))] = generator.randrange(256)
            (place / f"{index}.{suffix}").write_bytes(content)
        # A few bytes that claim four billion pixels a side.
        (place / "huge.png").write_bytes(
            wholes[0][1][:16] + b"\x7f\xff\xff\xff" * 2 + wholes[0][1][24:])
        image.save(place / "whole.png")
        result = prunec("evaluate", self.model([values(image)], 2), "--data", self.data)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("left out", result.stderr)

    def test_options_are_checked(self):
        self.save([photo(8, 8)])
        model = self.model([values(photo(8, 8))], EXACT)
        for code, message, options in [
            (2, "2 numbers for 3 channels", ["--mean", "0.5,0.5"]),
            (2, "not above 0", ["--std", "0"]),
            (2, "--mean", ["--mean", "a"]),
            (2, "images of 8x8, not 9x9", ["--size", "9"]),
            (2, "--size", ["--size", "0x8"]),
            (2, "--layout", ["--layout", "hwc"]),
            (2, "--crop", ["--crop", "0"]),
            (2, "--samples", ["--samples", "0"]),
        ]:
            with self.subTest(message):
                result = prunec("evaluate", model, "--data", self.data, *options)
                self.assertEqual(result.returncode, code, result.stderr)
                self.assertIn(message, result.stderr)
        open = self.model([values(photo(8, 8))], EXACT, shape=["N", 3, "H", "W"])
        result = prunec("evaluate", open, "--data", self.data)
        self.assertEqual(result.returncode, 2, result.stderr)
        self.assertIn("pass --size", result.stderr)


if __name__ == "__main__":
    unittest.main()
