"""onnxsim's structured pruning: weights' norms and Wanda, local and global, with its ridge
fine-tune of matrix products and without."""

import time

import onnx
import onnxsim

from .inspection import count_macs
from .outcome import Outcome

CRITERIA = ("l2", "wanda")
SCOPES = {"local": False, "global": True}
HALVINGS = 8
LARGEST_SPARSITY = 0.98


class Peer:
    """onnxsim on one model; simplifies it first, because its pruning expects batch
    normalisations to be folded."""

    def __init__(self, prunec, model, images, folder):
        self.prunec, self.folder = prunec, folder
        self.calibration = [{"input": images}]
        self.whole = count_macs(prunec, model)
        self.original, _ = onnxsim.simplify(onnx.load(str(model)))
        self.stem = model.stem

    def prune(self, criterion, scope, budget):
        """The outcomes without their accuracy, each with the file to measure: the smallest
        sparsity that meets the budget, pruned, and fine-tuned."""
        start, setting = time.perf_counter(), f"{criterion} {scope}"
        pruned, fraction = self._search(criterion, SCOPES[scope], budget)
        seconds = time.perf_counter() - start
        if pruned is None:
            return [(Outcome(seconds=seconds, setting=setting, reason="not reached"), None)]
        name = f"{criterion}-{scope}-{budget:g}"
        plain = Outcome(macs=fraction, seconds=seconds, setting=setting)
        tuned = onnxsim.apply_pruning_finetune(self.original, pruned, self.calibration)
        seconds = time.perf_counter() - start
        refit = Outcome(macs=fraction, seconds=seconds, setting=f"{setting} fine-tuned")
        return [(plain, self._save(pruned, name)), (refit, self._save(tuned, f"{name}-tuned"))]

    def _search(self, criterion, is_global, budget):
        low, high = 0.0, LARGEST_SPARSITY
        best = self._at(criterion, is_global, high)
        if best[1] > budget:
            return None, None
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            found = self._at(criterion, is_global, middle)
            if found[1] <= budget:
                high, best = middle, found
            else:
                low = middle
        return best

    def _at(self, criterion, is_global, sparsity):
        """The pruned model and its fraction of the MACs."""
        if criterion == "wanda":
            pruned = onnxsim.apply_structured_wanda_pruning(
                self.original, self.calibration, sparsity=sparsity, global_sparsity=is_global)
        else:
            pruned = onnxsim.apply_structured_pruning(
                self.original, sparsity=sparsity, importance_norm=criterion,
                global_sparsity=is_global)
        return pruned, count_macs(self.prunec, self._save(pruned, "trial")) / self.whole

    def _save(self, pruned, name):
        path = self.folder / f"{self.stem}-onnxsim-{name}.onnx"
        onnx.save(pruned, str(path))
        return path
