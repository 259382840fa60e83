import numpy

from .. import blind, texts
from ..trial import Trial


class Resumption:
    name = "resumption"
    summary = "files of --resume"
    weight = 1

    def __init__(self, materials):
        self.model, self.samples, self.tried = materials.convolutions, materials.samples, materials.tried

    def make(self, random, folder):
        (folder / "model.onnx").write_bytes(self.model)
        numpy.savez(folder / "samples.npz", **self.samples)
        data = texts.mutate(self.tried.decode(), random).encode(errors="replace")
        (folder / "tried.json").write_bytes(blind.mutate(data, random) if random.random() < 0.2 else data)
        return Trial(["model.onnx", "-o", "small.onnx", "--max-divergence", "1", "--calibration", "samples.npz", "--compensate", "none",
                      "--effort", "quick", "--min-channels", "1", "--resume", "tried.json"], output="small.onnx")
