"""onnx's light models, which nobody here wrote, are pruned and still run.

Their weights are ConstantOfShape nodes: the files are small, the networks are not. All channels of
such a layer are alike, so the networks are pruned with random weights too.

usage: PRUNEC=path/to/prunec PRUNEC_OPT=path/to/prunec-opt python -m unittest light_models_tests

Set PRUNEC_ALL_LIGHT_MODELS to run the slow ones as well. With `-v` what is kept is printed.
"""

import json
import math
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

from check_pruned import compare, open_session  # noqa: E402

FOLDER = pathlib.Path(onnx.__file__).parent / "backend/test/data/light"
# Percent of the parameters that may stay at a ratio of 0.5: more than a quarter where much of them
# is in the last layer, or in layers around LRN, which pins what it normalises.
QUICK = {
    "light_bvlc_alexnet": 28, "light_inception_v1": 30, "light_resnet50": 28,
    "light_shufflenet": 38, "light_squeezenet": 36,
}
SLOW = {
    "light_densenet121": 30, "light_inception_v2": 28, "light_vgg19": 26, "light_zfnet512": 27,
}
FILLED_QUICK = ["light_inception_v1", "light_shufflenet", "light_squeezenet"]
FILLED_SLOW = ["light_densenet121", "light_inception_v2", "light_resnet50"]
# Half of its MACs cannot go: they are in layers that LRN pins.
OUT_OF_REACH = "light_bvlc_alexnet"
RATIO, MACS = ["--ratio", "0.5", "--align", "1"], ["--macs", "0.5"]
# Running these on samples takes most of a minute each: weights decide. The others do as users get it.
LARGE = {"light_bvlc_alexnet", "light_inception_v1", "light_resnet50", "light_shufflenet"}
BY_WEIGHTS = ["--compensate", "merge"]
PRESERVING = (
    "fixpoint(eliminate-identities,fold-constants,inline-branches,fix-shape-constants,separate-shape-constants,eliminate-dead-nodes),"
    "separate-shared-vectors,fold-batch-norm,infer-shapes,merge-equal-vectors")
TOLERANCE = 1e-4


def constant_shapes(model):
    """The shape that each ConstantOfShape of a model makes, by the name of its result."""
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    return {node.output[0]: numpy_helper.to_array(tensors[node.input[0]]).tolist()
            for node in model.graph.node if node.op_type == "ConstantOfShape"}


def parameters(model):
    """Elements of floating point initializers, and of what ConstantOfShape makes of constants."""
    shapes = [tensor.dims for tensor in model.graph.initializer
              if tensor.data_type == TensorProto.FLOAT]
    return sum(math.prod(shape) for shape in [*shapes, *constant_shapes(model).values()])


def filled(model):
    """The model with random weights for its ConstantOfShape nodes."""
    generator = numpy.random.default_rng(0)
    for name, shape in constant_shapes(model).items():
        # Vectors may be variances, which are positive.
        weights = generator.uniform(0.5, 1.5, shape)
        if len(shape) > 1:
            weights = generator.standard_normal(shape) * math.sqrt(2 / math.prod(shape[1:]))
        model.graph.initializer.append(
            numpy_helper.from_array(weights.astype(numpy.float32), name))
        # So early versions of the format want it.
        model.graph.input.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
    nodes = [node for node in model.graph.node if node.op_type != "ConstantOfShape"]
    # Shares of untrained scores are all zeros and ones, whatever is cut.
    if nodes[-1].op_type == "Softmax":
        model.graph.output[0].name = nodes.pop().input[0]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model


class LightModelsTests(unittest.TestCase):
    def check(self, source, options, greatest_part=100):
        """Prunes a model and compares it with the masked one in onnxruntime."""
        name = source.stem
        compensation = BY_WEIGHTS if name.removesuffix("_filled") in LARGE else []
        with self.subTest(model=name, options=options), tempfile.TemporaryDirectory() as folder:
            small, masked, report = (
                os.path.join(folder, file) for file in ("small.onnx", "masked.onnx", "report.json"))
            start = time.monotonic()
            result = subprocess.run(
                [os.environ["PRUNEC"], source, "-o", small, *options, *compensation, "--no-check",
                 "--quiet", "--emit-masked", masked, "--report", report],
                stdin=subprocess.DEVNULL, capture_output=True, text=True)
            seconds = time.monotonic() - start
            self.assertEqual(result.returncode, 0, result.stderr)
            difference = compare(source, masked, small, runs=1).relative_error
            large_model, small_model = onnx.load(source), onnx.load(small)
            part = 100 * parameters(small_model) / parameters(large_model)
            with open(report) as file:
                contents = json.load(file)
            macs = 100 * contents["after"]["macs"] / contents["before"]["macs"]
            if "-v" in sys.argv:
                print(f"{name} {' '.join(options)}: {part:.1f} % of the parameters, "
                      f"{macs:.1f} % of the MACs, difference {difference:.1g}, {seconds:.2f} s",
                      file=sys.stderr, flush=True)
            self.assertLessEqual(difference, TOLERANCE)
            self.assertLessEqual(part, greatest_part)
            # A budget is met, and not by far too much: one step of a wide group may be a tenth.
            if options == MACS:
                self.assertTrue(40 <= macs <= 50, macs)
            self.assertEqual(contents["before"]["parameters"], parameters(large_model))
            self.assertEqual(contents["after"]["parameters"], parameters(small_model))

    def check_recorded_outputs(self, name):
        """Passes that must preserve what a model computes leave the outputs that onnx records."""
        source = FOLDER / f"{name}.onnx"
        with tempfile.TemporaryDirectory() as folder:
            target = os.path.join(folder, "out.onnx")
            subprocess.run(
                [os.environ["PRUNEC_OPT"], source, "--passes", PRESERVING, "-o", target],
                stdin=subprocess.DEVNULL, check=True)
            session = open_session(target)
        value = session.get_inputs()[0]
        count = math.prod(value.shape)
        data = (numpy.arange(count) / count).reshape(value.shape).astype(numpy.float32)
        expected = onnx.load_tensor(FOLDER / f"{name}_output_0.pb")
        numpy.testing.assert_allclose(
            session.run(None, {value.name: data})[0], numpy_helper.to_array(expected), rtol=1e-3,
            atol=1e-7)

    def check_models(self, models):
        for name, greatest_part in models.items():
            self.check(FOLDER / f"{name}.onnx", RATIO, greatest_part)
            if name != OUT_OF_REACH:
                self.check(FOLDER / f"{name}.onnx", MACS)

    def check_filled_models(self, names):
        for name in names:
            with tempfile.TemporaryDirectory() as folder:
                source = pathlib.Path(folder) / f"{name}_filled.onnx"
                onnx.save(filled(onnx.load(FOLDER / f"{name}.onnx")), source)
                for options in (RATIO, MACS):
                    self.check(source, options)

    def test_recorded_outputs(self):
        for name in QUICK:
            with self.subTest(model=name):
                self.check_recorded_outputs(name)

    def test_quick_models(self):
        self.check_models(QUICK)

    def test_quick_models_with_random_weights(self):
        self.check_filled_models(FILLED_QUICK)

    @unittest.skipUnless("PRUNEC_ALL_LIGHT_MODELS" in os.environ, "takes minutes")
    def test_slow_models(self):
        self.check_models(SLOW)

    @unittest.skipUnless("PRUNEC_ALL_LIGHT_MODELS" in os.environ, "takes minutes")
    def test_slow_models_with_random_weights(self):
        self.check_filled_models(FILLED_SLOW)


if __name__ == "__main__":
    unittest.main()
