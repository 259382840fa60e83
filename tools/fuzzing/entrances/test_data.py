from onnx import numpy_helper

from .. import blind, structure, wire
from ..trial import Trial


class TestData:
    name = "test-data"
    summary = "ONNX's test data (test_data_set_0/input_0.pb), as samples"
    weight = 3

    def __init__(self, materials):
        self.model = materials.convolutions
        self.samples = materials.samples["x"]

    def make(self, random, folder):
        (folder / "model.onnx").write_bytes(self.model)
        for place in range(2):
            tensor = numpy_helper.from_array(self.samples[place:place + 1], random.choice(["x", "x", "", "input"]))
            if random.random() < 0.5:
                structure.change_tensor(tensor, random)
            data = tensor.SerializeToString()
            if random.random() < 0.6:
                data = random.choice([blind.mutate, wire.mutate])(data, random)
            path = folder / "set" / f"test_data_set_{place}"
            path.mkdir(parents=True)
            (path / random.choice(["input_0.pb", "input_0.pb", "input_0.pb", "input_1.pb", "input_.pb", "input_99999999999999999999.pb", "0.pb"])
             ).write_bytes(data)
        source = random.choice(["set", "set", "set/test_data_set_0"])
        return Trial(["calibrate", "model.onnx", "--calibration", source, "-o", "set.stats"], output="set.stats")
