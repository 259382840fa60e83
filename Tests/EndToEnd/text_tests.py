"""Holds prunec-opt's text against onnx.parser.

Every model is printed by `prunec-opt FILE --passes '' --no-elide`; onnx.parser must accept the text,
and the model it reads must equal the original. The environment variable PRUNEC_OPT names the
program.
"""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import numpy
import onnx
import onnx.helper as helper
import onnx.numpy_helper
import onnx.parser
from onnx import AttributeProto, TensorProto

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODEL_DIRECTORIES = [ROOT / "Fixtures" / "Models", ROOT.parent / "shared" / "models"]

# onnx.parser reads these lists and drops their elements.
LISTS_THAT_ONNX_DROPS = (
    AttributeProto.TENSORS,
    AttributeProto.GRAPHS,
    AttributeProto.TYPE_PROTOS,
)


def print_model(path):
    """The text that prunec-opt prints for a file."""
    command = [os.environ["PRUNEC_OPT"], str(path), "--passes", "", "--no-elide"]
    result = subprocess.run(command, capture_output=True, timeout=300)
    if result.returncode != 0:
        message = result.stderr.decode(errors="replace")
        raise AssertionError(f"{' '.join(command)}: exit code {result.returncode}\n{message}")
    return result.stdout.decode()


def print_proto(model):
    with tempfile.TemporaryDirectory() as directory:
        path = pathlib.Path(directory) / "model.onnx"
        onnx.save(model, path)
        return print_model(path)


def print_text(text):
    with tempfile.TemporaryDirectory() as directory:
        path = pathlib.Path(directory) / "model.onnxtxt"
        path.write_text(text)
        return print_model(path)


# A description is what two equal models have in common: plain lists and dictionaries.


def describe_tensor(tensor):
    if tensor.data_location == TensorProto.EXTERNAL:
        location = [entry.value for entry in tensor.external_data if entry.key == "location"]
        return [tensor.name, tensor.data_type, list(tensor.dims), location]
    fields = [name.name for name, _ in tensor.ListFields()]
    if 0 not in tensor.dims and not any(name.endswith("_data") for name in fields):
        return [tensor.name, tensor.data_type, list(tensor.dims), "absent"]
    array = onnx.numpy_helper.to_array(tensor)
    elements = array.tolist() if array.dtype == object else array.tobytes()
    return [tensor.name, tensor.data_type, list(tensor.dims), elements]


def describe_type(type_proto):
    kind = type_proto.WhichOneof("value")
    if kind is None:
        return None
    value = getattr(type_proto, kind)
    if kind in ("tensor_type", "sparse_tensor_type"):
        shape = None
        if value.HasField("shape"):
            shape = [getattr(d, d.WhichOneof("value") or "", "?") for d in value.shape.dim]
        return [kind, value.elem_type, shape]
    if kind == "map_type":
        return [kind, value.key_type, describe_type(value.value_type)]
    if kind == "opaque_type":
        return [kind, value.domain, value.name]
    return [kind, describe_type(value.elem_type)]


def describe_attribute(attribute):
    if attribute.ref_attr_name:
        return [attribute.name, attribute.type, "@" + attribute.ref_attr_name]
    name, kind = attribute.name, attribute.type
    if kind in LISTS_THAT_ONNX_DROPS:
        return [name, kind]
    if kind == AttributeProto.TENSOR:
        return [name, kind, describe_tensor(attribute.t)]
    if kind == AttributeProto.GRAPH:
        return [name, kind, describe_graph(attribute.g)]
    if kind == AttributeProto.TYPE_PROTO:
        return [name, kind, describe_type(attribute.tp)]
    value = helper.get_attribute_value(attribute)
    if kind in (AttributeProto.FLOAT, AttributeProto.FLOATS):
        value = numpy.array(value, dtype=numpy.float32).tobytes()
    elif kind in (AttributeProto.INTS, AttributeProto.STRINGS):
        value = list(value)
    return [name, kind, value]


