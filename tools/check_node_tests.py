"""Holds prunec's operators against onnx's backend node tests.

Usage:

    python tools/check_node_tests.py [--prunec-opt PROGRAM] [--only GLOB] [--verbose]

Every node test is a small model with recorded inputs and outputs; so are the tests that onnx keeps
in files, which PyTorch exported, and which are brought to a later operator set where theirs is too
old for prunec. Two things are asked of each whose operators prunec knows:

* evaluation: with the inputs as initializers, fold-constants must leave nothing but the outputs,
  and they must be the recorded ones within onnx's tolerances;
* inference: with the shapes of the outputs left out of the signature, infer-shapes must contradict
  neither the declared types nor the recorded outputs, and must find every extent that onnx's own
  inference finds.

Prints a row for each operator and what went wrong. Exits with 1 when a case fails that EXCEPTIONS
does not give a reason for, or when an exception is no longer needed.
"""

import argparse
import collections
import concurrent.futures
import fnmatch
import functools
import os
import re
import subprocess
import sys
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy
import onnx
import onnx.version_converter
from onnx import AttributeProto, TensorProto, helper, numpy_helper

REPOSITORY = Path(__file__).resolve().parent.parent
# Types of which arrays in files have no elements: numbers narrower than a byte, or of eight bits and a fraction.
NARROW_TYPES = {
    TensorProto.INT4, TensorProto.UINT4, TensorProto.INT2, TensorProto.UINT2,
    TensorProto.FLOAT8E4M3FN, TensorProto.FLOAT8E4M3FNUZ, TensorProto.FLOAT8E5M2,
    TensorProto.FLOAT8E5M2FNUZ, TensorProto.FLOAT4E2M1,
}
# Everything else is carried and inferred, but not computed with.
COMPUTED_TYPES = NARROW_TYPES | {
    TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16,
    TensorProto.INT8, TensorProto.INT16, TensorProto.INT32, TensorProto.INT64,
    TensorProto.UINT8, TensorProto.UINT16, TensorProto.UINT32, TensorProto.UINT64,
    TensorProto.BOOL, TensorProto.STRING,
}
# Nodes that hold graphs are evaluated, and nothing is inferred through them.
CONTROL_FLOW = {"If", "Loop", "Scan"}
# The operator sets that prunec starts with, and that older models are brought to.
FIRST_OPSET, LATER_OPSET = 7, 13
OLD_PRELU = "before opset 7 slopes did not broadcast, which onnx's converter leaves as it is"
OFFSETS_IN_LESS = "its offsets are not those in the result, as MaxPool's and onnxruntime's are"
ZEROS_IN_SINGLE = "what is recorded for zeros are errors of single precision beyond the tolerance"
# Cases of known operators that may fail, and why. A pattern that matches no failure is an error.
EVALUATION_EXCEPTIONS = {
    "test_maxunpool_export_with_output_shape": OFFSETS_IN_LESS,
    "test_attention_4d_causal_fp16_expanded":
        "over the tolerance by the rounding of intermediate results to float16",
    "test_PReLU_?d_multiparam": OLD_PRELU,
    "test_dft_inverse*": ZEROS_IN_SINGLE,
    "test_training_dropout*": "training draws random numbers",
}
INFERENCE_EXCEPTIONS = {"test_PReLU_?d_multiparam": OLD_PRELU}

PASSED, UNKNOWN, EXCEPTED, FAILED = "passed", "unknown", "excepted", "failed"


@dataclass(frozen=True)
class Finding:
    """What became of one case."""

    case: str
    operator: str
    verdict: str
    message: str = ""


@dataclass(frozen=True)
class Case:
    """A model with recorded inputs and outputs."""

    name: str
    model: onnx.ModelProto
    data_sets: list
    rtol: float
    atol: float


