from .. import blind, model_commands, wire
from ..trial import Trial


class ModelBytes:
    name = "model-bytes"
    summary = "models with damaged bytes, blindly or field by field of the wire format"
    weight = 24

    def __init__(self, materials):
        self.models = materials.models

    def make(self, random, folder):
        data, other = random.choice(self.models), random.choice(self.models)
        mutate = random.choice([blind.mutate, wire.mutate, wire.mutate])
        (folder / "model.onnx").write_bytes(mutate(data, random, other))
        trial: Trial = model_commands.choose("model.onnx", random, sampled=False)
        trial.mutations = [mutate.__module__.rsplit(".", 1)[1]]
        return trial
