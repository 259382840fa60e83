"""Holds prunec's runtime against onnx's backend tests, and onnxruntime beside it.

Usage:

    python tools/check_runtime.py [--prunec PROGRAM] [--only GLOB] [--light] [--verbose] [--no-peer]

Every case of tools/check_node_tests.py whose operators prunec knows is executed by `prunec run` on
its recorded inputs, which are inputs of the graph, and so nothing is folded; the results must be
the recorded ones within onnx's tolerances. onnxruntime executes the same file. With --light the nine
light models, which are whole networks, are executed as well.

Prints the counts of all cases, of those about the main types alone (float32, int32, int64, bool),
and of those where prunec and onnxruntime differ; then what failed and why. Exits with 1 when a case
fails that EXCEPTIONS does not give a reason for, or when an exception is no longer needed.
"""

import argparse
import collections
import fnmatch
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy
import onnx
import onnxruntime
from onnx import AttributeProto, TensorProto, helper, numpy_helper

import check_node_tests as node_tests
from check_node_tests import EXCEPTED, FAILED, PASSED, REPOSITORY, UNKNOWN

MAIN_TYPES = {TensorProto.FLOAT, TensorProto.INT32, TensorProto.INT64, TensorProto.BOOL}
# What NumPy's files hold.
CAST_TYPES = node_tests.NARROW_TYPES | {TensorProto.BFLOAT16}
STORED_TYPES = node_tests.COMPUTED_TYPES - CAST_TYPES - {TensorProto.STRING}
BEYOND_SINGLE = "its numbers are of double precision, and beyond the range of single"
EXCEPTIONS = {
    "test_PReLU_?d_multiparam": node_tests.OLD_PRELU,
    "test_maxunpool_export_with_output_shape": node_tests.OFFSETS_IN_LESS,
    "test_dft_inverse*": node_tests.ZEROS_IN_SINGLE,
    "test_operator_add_broadcast": BEYOND_SINGLE,
    "test_operator_add_size1_right_broadcast": BEYOND_SINGLE,
    "test_operator_add_size1_singleton_broadcast": BEYOND_SINGLE,
    "test_operator_addconstant": BEYOND_SINGLE,
    "test_scan_sum": "opset 8 scans batches, which is not understood",
    "test_training_dropout*": "training draws random numbers",
}
LIGHT_FOLDER = Path(onnx.__file__).parent / "backend/test/data/light"
LIMIT = 120


class Inapplicable(Exception):
    """A case that cannot be given to `prunec run`."""


def light_cases():
    """onnx's light models, with the inputs that their outputs were recorded for."""
    from onnx.backend.test.loader import load_model_tests

    cases = []
    for test in load_model_tests(kind="real"):
        path = LIGHT_FOLDER / Path(test.url).name
        model = onnx.load(str(path))
        names = {tensor.name for tensor in model.graph.initializer}
        inputs = [value for value in model.graph.input if value.name not in names]
        del model.graph.input[:]
        model.graph.input.extend(inputs)
        model.ir_version = max(model.ir_version, 4)
        data = ([ramp(value) for value in inputs],
                [onnx.load_tensor(f"{path.with_suffix('')}_output_{index}.pb")
                 for index in range(len(model.graph.output))])
        cases.append(node_tests.Case(path.stem, model, [data], test.rtol, test.atol))
    return sorted(cases, key=lambda case: case.name)


def ramp(value):
    """Evenly spaced numbers from 0 to 1, as onnx's own runner makes them up."""
    shape = [extent.dim_value or 1 for extent in value.type.tensor_type.shape.dim]
    count = numpy.prod(shape)
    return (numpy.arange(count).reshape(shape) / count).astype(numpy.float32)


def executable(case):
    """The model, and a dictionary of inputs and a list of recorded outputs for each data set, in arrays
    that files can hold: what takes or gives other numbers does so through a Cast."""
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    casts, data_sets = {}, []
    for data in case.data_sets:
        tensors = [node_tests.recorded(values, recorded) for values, recorded
                   in zip([model.graph.input, model.graph.output], data, strict=True)]
        if None in tensors:
            raise Inapplicable("a value is no tensor")
        inputs, outputs = tensors
        arrays = {}
        for name, tensor in inputs.items():
            arrays[name] = numpy_helper.to_array(tensor)
            if tensor.data_type in CAST_TYPES:
                casts[name] = tensor.data_type
                arrays[name] = arrays[name].astype(numpy.float32)
            elif tensor.data_type not in STORED_TYPES:
                raise Inapplicable("arrays in files have no such elements")
        for tensor in outputs.values():
            if tensor.data_type not in STORED_TYPES | CAST_TYPES:
                raise Inapplicable("arrays in files have no such elements")
        expected = {name: numpy_helper.to_array(tensor) for name, tensor in outputs.items()}
        for value in model.graph.output:
            if outputs[value.name].data_type in node_tests.NARROW_TYPES:
                expected[f"{value.name}_as_float"] = expected.pop(value.name).astype(numpy.float32)
        data_sets.append((arrays, expected))
    for value in model.graph.output:
        if value.type.tensor_type.elem_type in node_tests.NARROW_TYPES:
            given = f"{value.name}_as_float"
            model.graph.node.append(helper.make_node(
                "Cast", [value.name], [given], to=TensorProto.FLOAT))
            value.name = given
            value.type.tensor_type.elem_type = TensorProto.FLOAT
    for value in model.graph.input:
        if value.name in casts:
            given = f"{value.name}_as_float"
            model.graph.node.insert(0, helper.make_node(
                "Cast", [given], [value.name], to=casts[value.name]))
            for arrays, _ in data_sets:
                arrays[given] = arrays.pop(value.name)
            value.name = given
            value.type.tensor_type.elem_type = TensorProto.FLOAT
    return model, data_sets