def load_cases():
    """All of onnx's tests: generating them warns of the overflows that they are about."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from onnx.backend.test.loader import load_model_tests

        generated = load_model_tests(kind="node")
        stored = [test for kind in ("simple", "pytorch-operator", "pytorch-converted")
                  for test in load_model_tests(kind=kind)]
    return [Case(test.name, test.model, test.data_sets, test.rtol, test.atol)
            for test in generated] + sorted(map(stored_case, stored), key=lambda case: case.name)


def stored_case(test):
    """A test that onnx keeps in a folder."""
    model = onnx.load(os.path.join(test.model_dir, "model.onnx"))
    if model.opset_import[0].version < FIRST_OPSET:
        model = onnx.version_converter.convert_version(model, LATER_OPSET)
    # Early versions of the format list initializers as inputs.
    names = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in names]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    model.ir_version = max(model.ir_version, 4)
    folder = os.path.join(test.model_dir, "test_data_set_0")
    data = tuple([stored_tensor(os.path.join(folder, f"{kind}_{index}.pb"), value)
                  for index, value in enumerate(values)]
                 for kind, values in [("input", model.graph.input), ("output", model.graph.output)])
    return Case(test.name, model, [data], test.rtol, test.atol)


def stored_tensor(path, value):
    """The recorded value in a file; None for what is no tensor."""
    if value.type.WhichOneof("value") != "tensor_type" or not os.path.exists(path):
        return None
    return onnx.load_tensor(path)


class Program:
    """prunec-opt."""

    def __init__(self, path):
        self.path = str(path)

    def run(self, model, passes):
        """The model after the passes, or the message with which the program ended."""
        with tempfile.TemporaryDirectory() as folder:
            source, target = os.path.join(folder, "in.onnx"), os.path.join(folder, "out.onnx")
            with open(source, "wb") as file:
                file.write(model.SerializeToString())
            finished = subprocess.run(
                [self.path, source, "--passes", passes, "-o", target],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                text=True, errors="replace", timeout=60)
            if finished.returncode != 0:
                message = finished.stderr.replace(source + ": ", "").strip()
                return None, f"exit code {finished.returncode}: {message[:300]}"
            # The checker would refuse a signature without shapes.
            with open(target, "rb") as file:
                return onnx.ModelProto.FromString(file.read()), ""

    @functools.cached_property
    def operators(self):
        """For each (domain, operator), the versions of the operator set that prunec knows it in."""
        listing = subprocess.run(
            [self.path, "--list-operators"], capture_output=True, text=True, check=True).stdout
        versions = collections.defaultdict(set)
        for line in listing.splitlines():
            name, first, last = re.fullmatch(r"(\S+) (\d+) (\d+)", line).groups()
            domain, _, operator = name.rpartition(".")
            versions[domain, operator].update(range(int(first), int(last) + 1))
        return dict(versions)

    def knows(self, model, also=frozenset()):
        """Whether every node of a model is of an operator that prunec knows, or in `also`."""
        opsets = {entry.domain: entry.version for entry in model.opset_import}

        def knows_all(graph):
            return all(
                (node.op_type in also and node.domain == ""
                 or opsets.get(node.domain) in self.operators.get((node.domain, node.op_type), ()))
                and all(knows_all(attribute.g) for attribute in node.attribute
                        if attribute.type == AttributeProto.GRAPH)
                for node in graph.node)

        return knows_all(model.graph)


def tested_operators(cases):
    """For each case the operator it is about: an expanded function is about the function."""
    operators = {case.name: case.model.graph.node[-1].op_type for case in cases}
    return {name: operators.get(re.sub("_expanded.*", "", name), operator)
            for name, operator in operators.items()}


def tensor_of(value, name, element_type):
    """A recorded value as a TensorProto; None for what is no tensor."""
    if isinstance(value, TensorProto):
        tensor = TensorProto()
        tensor.CopyFrom(value)
        tensor.name = name
        return tensor
    if value is None or isinstance(value, (list, tuple)):
        return None
    array = numpy.asarray(value)
    # Some cases record a number where the model declares another type of scalar.
    if array.dtype != object and array.dtype.kind not in "SU":
        array = array.astype(helper.tensor_dtype_to_np_dtype(element_type), copy=False)
    return numpy_helper.from_array(array, name)


def recorded(values, data):
    """The recorded values of a signature by name; None where one is no tensor."""
    tensors = {}
    for value, item in zip(values, data, strict=True):
        if value.type.WhichOneof("value") != "tensor_type":
            return None
        tensor = tensor_of(item, value.name, value.type.tensor_type.elem_type)
        if tensor is None:
            return None
        tensors[value.name] = tensor
    return tensors


def with_constant_inputs(model, inputs):
    """The model with its inputs as initializers."""
    constant = onnx.ModelProto()
    constant.CopyFrom(model)
    del constant.graph.input[:]
    constant.graph.initializer.extend(inputs.values())
    return constant


def constant_outputs(model):
    """The outputs of a folded model that are constants, by name."""
    initializers = {tensor.name: tensor for tensor in model.graph.initializer}
    copies = {node.output[0]: node.input[0] for node in model.graph.node
              if node.op_type == "Identity" and node.domain == ""}
    outputs = {}
    for value in model.graph.output:
        tensor = initializers.get(copies.get(value.name, value.name))
        if tensor is not None:
            outputs[value.name] = numpy_helper.to_array(tensor)
    return outputs


def difference(actual, expected, case):
    """Why two arrays are not the same within onnx's tolerances; empty where they are."""
    if actual.shape != expected.shape:
        return f"shape {list(actual.shape)} instead of {list(expected.shape)}"
    if actual.dtype != expected.dtype:
        return f"type {actual.dtype} instead of {expected.dtype}"
    try:
        if expected.dtype.kind in "OSU":
            numpy.testing.assert_array_equal(actual.astype(str), expected.astype(str))
            return ""
        tolerance = case.rtol
        if expected.dtype.name == "bfloat16":
            # Two units in the last place, as onnx's runner has it.
            tolerance = max(tolerance, 2**-6)
        if expected.dtype.kind not in "iub":
            actual, expected = actual.astype(numpy.float64), expected.astype(numpy.float64)
        numpy.testing.assert_allclose(actual, expected, rtol=tolerance, atol=case.atol)
    except AssertionError as error:
        return " ".join(str(error).split())[:300]
    return ""


