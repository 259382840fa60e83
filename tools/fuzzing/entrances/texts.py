from pathlib import Path

from .. import blind, model_commands, texts
from ..trial import Trial

REPOSITORY = Path(__file__).resolve().parents[3]


class Texts:
    name = "texts"
    summary = "ONNX's textual syntax, in prunec-opt"
    weight = 8

    def __init__(self, materials):
        paths = sorted((REPOSITORY / "Fixtures").rglob("*.onnxtxt"))
        # The first model of each file; groups, results and more cases stand behind it.
        self.texts = [path.read_text().split("\n}\n", 1)[0] + "\n}\n" for path in paths]

    def make(self, random, folder):
        text, other = random.choice(self.texts), random.choice(self.texts)
        data = texts.mutate(text, random, other).encode(errors="surrogatepass")
        if random.random() < 0.1:
            data = blind.mutate(data, random, other.encode())
        (folder / "model.onnxtxt").write_bytes(data)
        passes = random.choice([[], [], ["--passes", random.choice(model_commands.PASSES), "--verify-each"], ["-o", "out.onnx"]])
        return Trial(["model.onnxtxt", *passes], program="prunec-opt", output="out.onnx" if "-o" in passes else None)
