"""ONNX's classical machine learning: prunec's runtime computes what onnxruntime does, and graphs go on behind trees.

usage: PRUNEC=path/to/prunec python -m unittest classical_operators_tests
"""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import numpy
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import check_runtime  # noqa: E402

GENERATOR = numpy.random.default_rng(0)


def normal(*shape):
    return GENERATOR.normal(size=shape).astype(numpy.float32)


def integers(*shape, bound=5):
    return GENERATOR.integers(0, bound, shape).astype(numpy.int64)


ROWS = normal(6, 4)
ROWS[2] = 0
TRANSFORMS = ["NONE", "LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO"]
LABELS = numpy.array(["a", "b", "c", "zebra"])
# For each operator: its operands, attributes, and how many results it has.
CASES = {
    "Scaler": [
        ([ROWS], {"offset": [0.1, 0.2, 0.3, 0.4], "scale": [1.0, 2.0, -3.0, 0.5]}, 1),
        ([ROWS], {"offset": [0.1], "scale": [2.0]}, 1),
        ([integers(3, 4)], {"offset": [0.1], "scale": [2.0]}, 1),
    ],
    "Normalizer": [([rows], {"norm": norm}, 1) for norm in ["MAX", "L1", "L2"]
                   for rows in [ROWS, normal(4), integers(3, 4)]],
    "ArrayFeatureExtractor": [
        ([ROWS, numpy.int64([3, 0, 3])], {}, 1), ([ROWS, numpy.int64([[1, 2]])], {}, 1),
        ([normal(5), numpy.int64([4, 1])], {}, 1), ([normal(2, 3, 5), numpy.int64([4, 1])], {}, 1),
    ],
    "LabelEncoder": [
        ([integers(3, 4)], {"keys_int64s": [0, 1, 3], "values_floats": [0.5, 1.5, 2.5],
                            "default_float": -1.0}, 1),
        ([integers(7).astype(numpy.float32)],
         {"keys_floats": [0.0, 2.0, 4.0], "values_int64s": [10, 20, 30]}, 1),
    ],
    "LinearRegressor": [
        ([ROWS], {"coefficients": normal(4 * targets).tolist(), "targets": targets,
                  "intercepts": normal(targets).tolist(), "post_transform": transform}, 1)
        for targets in [1, 3] for transform in TRANSFORMS
    ] + [([ROWS], {"coefficients": normal(4).tolist()}, 1)],
    "LinearClassifier": [
        ([ROWS], {"coefficients": normal(4 * scores).tolist(),
                  "intercepts": normal(scores).tolist(), "classlabels_ints": [7, 3, 5, 1][:labels],
                  "post_transform": transform}, 2)
        for scores, labels in [(1, 2), (2, 2), (4, 4)] for transform in TRANSFORMS
    ],
}
TREE = {
    "nodes_treeids": [0, 0, 0], "nodes_nodeids": [0, 1, 2], "nodes_featureids": [1, 0, 0],
    "nodes_modes": ["BRANCH_LEQ", "LEAF", "LEAF"], "nodes_values": [0.1, 0.0, 0.0],
    "nodes_truenodeids": [1, 0, 0], "nodes_falsenodeids": [2, 0, 0],
}
# Two trees, and the votes of their four leaves.
TREES = {
    "nodes_treeids": [0, 0, 0, 1, 1, 1], "nodes_nodeids": [0, 1, 2] * 2,
    "nodes_featureids": [1, 0, 0, 0, 0, 0], "nodes_modes": ["BRANCH_LEQ", "LEAF", "LEAF"] * 2,
    "nodes_values": [0.1, 0.0, 0.0, -0.3, 0.0, 0.0], "nodes_truenodeids": [1, 0, 0] * 2,
    "nodes_falsenodeids": [2, 0, 0] * 2, "nodes_missing_value_tracks_true": [0, 0, 0, 1, 0, 0],
}
POSITIVE, MIXED = [0.1, 0.4, 0.05, 0.3], [0.1, -0.4, -0.05, 0.3]
GAPPED = ROWS.copy()
GAPPED[1, 0] = numpy.nan


def leaves(prefix):
    return {f"{prefix}_treeids": [0, 0, 1, 1], f"{prefix}_nodeids": [1, 2, 1, 2]}