def describe_node(node):
    return {
        "name": node.name,
        "operator": ["" if node.domain == "ai.onnx" else node.domain, node.op_type, node.overload],
        "inputs": list(node.input),
        "outputs": list(node.output),
        "attributes": [describe_attribute(attribute) for attribute in node.attribute],
    }


def describe_value_infos(infos):
    return [[info.name, describe_type(info.type)] for info in infos]


def describe_graph(graph):
    # The order of constants that are also listed as inputs has no meaning, and is not kept.
    constants = {tensor.name for tensor in graph.initializer}
    inputs = describe_value_infos(info for info in graph.input if info.name not in constants)
    listed = describe_value_infos(info for info in graph.input if info.name in constants)
    # The text gives a type to what nodes define, and to an output once.
    outputs = {info.name for info in graph.output}
    defined = {name for node in graph.node for name in node.output} - outputs
    types = sorted(info for info in describe_value_infos(graph.value_info) if info[0] in defined)
    return {
        "name": graph.name,
        "inputs": inputs + sorted(listed),
        "outputs": describe_value_infos(graph.output),
        "initializers": [describe_tensor(tensor) for tensor in graph.initializer],
        "types": types,
        "nodes": [describe_node(node) for node in graph.node],
    }


def describe_function(function):
    return {
        "name": [function.domain, function.name, function.overload],
        "attributes": list(function.attribute),
        "defaults": [describe_attribute(attribute) for attribute in function.attribute_proto],
        "imports": [[entry.domain, entry.version] for entry in function.opset_import],
        "inputs": list(function.input),
        "outputs": list(function.output),
        "types": sorted(describe_value_infos(function.value_info)),
        "nodes": [describe_node(node) for node in function.node],
        "doc": function.doc_string,
    }


def describe_model(model):
    return {
        "ir_version": model.ir_version,
        "imports": [[entry.domain, entry.version] for entry in model.opset_import],
        "producer": [model.producer_name, model.producer_version],
        "domain": model.domain,
        "model_version": model.model_version,
        "doc": model.doc_string,
        "metadata": [[entry.key, entry.value] for entry in model.metadata_props],
        "graph": describe_graph(model.graph),
        "functions": [describe_function(function) for function in model.functions],
    }


def model_of(nodes, inputs=(), outputs=(), initializers=(), **fields):
    graph = helper.make_graph(nodes, "g", list(inputs), list(outputs), list(initializers))
    imports = [helper.make_opsetid("", 21), helper.make_opsetid("custom", 1)]
    return helper.make_model(graph, ir_version=10, opset_imports=imports, **fields)


def value(name, shape=(2,), element_type=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, element_type, shape)


