"""onnxsim's structured pruning on the same file; called in a process of its own."""

import onnx
import onnxsim

from check_pruned import count_elements

from .building import try_file


def prune(path, small, ratio):
    """Simplifies first, because its pruning expects batch normalisations to be folded. Gives back
    the parameters before and after; onnxruntime must accept the result."""
    model = onnx.load(str(path))
    before = count_elements(model, running_statistics=False)
    simplified, _ = onnxsim.simplify(model)
    pruned = onnxsim.apply_structured_pruning(simplified, sparsity=ratio)
    onnx.save(pruned, str(small))
    try_file(small)
    return {"parameters_before": before,
            "parameters_after": count_elements(pruned, running_statistics=False)}
