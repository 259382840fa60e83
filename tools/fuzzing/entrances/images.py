import io
import struct
import zlib

import numpy
from PIL import Image

from .. import blind, numbers
from ..trial import Trial

MODES = ["RGB", "L", "RGBA", "P", "1", "I;16", "CMYK", "LA"]


class Images:
    name = "images"
    summary = "folders of PNG and JPEG files, as samples"
    weight = 5

    def __init__(self, materials):
        self.model = materials.convolutions
        random = numpy.random.default_rng(0)
        whole = Image.fromarray(random.integers(0, 256, (11, 9, 3), dtype=numpy.uint8))
        self.pictures = []
        for mode in MODES:
            picture = Image.fromarray(random.integers(0, 65536, (5, 7), dtype=numpy.uint16)) if mode == "I;16" else whole.convert(mode)
            for form in ("PNG", "JPEG"):
                if form == "PNG" and mode == "CMYK" or form == "JPEG" and mode not in ("RGB", "L", "CMYK"):
                    continue
                for options in ({}, {"progressive": True} if form == "JPEG" else {"bits": 4} if mode == "P" else {}):
                    file = io.BytesIO()
                    picture.save(file, form, **options)
                    self.pictures.append((form, file.getvalue()))

    def make(self, random, folder):
        (folder / "model.onnx").write_bytes(self.model)
        for place, name in enumerate(["a", "b"]):
            (folder / "set" / name).mkdir(parents=True)
            form, data = random.choice(self.pictures)
            if place == 0 or random.random() < 0.3:
                data = self._chunks(data, random) if form == "PNG" and random.random() < 0.6 else blind.mutate(data, random)
            ending = random.choice([form.lower(), form.lower(), "png", "jpg", "JPG"])
            (folder / "set" / name / f"0.{ending}").write_bytes(data)
        options = random.choice([[], [], ["--mean", "0.5", "--std", "0.2"], ["--crop", "0.5"], ["--layout", "nhwc"]])
        if random.random() < 0.1:
            return Trial(["calibrate", "model.onnx", "--calibration", "set", "-o", "set.stats", *options], output="set.stats")
        return Trial(["evaluate", "model.onnx", "--data", "set", *options])

    @staticmethod
    def _chunks(data, random):
        """A PNG with a chunk changed, left out or repeated, and the right checksums."""
        chunks, place = [], 8
        while place < len(data):
            size = int.from_bytes(data[place:place + 4], "big")
            chunks.append((data[place + 4:place + 8], data[place + 8:place + 8 + size]))
            place += 12 + size
        place = random.randrange(len(chunks))
        kind, contents = chunks[place]
        change = random.randrange(6)
        if change == 0:
            del chunks[place]
        elif change == 1:
            chunks.insert(random.randrange(len(chunks)), chunks[place])
        elif change == 2:
            width, height = (random.choice([1, 2, 9, *numbers.INTEGERS]) % 2**32 for _ in range(2))
            chunks[0] = (b"IHDR", struct.pack(">II", width, height) + chunks[0][1][8:])
        elif change == 3:
            rest = bytes([random.choice([1, 2, 4, 8, 16, 3]), random.choice([0, 2, 3, 4, 6, 1]), 0, 0, random.choice([0, 1, 2])])
            chunks[0] = (b"IHDR", chunks[0][1][:8] + rest)
        elif change == 4:
            chunks.insert(1, (random.choice([b"tRNS", b"PLTE", b"gAMA", b"sBIT", b"iCCP", b"zTXt", b"ODDX"]), random.randbytes(random.randrange(40))))
        else:
            chunks[place] = (kind, blind.mutate(contents, random))
        return data[:8] + b"".join(
            struct.pack(">I", len(contents)) + kind + contents + struct.pack(">I", zlib.crc32(kind + contents)) for kind, contents in chunks)