class TextTests(unittest.TestCase):
    maxDiff = 4000

    def check(self, model):
        """The text of a model is a model for onnx.parser, the same one, and prints as itself."""
        text = print_proto(model)
        self.assertEqual(describe_model(onnx.parser.parse_model(text)), describe_model(model))
        self.assertEqual(print_text(text), text)

    def check_text(self, text):
        """onnx.parser reads a text and what prunec-opt makes of it alike."""
        printed = print_text(text)
        self.assertEqual(
            describe_model(onnx.parser.parse_model(printed)),
            describe_model(onnx.parser.parse_model(text)),
        )
        self.assertEqual(print_text(printed), printed)

    # Models in files

    def test_models(self):
        for directory in MODEL_DIRECTORIES:
            files = sorted(directory.glob("*.onnx"))
            if not files:
                print(f"SKIPPED: no models in {directory.name}", file=sys.stderr)
            for path in files:
                with self.subTest(path.name):
                    self.check(onnx.load(path))

    def test_models_of_onnx(self):
        folder = pathlib.Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
        files = sorted(folder.glob("*.onnx"))
        if not files:
            print("SKIPPED: the onnx package has no light models", file=sys.stderr)
        for path in files:
            with self.subTest(path.name):
                self.check(onnx.load(path))

    # Features

    def test_header(self):
        model = model_of([], producer_name='p"q\\', producer_version="1", doc_string="a\nb")
        model.domain = "d.e"
        model.model_version = 3
        helper.set_model_props(model, {"key": "a value", "other": ""})
        self.check(model)

    def test_attributes(self):
        node = helper.make_node(
            "Foo",
            ["x"],
            ["y"],
            domain="custom",
            i=-(2**63),
            f=0.1,
            large=1e30,
            small=1e-45,
            inf=float("-inf"),
            nan=float("nan"),
            zero=-0.0,
            s='quote " backslash \\ line\nend é',
            ints=[1, -2, 3],
            floats=[1.0, 2.5, float("inf")],
            strings=["a", "", "b\\"],
            t=helper.make_tensor("t", TensorProto.INT64, [2], [1, 2]),
            scalar=helper.make_tensor("", TensorProto.FLOAT, [], [1.5]),
            empty_tensor=helper.make_tensor("", TensorProto.FLOAT, [0, 2], []),
            tp=helper.make_tensor_type_proto(TensorProto.INT8, ["N", 2]),
            stp=helper.make_sequence_type_proto(
                helper.make_tensor_type_proto(TensorProto.FLOAT, None)
            ),
        )
        for name, kind in [
            ("no_ints", AttributeProto.INTS),
            ("no_floats", AttributeProto.FLOATS),
            ("no_strings", AttributeProto.STRINGS),
            ("no_tensors", AttributeProto.TENSORS),
        ]:
            node.attribute.append(AttributeProto(name=name, type=kind))
        self.check(model_of([node], [value("x")], [value("y")]))

    def test_element_types(self):
        tensors = []
        for name, data_type in sorted(TensorProto.DataType.items()):
            if data_type in (TensorProto.UNDEFINED, TensorProto.STRING):
                continue
            if data_type in (TensorProto.COMPLEX64, TensorProto.COMPLEX128):
                elements = [1 + 2j, -0.5j, 3]
            else:
                elements = [0, 1, 1]
            tensors.append(helper.make_tensor(f"w_{name}", data_type, [3], elements))
        tensors.append(helper.make_tensor("w_string", TensorProto.STRING, [2], [b'a"', b"\\"]))
        numbers = numpy.array([0.1, -numpy.inf, numpy.nan, -0.0, 65504, 6e-8], numpy.float16)
        tensors.append(onnx.numpy_helper.from_array(numbers, "halves"))
        tensors.append(onnx.numpy_helper.from_array(numpy.array([2**64 - 1], numpy.uint64), "u"))
        self.check(model_of([], initializers=tensors))

    def test_names(self):
        nodes = [
            helper.make_node("Relu", ["in/0"], ["/a/b.1"], name="/a/relu"),
            helper.make_node("Split", ["/a/b.1"], ["", "float", "q\"uote"], name="1"),
            helper.make_node("Clip", ["float", "", "inf"], ["seq:0"], name="a b"),
            helper.make_node("Sink", ["seq:0", ""], [], domain="custom"),
        ]
        inputs = [value("in/0", ["batch size", None, "N", 3]), value("inf", None), value("s", [])]
        self.check(model_of(nodes, inputs, [value("seq:0", None)]))

    def test_types(self):
        tensor = helper.make_tensor_type_proto(TensorProto.FLOAT, ["N", None, 3])
        types = [
            helper.make_sequence_type_proto(tensor),
            helper.make_optional_type_proto(helper.make_sequence_type_proto(tensor)),
            helper.make_map_type_proto(TensorProto.STRING, tensor),
            helper.make_sparse_tensor_type_proto(TensorProto.DOUBLE, [3, "M"]),
        ]
        inputs = [helper.make_value_info(f"x{i}", t) for i, t in enumerate(types)]
        self.check(model_of([], inputs))

    def test_constants_that_are_inputs(self):
        weight = helper.make_tensor("w", TensorProto.FLOAT, [2], [1.0, 2.0])
        node = helper.make_node("Add", ["x", "w"], ["y"])
        self.check(model_of([node], [value("x"), value("w")], [value("y")], [weight]))

    def test_subgraphs(self):
        inner = helper.make_node("Add", ["a", "w"], ["z"])
        weight = helper.make_tensor("w", TensorProto.FLOAT, [2], [1.0, 2.0])
        then_graph = helper.make_graph([inner], "then", [], [value("z")], [weight])
        deep = helper.make_graph(
            [helper.make_node("Add", ["a", "x"], ["q"])], "deep", [], [value("q")]
        )
        nested = helper.make_node("If", ["c"], ["z"], then_branch=deep, else_branch=deep)
        else_graph = helper.make_graph([nested], "other", [], [value("z")])
        nodes = [
            helper.make_node("Relu", ["x"], ["a"]),
            helper.make_node("If", ["c"], ["y"], then_branch=then_graph, else_branch=else_graph),
        ]
        condition = value("c", [], TensorProto.BOOL)
        self.check(model_of(nodes, [value("x"), condition], [value("y")]))

    def test_functions(self):
        node = helper.make_node("LeakyRelu", ["x"], ["y"])
        reference = AttributeProto(name="alpha", type=AttributeProto.FLOAT, ref_attr_name="slope")
        node.attribute.append(reference)
        function = helper.make_function(
            "custom",
            "Leaky",
            ["x"],
            ["y"],
            [node],
            [helper.make_opsetid("", 18)],
            attributes=["unused"],
            attribute_protos=[helper.make_attribute("slope", 0.5)],
            doc_string="a leaky function",
        )
        function.overload = "variant"
        call = helper.make_node("Leaky", ["x"], ["y"], domain="custom", overload="variant")
        self.check(model_of([call], [value("x")], [value("y")], functions=[function]))

    # Texts

    def test_texts(self):
        for text in TEXTS:
            with self.subTest(text):
                self.check_text(text)


