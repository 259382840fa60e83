"""Checks a pruned model from outside: with onnx's checker and in onnxruntime, against the masked
original.

Usage:

    python tools/check_pruned.py ORIGINAL.onnx MASKED.onnx PRUNED.onnx [--tolerance 1e-4]

prunec writes the masked original with --emit-masked. Both models are run on the same seeded
inputs; an open dimension is taken as 2. Prints the largest absolute and relative difference
(relative to the largest magnitude of the masked original's output) and the parameters kept. Exits
with 1 when a model is refused, the signatures differ or the difference is over the tolerance.
"""

import argparse
import math
import sys
from dataclasses import dataclass

import numpy
import onnx
import onnxruntime

OPEN_DIMENSION = 2
ELEMENT_TYPES = {
    "tensor(float)": numpy.float32, "tensor(double)": numpy.float64,
    "tensor(float16)": numpy.float16, "tensor(bool)": numpy.bool_,
    "tensor(int8)": numpy.int8, "tensor(int16)": numpy.int16, "tensor(int32)": numpy.int32,
    "tensor(int64)": numpy.int64, "tensor(uint8)": numpy.uint8,
}
FLOATING_POINT = {
    onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE,
    onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16,
}


class CheckFailed(Exception):
    """A model that is refused, or that does not do what it should."""


@dataclass(frozen=True)
class Comparison:
    """How far a pruned model is from the masked original, and how much of the original it keeps.

    Parameters are what a training framework calls so: the elements of initializers and of
    floating-point Constant nodes, without the running statistics of batch normalisations, which
    are not trained.
    """

    absolute_error: float
    relative_error: float
    parameters_before: int
    parameters_after: int
    elements_before: int
    elements_after: int

    @property
    def parameters_kept(self):
        """The parameters kept, in percent."""
        return 100 * self.parameters_after / self.parameters_before

    @property
    def elements_kept(self):
        """The same with running statistics counted, in percent."""
        return 100 * self.elements_after / self.elements_before


def graphs_of(graph):
    """The graph and all its subgraphs."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            subgraphs = list(attribute.graphs)
            if attribute.HasField("g"):
                subgraphs.append(attribute.g)
            for subgraph in subgraphs:
                yield from graphs_of(subgraph)


def count_elements(model, running_statistics):
    """Elements of initializers and of floating-point Constant nodes, with or without the running
    means and variances of batch normalisations."""
    total = 0
    for graph in graphs_of(model.graph):
        statistics = set()
        if not running_statistics:
            for node in graph.node:
                if node.op_type == "BatchNormalization":
                    statistics.update(node.input[3:5])
        tensors = [tensor for tensor in graph.initializer if tensor.name not in statistics]
        for node in graph.node:
            if node.op_type == "Constant":
                tensors += [attribute.t for attribute in node.attribute
                            if attribute.t.data_type in FLOATING_POINT]
        total += sum(math.prod(tensor.dims) for tensor in tensors)
    return total


def open_session(path, optimized=True):
    """Runs onnx's full check on a file and loads it in onnxruntime."""
    try:
        onnx.checker.check_model(str(path), full_check=True)
    except Exception as error:
        raise CheckFailed(f"{path}: onnx.checker: {error}") from error
    options = onnxruntime.SessionOptions()
    # Errors are raised, so that warnings need not be printed as well.
    options.log_severity_level = 3
    if not optimized:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        return onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise CheckFailed(f"{path}: onnxruntime: {error}") from error


def signature(session):
    def described(values):
        return [(value.name, value.type, value.shape) for value in values]

    return described(session.get_inputs()), described(session.get_outputs())


def random_inputs(session, generator):
    inputs = {}
    for value in session.get_inputs():
        shape = [size if isinstance(size, int) else OPEN_DIMENSION for size in value.shape]
        if value.type not in ELEMENT_TYPES:
            raise CheckFailed(f"input '{value.name}': no random values of type {value.type}")
        element = numpy.dtype(ELEMENT_TYPES[value.type])
        if element.kind == "f":
            inputs[value.name] = generator.standard_normal(shape).astype(element)
        else:
            # Small enough to be an index into any table of two rows.
            inputs[value.name] = generator.integers(0, 2, shape).astype(element)
    return inputs


def differences(masked_outputs, pruned_outputs):
    """The largest absolute and relative difference; infinite where one of them is not a number."""
    absolute = relative = 0.0
    for masked, pruned in zip(masked_outputs, pruned_outputs):
        masked, pruned = masked.astype(numpy.float64), pruned.astype(numpy.float64)
        if masked.shape != pruned.shape:
            raise CheckFailed(f"output shapes {masked.shape} and {pruned.shape}")
        if masked.size == 0:
            continue
        difference = numpy.abs(masked - pruned).max()
        if not numpy.isfinite(difference):
            return math.inf, math.inf
        magnitude = numpy.abs(masked).max()
        absolute = max(absolute, difference)
        if difference > 0:
            relative = max(relative, difference / magnitude if magnitude > 0 else math.inf)
    return float(absolute), float(relative)


def compare(original_path, masked_path, pruned_path, seed=0, runs=3):
    """Compares the files, on as many seeded inputs as there are runs; raises CheckFailed where
    they cannot be compared."""
    masked, pruned = open_session(masked_path), open_session(pruned_path)
    if signature(masked) != signature(pruned):
        raise CheckFailed(f"signatures {signature(masked)} and {signature(pruned)}")
    generator = numpy.random.default_rng(seed)
    absolute = relative = 0.0
    for _ in range(runs):
        inputs = random_inputs(masked, generator)
        errors = differences(masked.run(None, inputs), pruned.run(None, inputs))
        absolute, relative = max(absolute, errors[0]), max(relative, errors[1])
    original, small = onnx.load(str(original_path)), onnx.load(str(pruned_path))
    return Comparison(
        absolute, relative,
        count_elements(original, False), count_elements(small, False),
        count_elements(original, True), count_elements(small, True))


def main():
    parser = argparse.ArgumentParser(
        description="Checks a pruned model against the masked original in onnxruntime.")
    for name in ("original", "masked", "pruned"):
        parser.add_argument(name, metavar=name.upper() + ".onnx")
    parser.add_argument("--tolerance", type=float, default=1e-4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    try:
        result = compare(arguments.original, arguments.masked, arguments.pruned,
                         arguments.seed, arguments.runs)
    except CheckFailed as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"largest absolute difference  {result.absolute_error:.3g}")
    print(f"largest relative difference  {result.relative_error:.3g}")
    print(f"parameters                   {result.parameters_before} -> {result.parameters_after} "
          f"({result.parameters_kept:.1f} %)")
    print(f"with running statistics      {result.elements_before} -> {result.elements_after} "
          f"({result.elements_kept:.1f} %)")
    if result.relative_error > arguments.tolerance:
        print(f"error: the difference is over {arguments.tolerance:g}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
