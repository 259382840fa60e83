"""Commands that get a model, chosen at random and weighted by how much they do for their time."""

from .trial import Trial

OUTPUT, MASKED = "small.onnx", "masked.onnx"
PASSES = [
    "infer-shapes", "fold-constants", "fold-constants{all=true}", "fold-batch-norm", "eliminate-identities",
    "separate-shape-constants", "inline-branches,eliminate-dead-nodes", "unpack-sequences", "correct-types",
    "score-channels,mask-channels{ratio=0.5},shrink-channels,merge-equal-vectors,lower-masks",
    "fold-constants,score-channels,mask-channels{ratio=0.5},merge-neurons,shrink-channels",
    "couple-channels{direction=outer},score-channels{criterion=fpgm},mask-channels{macs=0.4 min-channels=1},shrink-channels",
]


def choose(model, random, sampled=True):
    """A trial of the model at this path: inspected, pruned, run, timed, compared, or taken through passes."""
    return random.choices(
        [_inspect, _prune, _budget, _run, _verify, _passes, _bench, _reconstruct if sampled else _prune],
        [20, 40, 8, 14, 4, 10, 2, 1])[0](model, random)


def _inspect(model, random):
    return Trial(["inspect", model, *random.choice([[], ["--json"], ["--direction", "outer"]])])


def _prune(model, random):
    options = ["--ratio", random.choice(["0.5", "0.5", "0.25", "0.9"]), "--emit-masked", MASKED]
    options += ["--compensate", random.choice(["none", "none", "merge"])]
    options += random.choice([[], [], ["--align", "1"]])
    options += random.choices(
        [[], ["--direction", "outer"], ["--criterion", "fpgm"], ["--verify-each"], ["--plan", "plan.json", "--json"],
         ["--external-data"], ["--strict"]], [8, 2, 1, 2, 2, 1, 1])[0]
    return Trial([model, "-o", OUTPUT, *options], output=OUTPUT, original=model, masked=MASKED)


def _budget(model, random):
    budget = random.choice([["--macs", "0.5"], ["--params", "0.4"], ["--peak-memory", "0.7"]])
    return Trial([model, "-o", OUTPUT, *budget, "--min-channels", "1", "--compensate", "none", "--emit-masked", MASKED],
                 output=OUTPUT, original=model, masked=MASKED)


def _run(model, random):
    return Trial(["run", model, "--threads", random.choice("112"), "-o", "out.npz"], output="out.npz")


def _verify(model, _):
    return Trial(["verify", model, model, "--threads", "1"])


def _passes(model, random):
    each = random.choice([[], ["--verify-each"], ["--verify-each", "--check-each"]])
    return Trial([model, "--passes", random.choice(PASSES), *each], program="prunec-opt")


def _bench(model, _):
    return Trial(["bench", model, "--runs", "1", "--per-layer", "--threads", "1"])


def _reconstruct(model, random):
    return Trial([model, "-o", OUTPUT, "--ratio", "0.5", "--compensate", "reconstruct", "--samples", "4", "--effort", "quick",
                  "--emit-masked", MASKED], output=OUTPUT, original=model, masked=MASKED)