TEXTS = [
    """<ir_version: 10, opset_import: ["" : 21]>
    g (float[N] x) => (float[N] y) { y = Identity(x) }
    """,
    """# A comment.
    < ir_version: 7, opset_import: [ "" : 10, "ai.onnx.ml" : 2 ], doc_string: "a \\"doc\\"",
      metadata_props: [ "k" : "v" ] >
    g (float[N, 128] X, float[128, 10] W, float[10] B = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10})
      => (float[N, 10] C) <float[N,10] T, int64[2] k = {-1, 2}>
    {
        ["node 1"] T = MatMul(X, W)  # another
        S, "", Z = ai.onnx.ml.Add:over <a = [1, 2], b: floats = [], c: float = 2> (T, , B)
        C = Softmax(S) <axis = -1, e: ints = [], f = 1.5e-3, g = -inf, h = "s">
    }
    """,
    """<ir_version: 10, opset_import: ["" : 21]>
    g (bool c, float[2] x, opaque(a.b, d) o, optional(seq(float[])) q) => (float[2] y)
    <float[2] w = ["location" : "weights.bin", "offset" : "0"], float[3] absent = ,
     string[2] s = {"a", "b\\"c"}, bool[2] b = {1, 0}, float16[2] h = {15360, 0},
     int4[3] i = {33, 3}, complex64[1] z = {1, -2}, double[2] d = {1e-300, nan}>
    {
        y = If (c) <
            then_branch = t () => (float[2] r) <float[2] v = {1, 2}> { r = Add(x, v) },
            else_branch: graph = e () => (float[2] r) { r = Foo <t = float[2] u {1, 2}> (x) }>
        = Sink <p: type_proto = float[N], k: tensor = int32 {1}> (y, w)
    }
    """,
    """<ir_version: 10, opset_import: ["" : 21, "d" : 1]>
    g (float x) => (float y) { y = d.F <a = 1> (x) }
    <domain: "d", opset_import: ["" : 21], overload: "o", doc_string: "doc">
    F <a, b: int = 3, c = [1.5], "odd name"> (float x, z) => (float[] y) <float[2] t>
    { t = Foo <v: int = @a, l: ints = @c> (x)  y = Bar(t, z) }
    <domain: "d", opset_import: ["" : 18]>
    G () => (y) { y = Constant <value_int = 1> () }
    """,
]


if __name__ == "__main__":
    unittest.main()