def evaluate(program, case):
    """Folds a case and compares its outputs with the recorded ones: a verdict and a message."""
    graph = case.model.graph
    for data in case.data_sets:
        inputs, outputs = recorded(graph.input, data[0]), recorded(graph.output, data[1])
        if inputs is None or outputs is None:
            return EXCEPTED, "a value is no tensor"
        tensors = [*inputs.values(), *outputs.values()]
        types = {tensor.data_type for tensor in tensors}
        types |= {attribute.i for node in graph.node for attribute in node.attribute
                  if node.op_type == "Cast" and attribute.name == "to"}
        folded, message = program.run(
            with_constant_inputs(case.model, inputs), "fold-constants{all=true}")
        if folded is None:
            return FAILED, message
        constants = constant_outputs(folded)
        for name, tensor in outputs.items():
            if name not in constants:
                if types - COMPUTED_TYPES:
                    return EXCEPTED, "a type that prunec does not compute with"
                left = ", ".join(sorted({node.op_type for node in folded.graph.node}))
                return FAILED, f"output '{name}' is not folded; left: {left}"
            message = difference(constants[name], numpy_helper.to_array(tensor), case)
            if message:
                return FAILED, f"output '{name}': {message}"
    return PASSED, ""


def without_output_shapes(model):
    """The model with nothing declared of its outputs but that they are tensors."""
    bare = onnx.ModelProto()
    bare.CopyFrom(model)
    del bare.graph.value_info[:]
    for value in bare.graph.output:
        value.type.tensor_type.ClearField("shape")
    return bare


def types_of(model):
    """Element type and extents (None where one is open or all are) of every value by name."""
    types = {}
    for value in [*model.graph.value_info, *model.graph.output]:
        tensor = value.type.tensor_type
        if value.type.WhichOneof("value") != "tensor_type":
            continue
        shape = None
        if tensor.HasField("shape"):
            shape = [extent.dim_value if extent.HasField("dim_value") else None
                     for extent in tensor.shape.dim]
        types[value.name] = tensor.elem_type, shape
    return types


def contradiction(name, ours, theirs):
    """What two types of one value say differently; empty where they agree."""
    if 0 not in (ours[0], theirs[0]) and ours[0] != theirs[0]:
        return f"'{name}' is of type {ours[0]} instead of {theirs[0]}"
    if ours[1] is None or theirs[1] is None:
        return ""
    if len(ours[1]) != len(theirs[1]) or any(
            None not in pair and pair[0] != pair[1] for pair in zip(ours[1], theirs[1])):
        return f"'{name}' has shape {ours[1]} instead of {theirs[1]}"
    return ""


