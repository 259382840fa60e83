from .. import model_commands, texts
from ..trial import Trial

BASIS = [
    *model_commands.PASSES, "fixpoint(eliminate-identities,fold-constants,eliminate-dead-nodes)",
    "score-channels{criterion=l1 seed=3},mask-channels{params=0.5 scope=uniform align=4 max-ratio=0.8 only=conv keep=c0},shrink-channels",
    "score-channels,mask-channels{ratio=0.5 ratio-for=\"c*=0.25\" align=auto},merge-neurons{threshold=0.2 scale=least-squares rest=drop}",
    "mask-channels{peak-memory=24KiB},lower-masks",
]


class Pipelines:
    name = "pipelines"
    summary = "texts of pipelines, in prunec-opt and prunec --pipeline"
    weight = 5

    def __init__(self, materials):
        self.models = materials.models

    def make(self, random, folder):
        (folder / "model.onnx").write_bytes(random.choice(self.models))
        pipeline = texts.mutate(random.choice(BASIS), random, random.choice(BASIS)).replace("\0", "")
        # A budget of time would measure, by a command where the text says one.
        pipeline = pipeline.replace("latency", "macs").replace("measure=", "data=")
        if random.random() < 0.5:
            return Trial(["model.onnx", "--passes", pipeline, *random.choice([[], ["--verify-each"], ["--print-pipeline"]])],
                         program="prunec-opt")
        # Pipelines of one's own may leave masks and wrong declarations, so that no runtime is asked of the result.
        return Trial(["model.onnx", "-o", "small.onnx", "--pipeline", pipeline], output="small.onnx")
