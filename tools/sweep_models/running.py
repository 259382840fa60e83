"""Runs files in prunec's runtime and in onnxruntime; called in processes of their own."""

import json
import subprocess
import tempfile
from pathlib import Path

import numpy
import onnx

from check_pruned import differences, graphs_of, open_session, random_inputs
from .isolation import describe_exit

# Of the largest magnitude of an output; half precision is not rounded as often as in onnxruntime.
TOLERANCE = 1e-4
HALF_TOLERANCES = {onnx.TensorProto.FLOAT16: 2**-6, onnx.TensorProto.BFLOAT16: 2**-3}


class RuntimeFailed(Exception):
    """A file that prunec does not run."""


def compare(prunec, path, seed, limit):
    """How far prunec's outputs are from onnxruntime's on random inputs; how far they may be, which is
    1e-4 or four times as far as onnxruntime is from itself without its optimizations; and the share
    of the time that each operator without a kernel takes."""
    session = open_session(path)
    inputs = random_inputs(session, numpy.random.default_rng(seed))
    expected = session.run(None, inputs)
    names = [value.name for value in session.get_outputs()]
    with tempfile.TemporaryDirectory(prefix="sweep-") as folder:
        given = []
        for index, (name, array) in enumerate(inputs.items()):
            numpy.save(f"{folder}/{index}.npy", array)
            given += ["--input", f"{name}={folder}/{index}.npy"]
        results = f"{folder}/outputs.npz"
        _run([prunec, "run", path, *given, "-o", results], limit)
        with numpy.load(results) as outputs:
            _, error = differences(expected, [outputs[name] for name in names])
        tolerance = _tolerance(path)
        if error > tolerance:
            # Random weights can make small errors large, and onnxruntime's own as well.
            plain = open_session(path, optimized=False)
            tolerance = max(tolerance, 4 * differences(expected, plain.run(None, inputs))[1])
        report = json.loads(
            _run([prunec, "bench", path, *given, "--runs", "1", "--json"], limit))
    return {
        "relative_error": error, "tolerance": tolerance, "references": _references(report)}


def _run(command, limit):
    """What a command prints. What hangs is ended here, before the process that waits for it is."""
    finished = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=limit)
    if finished.returncode != 0:
        lines = finished.stderr.strip().splitlines()
        raise RuntimeFailed(" ".join([describe_exit(finished.returncode), *lines[:3]]))
    return finished.stdout


def _tolerance(path):
    model = onnx.load(str(path), load_external_data=False)
    types = {tensor.data_type for graph in graphs_of(model.graph) for tensor in graph.initializer}
    return max([TOLERANCE, *(HALF_TOLERANCES[kind] for kind in types & HALF_TOLERANCES.keys())])


def _references(report):
    total = sum(step["median_ms"] for step in report["steps"]) or 1
    shares = {}
    for step in report["steps"]:
        if step["kernel"] == "reference":
            name = step["operations"][0]
            shares[name] = shares.get(name, 0) + step["median_ms"] / total
    return shares
