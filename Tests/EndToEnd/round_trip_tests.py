"""Models survive prunec-opt without a pass: onnx's checker and an exact comparison say so.

usage: PRUNEC_OPT=path/to/prunec-opt python -m unittest round_trip_tests
"""

import glob
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

from normal_form import normalise

ROOT = pathlib.Path(__file__).resolve().parents[2]
LIGHT_MODELS = pathlib.Path(onnx.__file__).parent / "backend/test/data/light"


def round_trip(model, folder, *arguments):
    """The model after import and export; `model` is a ModelProto or a path."""
    if isinstance(model, onnx.ModelProto):
        source = os.path.join(folder, "in.onnx")
        with open(source, "wb") as file:
            file.write(model.SerializeToString())
    else:
        source = str(model)
    target = os.path.join(folder, "out.onnx")
    result = subprocess.run(
        [os.environ["PRUNEC_OPT"], source, "--passes", "", "-o", target, *arguments],
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, f"exit code {result.returncode}: {result.stderr}"
    return source, target


class RoundTripTest(unittest.TestCase):
    def check(self, model, *arguments):
        with tempfile.TemporaryDirectory() as folder:
            source, target = round_trip(model, folder, *arguments)
            before, after = normalise(onnx.load(source)), normalise(onnx.load(target))
            if before.SerializeToString() != after.SerializeToString():
                self.maxDiff = 4000
                self.assertEqual(str(before), str(after))
                self.fail("the models differ in unknown fields")
            for full_check in (True, False):
                try:
                    onnx.checker.check_model(source, full_check=full_check)
                except Exception:
                    continue
                onnx.checker.check_model(target, full_check=full_check)
            # What has been written once is written the same way again.
            again = os.path.join(folder, "again")
            os.mkdir(again)
            _, second = round_trip(target, again, *arguments)
            self.assertEqual(
                pathlib.Path(target).read_bytes(), pathlib.Path(second).read_bytes()
            )


def graph_model(nodes, inputs, outputs, initializers=(), **options):
    version = options.pop("opset", 21)
    functions = options.pop("functions", [])
    domains = options.pop("domains", [])
    graph = helper.make_graph(nodes, "graph", inputs, outputs, list(initializers), **options)
    imports = [helper.make_opsetid("", version)] + [helper.make_opsetid(d, 1) for d in domains]
    return helper.make_model(graph, opset_imports=imports, functions=functions, ir_version=10)


def value(name, element_type=TensorProto.FLOAT, shape=(2, 3)):
    return helper.make_tensor_value_info(name, element_type, shape)


def vector(name, *elements):
    return numpy_helper.from_array(numpy.array(elements, dtype=numpy.float32), name)


class FileTests(RoundTripTest):
    """Models that exist as files."""

    def check_all(self, pattern):
        paths = sorted(glob.glob(str(pattern)))
        if not paths:
            print(f"SKIPPED: no models at {pattern}", file=sys.stderr)
            self.skipTest(f"no models at {pattern}")
        for path in paths:
            with self.subTest(model=os.path.basename(path)):
                self.check(path)

    def test_fixtures(self):
        self.check_all(ROOT / "Fixtures/Models/*.onnx")

    def test_shared_models(self):
        self.check_all(ROOT.parent / "shared/models/*.onnx")

    def test_light_models(self):
        self.check_all(LIGHT_MODELS / "*.onnx")


class ElementTypeTests(RoundTripTest):
    """Every element type, in raw data and in typed fields."""

    def tensors(self, raw):
        tensors = []
        for name, number in TensorProto.DataType.items():
            if name == "UNDEFINED" or (raw and name == "STRING"):
                continue
            elements = {
                "STRING": [b"a", b"", b"\xff\x00", b"d", b"e"],
                "BOOL": [True, False, True, True, False],
                "COMPLEX64": [1 + 2j, 3, -4j, 5, 6],
                "COMPLEX128": [1 + 2j, 3, -4j, 5, 6],
                "FLOAT8E8M0": [1, 2, 4, 8, 16],
                "INT2": [-2, -1, 0, 1, 1],
                "UINT2": [0, 1, 2, 3, 1],
                "FLOAT": [1.5, float("nan"), float("-inf"), -0.0, 1e-40],
                "INT64": [-(2**63), 2**63 - 1, 0, 1, -1],
                "UINT64": [2**64 - 1, 0, 1, 2, 3],
                "UINT32": [2**32 - 1, 0, 1, 2, 3],
                "INT8": [-128, 127, 0, 1, -1],
                "UINT8": [255, 0, 1, 2, 3],
            }.get(name, [0, 1, 2, 3, 1])
            tensor = helper.make_tensor(f"typed_{name}", number, [5], elements)
            if raw:
                tensor = numpy_helper.from_array(numpy_helper.to_array(tensor), f"raw_{name}")
                self.assertEqual(tensor.data_type, number)
                self.assertTrue(tensor.raw_data)
            tensors.append(tensor)
        return tensors

    def test_typed(self):
        tensors = self.tensors(raw=False)
        self.assertEqual(len(tensors), 28)
        self.check(graph_model([], [], [], tensors))

    def test_raw(self):
        self.check(graph_model([], [], [], self.tensors(raw=True)))

    def test_in_attributes(self):
        nodes = [
            helper.make_node("Constant", [], [f"c{index}"], value=tensor)
            for index, tensor in enumerate(self.tensors(raw=False) + self.tensors(raw=True))
        ]
        self.check(graph_model(nodes, [], []))

    def test_empty_and_scalar(self):
        empty = numpy_helper.from_array(numpy.zeros((0, 3), numpy.float32), "empty")
        typed = helper.make_tensor("typed", TensorProto.INT64, [0], [])
        scalar = helper.make_tensor("scalar", TensorProto.FLOAT, [], [1.0])
        text = helper.make_tensor("text", TensorProto.STRING, [], [b"x"])
        self.check(graph_model([], [], [], [empty, typed, scalar, text]))


class StructureTests(RoundTripTest):
    """Everything a model holds besides tensors."""

    def branch(self, name, operation, *captured):
        node = helper.make_node(operation, list(captured), [name])
        return helper.make_graph([node], name + "_graph", [], [value(name)])

    def test_if_with_different_captures(self):
        nodes = [
            helper.make_node("Relu", ["x"], ["r"]),
            helper.make_node(
                "If", ["c"], ["y"],
                then_branch=self.branch("t", "Add", "x", "w"),
                else_branch=self.branch("e", "Mul", "r", "x"),
            ),
        ]
        inputs = [value("c", TensorProto.BOOL, ()), value("x")]
        self.check(graph_model(nodes, inputs, [value("y")], [vector("w", 1, 2, 3)]))

    def test_nested_captures(self):
        inner = helper.make_node(
            "If", ["c"], ["inner"],
            then_branch=self.branch("a", "Add", "x", "local"),
            else_branch=self.branch("b", "Identity", "x"),
        )
        local = helper.make_node("Neg", ["x"], ["local"])
        outer = helper.make_graph([local, inner], "outer", [], [value("inner")])
        node = helper.make_node(
            "If", ["c"], ["y"], then_branch=outer, else_branch=self.branch("z", "Identity", "x")
        )
        inputs = [value("c", TensorProto.BOOL, ()), value("x")]
        self.check(graph_model([node], inputs, [value("y")]))

    def test_branch_with_constants(self):
        branch = self.branch("t", "Add", "x", "k")
        branch.initializer.append(vector("k", 1, 2, 3))
        node = helper.make_node(
            "If", ["c"], ["y"], then_branch=branch, else_branch=self.branch("e", "Neg", "x")
        )
        inputs = [value("c", TensorProto.BOOL, ()), value("x")]
        self.check(graph_model([node], inputs, [value("y")]))

    def test_branches_that_use_the_name_of_the_result(self):
        node = helper.make_node(
            "If", ["c"], ["y"],
            then_branch=self.branch("y", "Neg", "x"), else_branch=self.branch("y", "Abs", "x"),
        )
        inputs = [value("c", TensorProto.BOOL, ()), value("x")]
        self.check(graph_model([node], inputs, [value("y")]))

    def test_loop(self):
        body = helper.make_graph(
            [
                helper.make_node("Add", ["state", "x"], ["next"]),
                helper.make_node("Identity", ["go"], ["go_on"]),
                helper.make_node("Identity", ["next"], ["row"]),
            ],
            "body",
            [value("i", TensorProto.INT64, ()), value("go", TensorProto.BOOL, ()), value("state")],
            [value("go_on", TensorProto.BOOL, ()), value("next"), value("row")],
        )
        node = helper.make_node("Loop", ["n", "", "x"], ["last", "rows"], body=body)
        inputs = [value("n", TensorProto.INT64, ()), value("x")]
        outputs = [value("last"), value("rows", shape=(None, 2, 3))]
        self.check(graph_model([node], inputs, outputs))

    def test_functions(self):
        inner = helper.make_function(
            "local", "Scaled", ["v"], ["s"],
            [helper.make_node("LeakyRelu", ["v"], ["s"])],
            [helper.make_opsetid("", 21)], attributes=["slope"],
        )
        inner.node[0].attribute.add(
            name="alpha", ref_attr_name="slope", type=onnx.AttributeProto.FLOAT
        )
        outer = helper.make_function(
            "local", "Twice", ["v"], ["s"],
            [
                helper.make_node("Scaled", ["v"], ["once"], domain="local", slope=0.5),
                helper.make_node("Scaled", ["once"], ["s"], domain="local", slope=0.25),
            ],
            [helper.make_opsetid("", 21), helper.make_opsetid("local", 1)],
            attribute_protos=[helper.make_attribute("bias", 1.0)],
        )
        outer.doc_string = "applies it twice"
        outer.value_info.append(value("once"))
        outer.metadata_props.add(key="k", value="v")
        outer.overload = ""
        node = helper.make_node("Twice", ["x"], ["y"], domain="local")
        self.check(
            graph_model(
                [node], [value("x")], [value("y")], functions=[inner, outer], domains=["local"]
            )
        )

    def test_signature_corner_cases(self):
        nodes = [helper.make_node("Relu", ["x"], ["y"])]
        model = graph_model(
            nodes, [value("x"), value("w", shape=(3,))], [value("y"), value("w", shape=(3,))],
            [vector("w", 1, 2, 3)],
        )
        self.check(model)
        self.check(graph_model([], [value("x")], [value("x")]))

    def test_types(self):
        symbolic = value("x", shape=("batch", None, 3))
        symbolic.type.tensor_type.shape.dim[0].denotation = "DATA_BATCH"
        symbolic.type.denotation = "IMAGE"
        tensor = helper.make_tensor_type_proto(TensorProto.FLOAT, None)
        inputs = [
            symbolic,
            helper.make_value_info("s", helper.make_sequence_type_proto(tensor)),
            helper.make_value_info("o", helper.make_optional_type_proto(tensor)),
            helper.make_value_info("p", helper.make_sparse_tensor_type_proto(1, [2, 2])),
            helper.make_value_info("m", helper.make_map_type_proto(TensorProto.INT64, tensor)),
            onnx.ValueInfoProto(name="untyped"),
        ]
        negative = value("negative", shape=(1,))
        negative.type.tensor_type.shape.dim[0].dim_value = -1
        undefined = value("undefined", element_type=0)
        unnamed = value("unnamed", shape=("",))
        unnamed.type.tensor_type.shape.dim[0].dim_param = ""
        opaque = onnx.ValueInfoProto(name="opaque")
        opaque.type.opaque_type.domain = "d"
        opaque.type.opaque_type.name = "n"
        sequence = onnx.ValueInfoProto(name="anything")
        sequence.type.sequence_type.SetInParent()
        inputs += [negative, undefined, unnamed, opaque, sequence]
        node = helper.make_node("Custom", [i.name for i in inputs], ["y"], domain="custom")
        cast = helper.make_node("Like", ["y"], ["z"], domain="custom", to=tensor)
        cast.attribute.append(helper.make_attribute("all", [tensor, inputs[1].type]))
        model = graph_model([node, cast], inputs, [onnx.ValueInfoProto(name="z")],
                            domains=["custom"])
        self.check(model)

    def test_attributes(self):
        node = helper.make_node(
            "Custom", ["x", "", "x", ""], ["y", "", "z"], domain="custom", name="n",
            i=-1, f=0.5, s="text", b=b"\xff\x00", ints=[1, -2], floats=[0.5, float("nan")],
            strings=["a", "b"], tensor=vector("", 1, 2), tensors=[vector("p", 1), vector("q")],
            graph=self.branch("g", "Neg", "x"),
            graphs=[self.branch("g1", "Neg", "x"), self.branch("g2", "Abs", "y0")],
        )
        node.attribute.append(
            onnx.AttributeProto(name="nothing", type=onnx.AttributeProto.INTS)
        )
        node.attribute.append(helper.make_attribute("sparse", self.sparse("")))
        node.attribute[0].doc_string = "a number"
        node.doc_string = "a node"
        node.overload = "o"
        node.metadata_props.add(key="k", value="v")
        configuration = node.device_configurations.add(configuration_id="c", pipeline_stage=1)
        sharding = configuration.sharding_spec.add(tensor_name="x", device=[0, 1])
        sharding.sharded_dim.add(axis=0).simple_sharding.add(dim_value=2, num_shards=2)
        first = helper.make_node("Relu", ["x"], ["y0"])
        model = graph_model([first, node], [value("x")], [value("y")], domains=["custom"])
        self.check(model)

    def sparse(self, name):
        return helper.make_sparse_tensor(
            vector(name, 1, 2), helper.make_tensor("", TensorProto.INT64, [2], [1, 4]), [2, 3]
        )

    def test_sparse_initializers(self):
        """They become dense; their values and indices may be typed or raw, flat or coordinates."""
        nodes = [helper.make_node("Add", ["x", "w"], ["y"])]
        raw = numpy_helper.from_array(numpy.array([3, 4, 5], numpy.float32), "w")
        coordinates = numpy_helper.from_array(numpy.array([[0, 0], [0, 2], [1, 1]], numpy.int64))
        for sparse in (self.sparse("w"), helper.make_sparse_tensor(raw, coordinates, [2, 3])):
            self.check(
                graph_model(nodes, [value("x")], [value("y")], sparse_initializer=[sparse]))

    def test_outputs_listed_twice(self):
        nodes = [helper.make_node("Relu", ["x"], ["y"])]
        model = graph_model(nodes, [value("x")], [value("y"), value("y")])
        with tempfile.TemporaryDirectory() as folder:
            copy = onnx.load(round_trip(model, folder)[1])
        self.assertEqual([output.name for output in copy.graph.output], ["y", "y_1"])
        self.assertEqual(
            [(n.op_type, list(n.input), list(n.output)) for n in copy.graph.node],
            [("Relu", ["x"], ["y"]), ("Identity", ["y"], ["y_1"])])

    def annotated(self):
        nodes = [
            helper.make_node("Add", ["x", "w"], ["a"]),
            helper.make_node(
                "If", ["c"], ["y"],
                then_branch=self.branch("t", "Neg", "a"),
                else_branch=self.branch("e", "Neg", "w"),
            ),
        ]
        inputs = [value("c", TensorProto.BOOL, ()), value("x"), value("w", shape=(3,))]
        model = graph_model(
            nodes, inputs, [value("y")], [vector("w", 1, 2, 3)], value_info=[value("a")]
        )
        model.producer_name, model.producer_version = "p", "v"
        model.domain, model.model_version, model.doc_string = "d", 7, "doc"
        graph = model.graph
        graph.doc_string = "graph doc"
        graph.initializer[0].doc_string = "weight doc"
        for message in (
            model, graph, graph.node[0], graph.initializer[0], graph.input[0], graph.input[2],
            graph.output[0], graph.value_info[0], graph.node[1].attribute[0].g,
        ):
            message.metadata_props.add(key="k", value="v")
        graph.input[0].doc_string = "input doc"
        annotation = graph.quantization_annotation.add(tensor_name="x")
        annotation.quant_parameter_tensor_names.add(key="SCALE_TENSOR", value="w")
        training = model.training_info.add()
        training.algorithm.CopyFrom(self.branch("loss", "Neg", "x"))
        training.algorithm.initializer.append(vector("lr", *range(2000)))
        training.update_binding.add(key="w", value="loss")
        model.configuration.add(name="c", num_devices=2, device=["a", "b"])
        return model

    def test_annotations(self):
        self.check(self.annotated())

    def test_unknown_fields(self):
        model = self.annotated()
        constant = helper.make_node("Constant", [], ["k"], value=vector("", 1, 2))
        model.graph.node.insert(0, constant)
        unknown = bytes([0xFA, 0x07, 3]) + b"abc" + bytes([0xF8, 0x07, 0x96, 0x01])

        def inject(message):
            for field, value in message.ListFields():
                if field.type == field.TYPE_MESSAGE:
                    for element in value if field.is_repeated else [value]:
                        inject(element)
            message.MergeFromString(unknown)

        inject(model)
        self.check(model)

    def test_old_versions(self):
        model = graph_model([helper.make_node("Relu", ["x"], ["y"])], [value("x")], [value("y")])
        for ir_version in range(3, 15):
            model.ir_version = ir_version
            model.opset_import[0].version = 7 if ir_version == 3 else 14
            with self.subTest(ir_version=ir_version):
                self.check(model)


class OrderTests(unittest.TestCase):
    def test_unsorted_nodes_are_sorted(self):
        nodes = [
            helper.make_node("Neg", ["a"], ["b"]),
            helper.make_node("Abs", ["x"], ["first"]),
            helper.make_node("Relu", ["x"], ["a"]),
        ]
        model = graph_model(nodes, [value("x")], [value("b"), value("first")])
        with tempfile.TemporaryDirectory() as folder:
            _, target = round_trip(model, folder)
            onnx.checker.check_model(target)
            order = [node.op_type for node in onnx.load(target).graph.node]
            self.assertEqual(order, ["Relu", "Neg", "Abs"])


class ExternalDataTests(RoundTripTest):
    def model(self):
        generator = numpy.random.default_rng(1)
        weights = [
            numpy_helper.from_array(generator.random(shape, numpy.float32), name)
            for name, shape in (("a", (40000,)), ("b", (300, 7)), ("c", (3,)), ("d", (70000,)))
        ]
        nodes = [helper.make_node("Custom", ["a", "b", "c", "d"], ["y"], domain="custom")]
        return graph_model(nodes, [], [value("y")], weights, domains=["custom"])

    def test_in_and_out(self):
        with tempfile.TemporaryDirectory() as folder:
            source = os.path.join(folder, "model.onnx")
            os.mkdir(os.path.join(folder, "weights"))
            onnx.save(
                self.model(), source, save_as_external_data=True, location="weights/w.bin",
                size_threshold=16,
            )
            target_folder = os.path.join(folder, "target")
            os.mkdir(target_folder)
            _, target = round_trip(source, target_folder)
            self.assertEqual(len(os.listdir(target_folder)), 2)
            onnx.checker.check_model(target)

            stored = onnx.load(target, load_external_data=False)
            places = {
                tensor.name: {entry.key: entry.value for entry in tensor.external_data}
                for tensor in stored.graph.initializer
            }
            self.assertEqual(places["c"], {}, "small tensors stay in the model")
            for name, alignment in (("a", 4096), ("b", 64), ("d", 4096)):
                self.assertIn(places[name]["location"], os.listdir(target_folder))
                self.assertRegex(places[name]["location"], r"^out\.onnx\.[0-9a-f]{16}\.data$")
                self.assertEqual(int(places[name]["offset"]) % alignment, 0)

            before, after = normalise(onnx.load(source)), normalise(onnx.load(target))
            self.assertEqual(before.SerializeToString(), after.SerializeToString())


if __name__ == "__main__":
    unittest.main()
