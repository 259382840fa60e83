"""What onnx's checker and onnxruntime say about files; called in processes of their own."""

import numpy

from check_pruned import compare, open_session, random_inputs

SEED = 0


class Unusable(Exception):
    """An exported file that does not run."""


def try_file(path):
    """Fails unless onnx's checker and onnxruntime accept a file and its outputs are numbers."""
    session = open_session(path)
    outputs = session.run(None, random_inputs(session, numpy.random.default_rng(SEED)))
    for value, output in zip(session.get_outputs(), outputs):
        if output.dtype.kind == "f" and not numpy.isfinite(output).all():
            raise Unusable(f"output '{value.name}' is not finite")


def judge(original, masked, small, seed):
    """How far the small model is from the masked one, and the parameters before and after."""
    result = compare(original, masked, small, seed=seed, runs=2)
    return {
        "relative_error": result.relative_error,
        "parameters_before": result.parameters_before,
        "parameters_after": result.parameters_after,
    }
