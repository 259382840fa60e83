"""What is left of the accuracy right after pruning, by prunec and by its peers.

Usage (tools/compare sets up what this needs and passes its arguments on):

    tools/compare [--methods NAME...] [--models NAME...] [--budgets F...] [--prunec PATH]
                  [--variants FOLDER] [--cache FILE] [--out FOLDER]
                  [--prunec-options "--align 1"]

Prunes the trained fixtures to fractions of their MACs, which `prunec inspect` counts for everyone,
and measures top-1 on the 10,000 test images of Fashion-MNIST in onnxruntime, with no training
after pruning. The methods:

    prunec         no data
    prunec-256     `--calibration` with the first 256 training images, without labels
    prunec-1024    the same with 1,024
    torch-pruning  the best of l1, l2, fpgm, bn and taylor, local and global, on a PyTorch network
                   with the file's weights; taylor has 256 images with labels; progressive
    onnxsim        the best of l2 and Wanda (256 images), local and global, with its ridge
                   fine-tune on 256 images and without

A peer's best is chosen by the first 1,000 of the test images, which favours it. Torch-Pruning may
choose among files, too: those in which the exporter kept the batch normalizations (MODEL-bn.onnx,
in Fixtures/Models or --variants). The seconds are those of the best setting alone.

Writes comparison.json, comparison.md and comparison.svg to --out. The peers' results are kept in
--cache, where they are looked up first; prunec is always measured anew.
"""

import argparse
import json
import shlex
import sys
import tempfile
import time
from importlib import metadata
from itertools import product
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY / "tools" / "models"))

import fashion_mnist  # noqa: E402

from comparison import plot, prunec_method, table  # noqa: E402
from comparison.outcome import Outcome  # noqa: E402
from comparison.results import Results  # noqa: E402

FIXTURES = REPOSITORY / "Fixtures" / "Models"
MODELS = ("lenet300", "vgg8", "resnet20", "mobilenetv2", "densenet", "vit")
BUDGETS = (0.7, 0.5, 0.3)
TITLES = {
    "prunec-1024": "prunec, 1,024 images", "prunec-256": "prunec, 256 images",
    "prunec": "prunec, no data", "torch-pruning": "Torch-Pruning (best)",
    "onnxsim": "onnxsim (best)",
}
SAMPLES = {"prunec": 0, "prunec-256": 256, "prunec-1024": 1024}
PEER_SAMPLES = 256
CHOICE_IMAGES = 1000


