import onnx
from onnx import TensorProto

from .. import blind, model_commands, numbers, texts

LOCATIONS = ["", ".", "..", "/", "/dev/null", "/dev/zero", "../weights.data", "weights.data/x", "missing", "link", "folder", "model.onnx",
             "./weights.data", "WEIGHTS.DATA", "weights.data\0x", "pipe", "é", "a" * 300, "small.onnx", "//weights.data"]
KEYS = ["location", "offset", "length", "checksum", "odd", ""]


class ExternalData:
    name = "external-data"
    summary = "references to weights in other files, and these files"
    weight = 6

    def __init__(self, materials):
        self.models = materials.models

    def make(self, random, folder):
        model = onnx.load_model_from_string(random.choice(self.models))
        data = bytearray()
        for tensor in model.graph.initializer:
            if tensor.raw_data:
                self._move(tensor, data)
        outside = [tensor for tensor in model.graph.initializer if tensor.data_location == TensorProto.EXTERNAL]
        mutations = []
        for _ in range(numbers.few(random) if outside else 0):
            change = random.choice([self._entry, self._entry, self._entry, self._entries, self._tensor])
            change(random.choice(outside), random)
            mutations.append(change.__name__.strip("_"))
        kind = random.randrange(6)
        data = blind.mutate(bytes(data), random) if kind == 0 else bytes(data[:random.randrange(len(data) + 1)] if kind == 1 else data)
        if kind != 2:
            (folder / "weights.data").write_bytes(data)
        (folder / "link").symlink_to("weights.data" if random.random() < 0.5 else "/etc/hostname")
        (folder / "folder").mkdir()
        (folder / "model.onnx").write_bytes(model.SerializeToString())
        trial = model_commands.choose("model.onnx", random, sampled=False)
        trial.mutations = mutations
        return trial

    @staticmethod
    def _move(tensor, data):
        for key, value in (("location", "weights.data"), ("offset", str(len(data))), ("length", str(len(tensor.raw_data)))):
            tensor.external_data.add(key=key, value=value)
        data += tensor.raw_data
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL

    @staticmethod
    def _entry(tensor, random):
        if not tensor.external_data:
            return
        entry = random.choice(tensor.external_data)
        if entry.key == "location":
            entry.value = random.choice(LOCATIONS)
        elif random.random() < 0.3:
            entry.value = random.choice(texts.ODD[:-4])
        else:
            entry.value = str(random.choice([*numbers.INTEGERS, 2**64, 2**64 - 4, int(entry.value or 0) + 1 if entry.value.isdigit() else 5]))

    @staticmethod
    def _entries(tensor, random):
        if random.random() < 0.5 and tensor.external_data:
            del tensor.external_data[random.randrange(len(tensor.external_data))]
        else:
            tensor.external_data.add(key=random.choice(KEYS), value=random.choice(["0", "4", "weights.data", ""]))

    @staticmethod
    def _tensor(tensor, random):
        if random.random() < 0.5 and tensor.dims:
            place = random.randrange(len(tensor.dims))
            tensor.dims[place] = numbers.signed(numbers.near(tensor.dims[place], random))
        elif random.random() < 0.5:
            tensor.raw_data = b"1234"
        else:
            tensor.data_type = random.choice([1, 7, 8, 10, 11, 22, 0, 99])
