import io
import struct
import zipfile

import numpy

from .. import blind, numbers, texts
from ..trial import Trial

HEADER = "{'descr': '%s', 'fortran_order': %s, 'shape': %s, }"
DESCRIPTIONS = ["<f4", "<f4", "<f4", ">f4", "<f8", "<f2", "<i8", ">i8", "<i4", "|u1", "|b1", "<c8", "<U4", "|S3", "|O", "<f16", "f4", "<f0",
                "<f99999999999", "[('a', '<f4')]", ""]


def npy(description, order, shape, data, version=1):
    text = HEADER % (description, order, shape)
    return frame(text + " " * (63 - (10 + len(text)) % 64) + "\n", data, version)


def frame(header, data, version=1):
    encoded = header.encode("utf-8", "replace")
    size = struct.pack("<H" if version == 1 else "<I", min(len(encoded), 65535))
    return b"\x93NUMPY" + bytes([version % 256, 0]) + size + encoded + data


class Arrays:
    name = "arrays"
    summary = ".npy files and .npz archives, as inputs and as samples"
    weight = 6

    def __init__(self, materials):
        self.model = materials.convolutions
        self.samples = materials.samples

    def make(self, random, folder):
        (folder / "model.onnx").write_bytes(self.model)
        arrays = {name: self._array(value, random) for name, value in self.samples.items()}
        kind = random.randrange(4)
        if kind == 0:
            (folder / "x.npy").write_bytes(blind.mutate(arrays["x"], random) if random.random() < 0.5 else arrays["x"])
            return Trial(["run", "model.onnx", "--input", "x=x.npy", "-o", "out.npz"], output="out.npz")
        (folder / "set.npz").write_bytes(self._archive(arrays, random))
        if kind == 1:
            return Trial(["run", "model.onnx", "--input", "set.npz"])
        if kind == 2:
            return Trial(["calibrate", "model.onnx", "--calibration", "set.npz", "-o", "set.stats"], output="set.stats")
        return Trial(["evaluate", "model.onnx", "--data", "set.npz", *random.choice([[], ["--metric", "mse"], ["--samples", "3"]])])

    @staticmethod
    def _array(value, random):
        shape, description, order, data = value.shape, value.dtype.str, False, value.tobytes()
        kind = random.randrange(8)
        if kind == 0:
            shape = tuple(random.choice([*value.shape, *numbers.INTEGERS]) for _ in range(random.randrange(6)))
        elif kind == 1:
            description = random.choice(DESCRIPTIONS)
        elif kind == 2:
            order = True
        elif kind == 3:
            data = data[:random.randrange(len(data))]
        elif kind == 4:
            data = numpy.full(value.shape, random.choice(numbers.FLOATS), value.dtype).tobytes() if value.dtype.kind == "f" else \
                numpy.full(value.shape, random.choice(numbers.INTEGERS[:20])).astype(value.dtype).tobytes()
        elif kind == 5:
            return frame(texts.mutate(HEADER % (description, order, shape), random) + "\n", data, random.choice([1, 1, 2, 3, 9]))
        return npy(description, order, shape, data, random.choice([1, 1, 2]))

    @staticmethod
    def _archive(arrays, random):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", random.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])) as archive:
            for name, data in arrays.items():
                entry = random.choices([name + ".npy", name, ".npy", "../" + name + ".npy", "a/" + name + ".npy", "z.npy"], [12, 1, 1, 1, 1, 1])[0]
                archive.writestr(entry, data)
        return blind.mutate(file.getvalue(), random) if random.random() < 0.5 else file.getvalue()