def misses(name, ours, theirs):
    """What is known of a value in `theirs` only; empty where nothing is."""
    if ours is None:
        return f"nothing is known of '{name}', {theirs} is"
    if ours[0] == 0 != theirs[0]:
        return f"the element type of '{name}' is not known"
    if theirs[1] is not None and (ours[1] is None or any(
            our is None and their is not None for our, their in zip(ours[1], theirs[1]))):
        return f"'{name}' is known to have shape {ours[1]}, not {theirs[1]}"
    return ""


def infer(program, case):
    """Infers the types of a case and compares them with what onnx says: a verdict and a message."""
    if any(value.type.WhichOneof("value") != "tensor_type"
           for value in [*case.model.graph.input, *case.model.graph.output]):
        return EXCEPTED, "a value is no tensor"
    bare = without_output_shapes(case.model)
    inferred, message = program.run(bare, "infer-shapes")
    if inferred is None:
        return FAILED, message
    ours = types_of(inferred)
    theirs = types_of(onnx.shape_inference.infer_shapes(bare, data_prop=True))
    for name, declared in types_of(case.model).items():
        message = contradiction(name, ours[name], declared)
        if message:
            return FAILED, f"declared: {message}"
    for data in case.data_sets:
        outputs = recorded(case.model.graph.output, data[1]) or {}
        for name, tensor in outputs.items():
            message = contradiction(name, ours[name], (tensor.data_type, list(tensor.dims)))
            if message:
                return FAILED, f"recorded: {message}"
    for name, known in theirs.items():
        if name in ours:
            message = contradiction(name, ours[name], known)
            if message:
                return FAILED, f"onnx: {message}"
        message = misses(name, ours.get(name), known)
        if message:
            return FAILED, f"missed: {message}"
    return PASSED, ""


def check(program, cases, examine, exceptions, also=frozenset()):
    """A finding for every case, and the exceptions that nothing needs."""
    operators = tested_operators(cases)
    unused = set(exceptions)

    def finding(case):
        operator = operators[case.name]
        if not program.knows(case.model, also):
            return Finding(case.name, operator, UNKNOWN)
        return Finding(case.name, operator, *examine(program, case))

    findings = []
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for found in pool.map(finding, cases):
            patterns = [pattern for pattern in exceptions
                        if fnmatch.fnmatchcase(found.case, pattern)]
            if found.verdict == FAILED and patterns:
                unused -= set(patterns)
                found = Finding(found.case, found.operator, EXCEPTED, exceptions[patterns[0]])
            findings.append(found)
    return findings, sorted(unused)


def table(findings):
    """The number of cases of each verdict, for each operator that prunec knows and in all."""
    verdicts = [PASSED, UNKNOWN, EXCEPTED, FAILED]
    counts = collections.defaultdict(collections.Counter)
    for finding in findings:
        counts[finding.operator][finding.verdict] += 1
        counts["all"][finding.verdict] += 1
    lines = [f"{'operator':28}" + "".join(f"{verdict:>10}" for verdict in verdicts)]
    for operator in sorted(counts, key=lambda name: (name == "all", name)):
        if set(counts[operator]) != {UNKNOWN}:
            lines.append(f"{operator:28}" + "".join(
                f"{counts[operator][verdict]:10}" for verdict in verdicts))
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(
        description="Holds prunec's operators against onnx's backend node tests.")
    parser.add_argument("--prunec-opt", type=Path, default=REPOSITORY / "tools" / "prunec-opt")
    parser.add_argument("--only", default="*", metavar="GLOB", help="the cases to run, by name")
    parser.add_argument("--verbose", action="store_true", help="print excepted cases too")
    arguments = parser.parse_args()
    program = Program(arguments.prunec_opt)
    cases = [case for case in load_cases() if fnmatch.fnmatchcase(case.name, arguments.only)]
    complaints = 0
    for title, examine, exceptions, also in [
            ("evaluation", evaluate, EVALUATION_EXCEPTIONS, CONTROL_FLOW),
            ("inference", infer, INFERENCE_EXCEPTIONS, frozenset())]:
        findings, unused = check(program, cases, examine, exceptions, also)
        print(f"== {title}\n{table(findings)}")
        for finding in findings:
            if finding.verdict == FAILED or arguments.verbose and finding.verdict == EXCEPTED:
                print(f"{finding.verdict}: {finding.case}: {finding.message}")
        complaints += sum(finding.verdict == FAILED for finding in findings)
        if arguments.only == "*":
            complaints += len(unused)
            for pattern in unused:
                print(f"error: no case needs the exception {pattern}", file=sys.stderr)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
