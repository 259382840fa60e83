from .. import model_commands, structure


class ModelStructure:
    name = "model-structure"
    summary = "models with other attributes, operands, types, extents, operators, branches, versions"
    weight = 40

    def __init__(self, materials):
        self.models = materials.models

    def make(self, random, folder):
        data, mutations = structure.mutate(random.choice(self.models), random, random.choice(self.models))
        (folder / "model.onnx").write_bytes(data)
        trial = model_commands.choose("model.onnx", random)
        trial.mutations = mutations
        return trial