CASES["TreeEnsembleClassifier"] = [
    ([GAPPED], {**TREES, **leaves("class"), "classlabels_int64s": labels, "class_ids": ids,
                "class_weights": weights, "post_transform": transform, **bases}, 2)
    for labels, ids, bases in [
        ([5, 9], [0] * 4, {}), ([5, 9], [1] * 4, {}), ([5, 9], [0] * 4, {"base_values": [0.2]}),
        ([0, 1], [0, 1, 0, 1], {}), ([5, 9, 7], [0, 1, 2, 1], {}),
        ([5, 9, 7], [0, 1, 2, 1], {"base_values": [0.1, 0.2, 0.3]})]
    for weights in [POSITIVE, MIXED] for transform in ["NONE", "LOGISTIC", "SOFTMAX"]
]
CASES["TreeEnsembleRegressor"] = [
    ([GAPPED], {**TREES, **leaves("target"), "n_targets": targets, "target_ids": ids,
                "target_weights": MIXED, "aggregate_function": aggregate,
                "post_transform": transform, "base_values": [1.0, 2.0][:targets]}, 1)
    for targets, ids in [(1, [0] * 4), (2, [0, 1, 0, 1])]
    for aggregate in ["SUM", "AVERAGE", "MIN", "MAX"] for transform in ["NONE", "SOFTMAX"]
]


def model(operator, operands, attributes, results):
    """A model of one node whose first operand is the input."""
    names = [f"x{index}" for index in range(len(operands))]
    outputs = [f"y{index}" for index in range(results)]
    node = helper.make_node(operator, names, outputs, domain="ai.onnx.ml", **attributes)
    first = operands[0]
    graph = helper.make_graph(
        [node], "g",
        [helper.make_tensor_value_info(
            "x0", helper.np_dtype_to_tensor_dtype(first.dtype), first.shape)],
        [onnx.ValueInfoProto(name=name) for name in outputs],
        [numpy_helper.from_array(operand, name) for operand, name in zip(operands[1:], names[1:])])
    return helper.make_model(graph, ir_version=8, opset_imports=[
        helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)])


def run_onnxruntime(given, inputs):
    session = onnxruntime.InferenceSession(
        given.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, inputs), strict=True))


class ClassicalOperators(unittest.TestCase):
    def test_results(self):
        runtime = check_runtime.Runtime(os.environ["PRUNEC"])
        for operator, cases in CASES.items():
            for index, case in enumerate(cases):
                with self.subTest(operator, case=index):
                    given, inputs = model(operator, *case), {"x0": case[0][0]}
                    expected = run_onnxruntime(given, inputs)
                    actual, message = runtime.run(given, inputs)
                    self.assertIsNotNone(actual, message)
                    for name, array in expected.items():
                        self.assertEqual(actual[name].dtype, array.dtype)
                        self.assertEqual(actual[name].shape, array.shape)
                        numpy.testing.assert_allclose(
                            actual[name], array, rtol=1e-5, atol=1e-6)

    def prune(self, nodes, initializers):
        graph = helper.make_graph(
            nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 2])],
            [numpy_helper.from_array(array, name) for name, array in initializers.items()])
        given = helper.make_model(graph, ir_version=8, opset_imports=[
            helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)])
        with tempfile.TemporaryDirectory() as folder:
            source, target = pathlib.Path(folder) / "in.onnx", pathlib.Path(folder) / "out.onnx"
            onnx.save(given, source)
            finished = subprocess.run(
                [os.environ["PRUNEC"], source, "-o", target, "--ratio", "0.5"],
                capture_output=True, text=True)
            self.assertTrue(target.exists(), finished.stderr)
            small = onnx.load(target)
        shapes = {tensor.name: list(tensor.dims) for tensor in small.graph.initializer}
        return finished, small, sorted(shapes.values())

    def test_numbers_of_features_go_with_them(self):
        finished, small, shapes = self.prune([
            helper.make_node("MatMul", ["x", "v"], ["a"]),
            helper.make_node("Scaler", ["a"], ["b"], domain="ai.onnx.ml",
                             offset=normal(8).tolist(), scale=normal(8).tolist()),
            helper.make_node("Normalizer", ["b"], ["c"], domain="ai.onnx.ml", norm="L2"),
            helper.make_node("MatMul", ["c", "w"], ["y"]),
        ], {"v": normal(4, 8), "w": normal(8, 2)})
        self.assertEqual(finished.returncode, 0, finished.stderr)
        self.assertEqual(shapes, [[4, 2], [4, 4]])
        scaler, = (node for node in small.graph.node if node.op_type == "Scaler")
        self.assertEqual({len(attribute.floats) for attribute in scaler.attribute}, {4})

    def test_layers_behind_trees_are_pruned(self):
        finished, _, shapes = self.prune([
            helper.make_node("TreeEnsembleRegressor", ["x"], ["t"], domain="ai.onnx.ml", n_targets=1,
                             target_treeids=[0, 0], target_nodeids=[1, 2], target_ids=[0, 0],
                             target_weights=[1.0, 2.0], **TREE),
            helper.make_node("MatMul", ["t", "v"], ["a"]),
            helper.make_node("Relu", ["a"], ["b"]),
            helper.make_node("MatMul", ["b", "w"], ["y"]),
        ], {"v": normal(1, 8), "w": normal(8, 2)})
        self.assertEqual(finished.returncode, 0, finished.stderr)
        self.assertEqual(shapes, [[1, 4], [4, 2]])


if __name__ == "__main__":
    unittest.main()
