"""A decoder that exporters have merged with the one that has a cache, one branch of an If each, on shared weights.

usage: PRUNEC=path/to/prunec python -m unittest branches_tests
"""

import os
import pathlib
import subprocess
import tempfile
import unittest

import numpy
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

WIDTH, HEADS, HIDDEN = 64, 4, 256


class Branch:
    """One decoder layer, whose names begin with a prefix."""

    def __init__(self, prefix, has_cache):
        self.prefix, self.nodes = prefix, []
        queries, keys, values = (self.heads(weight) for weight in ("wq", "wk", "wv"))
        if has_cache:
            keys = self.add("Concat", "past_keys", keys, axis=2)
            values = self.add("Concat", "past_values", values, axis=2)
        turned = self.add("Transpose", keys, perm=[0, 1, 3, 2])
        scores = self.add("Mul", self.add("MatMul", queries, turned), "scale")
        mixed = self.add("MatMul", self.add("Softmax", scores, axis=-1), values)
        joined = self.add("Reshape", self.add("Transpose", mixed, perm=[0, 2, 1, 3]), "rows")
        summed = self.add("Add", "x", self.add("MatMul", joined, "wo"))
        hidden = self.add("Relu", self.add("MatMul", summed, "w1"))
        self.outputs = [
            self.add("Add", summed, self.add("MatMul", hidden, "w2")),
            self.add("Identity", keys), self.add("Identity", values),
        ]

    def add(self, operator, *inputs, **attributes):
        name = f"{self.prefix}_{operator}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [name], name, **attributes))
        return name

    def heads(self, weight):
        split = self.add("Reshape", self.add("MatMul", "x", weight), "split")
        return self.add("Transpose", split, perm=[0, 2, 1, 3])

    def graph(self):
        return helper.make_graph(self.nodes, self.prefix, [], tensors(self.outputs, "T"))


def tensors(names, length):
    cache = ["B", HEADS, length, WIDTH // HEADS]
    return [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in zip(names, (["B", "S", WIDTH], cache, cache))
    ]


def merged_decoder(path):
    random = numpy.random.default_rng(0)
    shapes = {name: (WIDTH, WIDTH) for name in ("wq", "wk", "wv", "wo")}
    shapes |= {"w1": (WIDTH, HIDDEN), "w2": (HIDDEN, WIDTH)}
    constants = {
        name: random.standard_normal(shape).astype(numpy.float32) / 8
        for name, shape in shapes.items()
    }
    constants["split"] = numpy.array([0, -1, HEADS, WIDTH // HEADS])
    constants["rows"] = numpy.array([0, -1, WIDTH])
    constants["scale"] = numpy.float32(0.25)
    choice = helper.make_node(
        "If", ["use_cache"], ["y", "keys", "values"],
        then_branch=Branch("cached", True).graph(), else_branch=Branch("first", False).graph())
    inputs = tensors(["x", "past_keys", "past_values"], "P")
    inputs.append(helper.make_tensor_value_info("use_cache", TensorProto.BOOL, [1]))
    graph = helper.make_graph(
        [choice], "merged", inputs, tensors(["y", "keys", "values"], "T"),
        [numpy_helper.from_array(value, name) for name, value in constants.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path)


class BranchesTests(unittest.TestCase):
    def test_merged_decoder(self):
        with tempfile.TemporaryDirectory() as folder:
            path, small, masked = (
                str(pathlib.Path(folder) / name) for name in ("m.onnx", "small.onnx", "masked.onnx")
            )
            merged_decoder(path)
            run = subprocess.run(
                [os.environ["PRUNEC"], path, "-o", small, "--ratio", "0.5", "--compensate", "none",
                 "--emit-masked", masked],
                capture_output=True, text=True, timeout=120)
            self.assertEqual((run.returncode, run.stderr), (0, ""))
            self.assertIn("checked: equal to the masked original", run.stdout)
            model = onnx.load(small)
            onnx.checker.check_model(model, full_check=True)
            self.assertEqual([node.op_type for node in model.graph.node], ["If"])
            dims = {weight.name: list(weight.dims) for weight in model.graph.initializer}
            self.assertEqual(dims["w1"], [WIDTH, HIDDEN // 2])
            self.assertEqual(dims["w2"], [HIDDEN // 2, WIDTH])
            random = numpy.random.default_rng(1)
            sessions = [
                onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
                for file in (small, masked)
            ]
            for use_cache, past in ((True, 3), (False, 0)):
                cache = (2, HEADS, past, WIDTH // HEADS)
                feeds = {
                    "x": random.standard_normal((2, 1, WIDTH)).astype(numpy.float32),
                    "past_keys": random.standard_normal(cache).astype(numpy.float32),
                    "past_values": random.standard_normal(cache).astype(numpy.float32),
                    "use_cache": numpy.array([use_cache]),
                }
                actual, expected = (session.run(None, feeds) for session in sessions)
                for one, other in zip(actual, expected):
                    numpy.testing.assert_allclose(one, other, rtol=0, atol=1e-4)


if __name__ == "__main__":
    unittest.main()