class Runtime:
    """prunec."""

    def __init__(self, path):
        self.path = str(path)

    def run(self, model, inputs):
        """The outputs by name, or the message with which the program ended."""
        with tempfile.TemporaryDirectory() as folder:
            path, given, results = (os.path.join(folder, name)
                                    for name in ("model.onnx", "inputs.npz", "outputs.npz"))
            with open(path, "wb") as file:
                file.write(model.SerializeToString())
            command = [self.path, "run", path, "-o", results, "--threads", "2"]
            if inputs:
                # As keywords, some names would be taken for savez's own.
                for index, (name, array) in enumerate(inputs.items()):
                    numpy.save(os.path.join(folder, f"{index}.npy"), array)
                    command += ["--input", f"{name}={folder}/{index}.npy"]
            finished = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE, text=True, errors="replace", timeout=LIMIT)
            if finished.returncode != 0:
                message = finished.stderr.replace(path + ": ", "").strip()
                return None, f"exit code {finished.returncode}: {message[:300]}"
            with numpy.load(results) as outputs:
                return dict(outputs), ""


def run_onnxruntime(model, inputs):
    """The outputs by name, or the message of onnxruntime's error."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        names = [value.name for value in session.get_outputs()]
        return dict(zip(names, session.run(None, inputs))), ""
    except Exception as error:
        return None, " ".join(str(error).split())[:300]


def execute(run, case):
    """Runs a case and compares its outputs with the recorded ones: a verdict and a message."""
    try:
        model, data_sets = executable(case)
    except Inapplicable as reason:
        return EXCEPTED, str(reason)
    for inputs, expected in data_sets:
        outputs, message = run(model, inputs)
        if outputs is None:
            return FAILED, message
        for name, array in expected.items():
            actual = outputs[name]
            if array.dtype.name == "bfloat16" and actual.dtype == numpy.float32:
                actual = actual.astype(array.dtype)
            message = node_tests.difference(actual, array, case)
            if message:
                return FAILED, f"output '{name}': {message}"
    return PASSED, ""


def has_main_types(case):
    """Whether the inputs and outputs of a case, and what it casts to, are of the main types."""
    values = [*case.model.graph.input, *case.model.graph.output]
    types = {value.type.tensor_type.elem_type if value.type.HasField("tensor_type") else None
             for value in values}
    return types <= MAIN_TYPES


def summary(title, cases, ours, theirs):
    """The counts of one selection of cases."""
    names = {case.name for case in cases}
    own = collections.Counter(finding.verdict for finding in ours if finding.case in names)
    known = {finding.case for finding in ours
             if finding.case in names and finding.verdict != UNKNOWN}
    line = (f"{title}: {len(names)} cases, {len(known)} of operators that prunec knows: "
            f"{own[PASSED]} passed, {own[FAILED]} failed, {own[EXCEPTED]} excepted")
    if theirs:
        passed = sum(theirs[name][0] == PASSED for name in known)
        line += f"; onnxruntime passes {passed}"
    return line


def main():
    parser = argparse.ArgumentParser(
        description="Holds prunec's runtime against onnx's backend tests.")
    release = REPOSITORY / ".build" / "release"
    parser.add_argument("--prunec", type=Path, default=release / "prunec")
    parser.add_argument("--prunec-opt", type=Path, default=release / "prunec-opt")
    parser.add_argument("--only", default="*", metavar="GLOB", help="the cases to run, by name")
    parser.add_argument("--light", action="store_true", help="the light models as well")
    parser.add_argument("--no-peer", action="store_true", help="without onnxruntime")
    parser.add_argument("--verbose", action="store_true", help="print excepted cases too")
    arguments = parser.parse_args()
    program, runtime = node_tests.Program(arguments.prunec_opt), Runtime(arguments.prunec)
    cases = node_tests.load_cases() + (light_cases() if arguments.light else [])
    cases = [case for case in cases if fnmatch.fnmatchcase(case.name, arguments.only)]
    findings, unused = node_tests.check(
        program, cases, lambda _, case: execute(runtime.run, case), EXCEPTIONS,
        node_tests.CONTROL_FLOW)
    theirs = {} if arguments.no_peer else {
        case.name: execute(run_onnxruntime, case) for case in cases}
    print(node_tests.table(findings))
    print(summary("all", cases, findings, theirs))
    main_cases = [case for case in cases if has_main_types(case)]
    print(summary("float32, int32, int64 and bool", main_cases, findings, theirs))
    reasons = collections.Counter(
        finding.message for finding in findings if finding.verdict == EXCEPTED)
    for reason, count in reasons.most_common():
        print(f"excepted: {count}: {reason}")
    for finding in findings:
        if finding.verdict == FAILED or arguments.verbose and finding.verdict == EXCEPTED:
            peer = f" (onnxruntime: {theirs[finding.case][0]})" if theirs else ""
            print(f"{finding.verdict}: {finding.case}{peer}: {finding.message}")
    complaints = sum(finding.verdict == FAILED for finding in findings)
    if arguments.only == "*":
        complaints += len(unused)
        for pattern in unused:
            print(f"error: no case needs the exception {pattern}", file=sys.stderr)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
