import io

import numpy

from .. import blind, numbers, texts
from ..trial import Trial

PRIME, MASK = 0x100000001B3, 2**64 - 1


def checksum(arrays):
    """The checksum that calibrate writes: FNV-1a by words of eight bytes, folded, over names, extents and elements."""
    value = 0xCBF29CE484222325

    def add(word):
        nonlocal value
        value = (value ^ word) * PRIME & MASK
        value ^= value >> 32

    def add_bytes(data):
        whole = len(data) // 8 * 8
        for word in numpy.frombuffer(data[:whole], "<u8").tolist():
            add(word)
        for byte in data[whole:]:
            add(byte)

    for name in sorted(arrays):
        add_bytes(name.encode())
        for extent in arrays[name].shape:
            add(extent)
        add_bytes(arrays[name].tobytes())
    return value


class Statistics:
    name = "statistics"
    summary = "files of calibrate, with a right checksum or without"
    weight = 3

    def __init__(self, materials):
        self.model = materials.convolutions
        self.files = [materials.statistics, materials.damage]

    def make(self, random, folder):
        (folder / "model.onnx").write_bytes(self.model)
        first = random.randrange(2)
        names = []
        for place, data in enumerate(self.files):
            if place == first:
                data = blind.mutate(data, random) if random.random() < 0.3 else self._change(data, random)
            elif random.random() < 0.5:
                continue
            names.append(f"{place}.stats")
            (folder / names[-1]).write_bytes(data)
        command = random.choice([
            Trial(["model.onnx", "-o", "small.onnx", "--ratio", "0.5", "--align", "1", "--samples", "8"], output="small.onnx"),
            Trial(["model.onnx", "-o", "small.onnx", "--macs", "0.6", "--samples", "8", "--min-channels", "1", "--effort", "quick"], output="small.onnx"),
            Trial(["sensitivity", "model.onnx", "--samples", "8", "--effort", "quick"]),
        ])
        command.arguments += ["--stats", *names]
        return command

    @staticmethod
    def _change(data, random):
        """The file with another header or other arrays, and the checksum of these."""
        with numpy.load(io.BytesIO(data)) as archive:
            arrays = {name: archive[name] for name in archive}
        del arrays["checksum"]
        for _ in range(numbers.few(random)):
            name = random.choice(list(arrays))
            array = arrays[name]
            kind = random.randrange(6)
            if name == "header" or kind == 0:
                header = texts.mutate(arrays["header"].tobytes().decode(errors="replace"), random)
                arrays["header"] = numpy.frombuffer(header.encode(errors="replace"), numpy.uint8)
            elif kind == 1:
                arrays[name] = array[:random.randrange(len(array) + 1)] if array.ndim else array
            elif kind == 2:
                with numpy.errstate(all="ignore"):
                    arrays[name] = array.astype(random.choice(["<f4", "<i4", "<f8", "u1"]))
            elif kind == 3:
                arrays[name] = array.reshape(1, -1)
            elif array.size:
                array = array.copy()
                with numpy.errstate(all="ignore"):
                    array.flat[random.randrange(array.size)] = (
                        random.choice(numbers.FLOATS) if array.dtype.kind == "f" else random.choice([0, 1, 2, 100, 127]))
                arrays[name] = array
        file = io.BytesIO()
        numpy.savez(file, **arrays, checksum=numpy.array([checksum(arrays)], numpy.uint64))
        return file.getvalue()