class Comparison:
    """Measures one model by one method at all budgets."""

    def __init__(self, prunec, options, variants, cache, folder):
        self.prunec, self.options, self.variants = prunec, options, variants
        self.cache, self.folder = cache, folder
        self.images, self.labels = fashion_mnist.read("train")
        self.test = fashion_mnist.read("t10k")

    def accuracy(self, path, count=None):
        images, labels = self.test
        return fashion_mnist.top1(path, images[:count], labels[:count])

    def outcomes(self, model, method, budgets):
        if method in SAMPLES:
            return {budget: self._prunec(model, SAMPLES[method], budget) for budget in budgets}
        version = metadata.version(method)
        found = {budget: self.cache.find(model, method, version, budget) for budget in budgets}
        missing = [budget for budget in budgets if found[budget] is None]
        if missing:
            measure = {"torch-pruning": self._torch_pruning, "onnxsim": self._onnxsim}[method]
            for budget, candidates in measure(model, missing).items():
                found[budget] = self._best(candidates)
                self.cache.add(model, method, version, budget, found[budget])
        return found

    def _best(self, candidates):
        """The most accurate of outcomes with their files, measured."""
        chosen, most = Outcome(reason="not reached"), None
        for outcome, small in candidates:
            if small is None:
                continue
            accuracy = self.accuracy(small, CHOICE_IMAGES)
            log(f"  {accuracy:5.1f} % at {outcome.macs:.3f}, {outcome.seconds:.1f} s "
                f"{outcome.setting}")
            if most is None or accuracy > most:
                chosen, most, file = outcome, accuracy, small
        chosen.tried_seconds = sum(outcome.seconds for outcome, _ in candidates)
        if most is not None:
            chosen.accuracy = self.accuracy(file)
        return chosen

    def _prunec(self, model, samples, budget):
        calibration = None
        if samples:
            calibration = prunec_method.write_calibration(self.images, samples, self.folder)
        small = self.folder / "prunec.onnx"
        outcome = prunec_method.prune(
            self.prunec, model, small, budget, calibration, samples, self.options)
        if outcome.macs:
            outcome.accuracy = self.accuracy(small)
        return outcome

    def _torch_pruning(self, model, budgets):
        from comparison import torch_networks, torch_pruning_peer

        images, labels = self.images[:PEER_SAMPLES], self.labels[:PEER_SAMPLES]
        found = {budget: [] for budget in budgets}
        settings = product(self._files(model), torch_pruning_peer.CRITERIA,
                           torch_pruning_peer.SCOPES)
        for file, criterion, scope in settings:
            network = torch_networks.load(file, images[:8])
            if not torch_pruning_peer.applies(criterion, network):
                continue
            for budget, outcome, small in torch_pruning_peer.prune(
                    self.prunec, file, network, criterion, scope, budgets, images, labels,
                    self.folder):
                outcome.setting = f"{file.stem} {outcome.setting}"
                found[budget].append((outcome, small))
        return found

    def _files(self, model):
        """The model, and its export with batch normalizations if there is one."""
        name = f"{model.stem}-bn.onnx"
        kept = (folder / name for folder in (model.parent, self.variants))
        return [model, *[path for path in kept if path.is_file()][:1]]

    def _onnxsim(self, model, budgets):
        from comparison import onnxsim_peer

        peer = onnxsim_peer.Peer(self.prunec, model, self.images[:PEER_SAMPLES], self.folder)
        settings = list(product(onnxsim_peer.CRITERIA, onnxsim_peer.SCOPES))
        return {budget: [candidate for criterion, scope in settings
                         for candidate in peer.prune(criterion, scope, budget)]
                for budget in budgets}


def log(message):
    print(message, file=sys.stderr, flush=True)


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", nargs="+", choices=TITLES, default=list(TITLES))
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--budgets", nargs="+", type=float, default=list(BUDGETS), metavar="F")
    parser.add_argument("--prunec", type=Path, default=REPOSITORY / "tools" / "prunec")
    parser.add_argument("--prunec-options", default="", metavar="OPTIONS",
                        help="more options for prunec, in one argument")
    parser.add_argument("--variants", type=Path, metavar="FOLDER",
                        default=REPOSITORY.parent / "shared" / "models")
    parser.add_argument("--cache", type=Path, metavar="FILE",
                        default=REPOSITORY / ".cache" / "comparison" / "peers.json")
    parser.add_argument("--out", type=Path, metavar="FOLDER",
                        default=REPOSITORY / ".cache" / "comparison")
    return parser.parse_args()


def main():
    arguments = parse()
    # As they are listed, whatever the order of the arguments: the plot's colours go by it.
    methods = {name: title for name, title in TITLES.items() if name in arguments.methods}
    arguments.out.mkdir(parents=True, exist_ok=True)
    outcomes, originals = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        comparison = Comparison(arguments.prunec, shlex.split(arguments.prunec_options),
                                arguments.variants, Results(arguments.cache), Path(folder))
        for name in arguments.models:
            model = FIXTURES / f"{name}.onnx"
            originals[name] = comparison.accuracy(model)
            for method in methods:
                start = time.perf_counter()
                for budget, outcome in comparison.outcomes(
                        model, method, arguments.budgets).items():
                    outcomes[name, method, budget] = outcome
                    log(f"{name} {method} {budget:g}: {outcome}")
                log(f"{name} {method}: {time.perf_counter() - start:.0f} s")
    write(arguments, methods, originals, outcomes)
    print((arguments.out / "comparison.md").read_text(), end="")


def write(arguments, methods, originals, outcomes):
    content = {
        "original": originals,
        "results": [{"model": model, "method": method, "budget": budget, **outcome.as_dictionary()}
                    for (model, method, budget), outcome in outcomes.items()]}
    (arguments.out / "comparison.json").write_text(json.dumps(content, indent=1) + "\n")
    for writer, name in ((table, "comparison.md"), (plot, "comparison.svg")):
        writer.write(arguments.out / name, arguments.models, arguments.budgets, methods, originals,
                     outcomes)


if __name__ == "__main__":
    main()
