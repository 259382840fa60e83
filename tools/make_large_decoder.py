"""Makes a Llama-like decoder of any size, for measuring how prunec scales.

Usage:

    python tools/make_large_decoder.py OUT.onnx [--layers 32] [--element-type float16] ...

The default is the shape of a model of seven billion parameters. Its weights go to OUT.onnx.data, a file of
the right length that holds zeros without taking space on the disk; with --random, which is for small
sizes, it holds numbers that make sense; with --no-data it is left out.

The graph is what exporters make of such a model: normalizations and rotary embeddings in pieces, and
the shapes of reshapes computed from those of the inputs. Needs tools/requirements.txt.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
PAGE = 4096


@dataclass(frozen=True)
class Sizes:
    layers: int
    hidden: int
    heads: int
    feed_forward: int
    vocabulary: int
    positions: int

    @property
    def head(self):
        return self.hidden // self.heads


class WeightsFile:
    """The external data of a model: where in it each tensor begins, and what it is to hold."""

    def __init__(self, name, data_type):
        self.name = name
        self.data_type = data_type
        self.numpy_type = helper.tensor_dtype_to_np_dtype(data_type)
        self.tensors = []
        self.byte_count = 0

    def tensor(self, name, shape, mean=0.0, deviation=0.02):
        """A tensor whose elements are in the file, as a message for the model."""
        length = int(numpy.prod(shape)) * self.numpy_type.itemsize
        offset = -(-self.byte_count // PAGE) * PAGE
        self.byte_count = offset + length
        self.tensors.append((offset, shape, mean, deviation))
        message = TensorProto(name=name, data_type=self.data_type, dims=shape,
                              data_location=TensorProto.EXTERNAL)
        for key, value in (("location", self.name), ("offset", offset), ("length", length)):
            message.external_data.add(key=key, value=str(value))
        return message

    def write(self, folder, is_random):
        with open(folder / self.name, "wb") as file:
            file.truncate(self.byte_count)
            if not is_random:
                return
            generator = numpy.random.default_rng(0)
            for offset, shape, mean, deviation in self.tensors:
                file.seek(offset)
                file.write(generator.normal(mean, deviation, shape).astype(self.numpy_type).tobytes())


class DecoderBuilder:
    def __init__(self, sizes, weights):
        self.sizes = sizes
        self.weights = weights
        self.nodes = []
        self.initializers = []
        self.constants = {}

    # Parts of a graph

    def node(self, operation, inputs, name, outputs=None, **attributes):
        """Appends a node; gives the name of its only output, which is the node's own."""
        self.nodes.append(
            helper.make_node(operation, inputs, outputs or [name + "_output"], name=name, **attributes))
        return self.nodes[-1].output[0]

    def weight(self, name, shape, **distribution):
        self.initializers.append(self.weights.tensor(name, shape, **distribution))
        return name

    def constant(self, array):
        """A small constant, which the model holds once."""
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self.constants:
            self.constants[key] = f"constant_{len(self.constants)}"
            self.initializers.append(numpy_helper.from_array(array, self.constants[key]))
        return self.constants[key]

    def integers(self, *numbers):
        return self.constant(numpy.array(numbers, numpy.int64))

    def scalar(self, number, numpy_type=None):
        return self.constant(numpy.array(number, numpy_type or self.weights.numpy_type))

    # The network

    def linear(self, x, inputs, outputs, name):
        weight = self.weight(name + ".weight", [inputs, outputs], deviation=inputs ** -0.5)
        return self.node("MatMul", [x, weight], name + "/MatMul")

    def normalization(self, x, name):
        """RMSNorm, in single precision inside as Llama has it."""
        wide = self.node("Cast", [x], name + "/Cast", to=TensorProto.FLOAT)
        square = self.node("Pow", [wide, self.scalar(2, numpy.float32)], name + "/Pow")
        mean = self.node("ReduceMean", [square], name + "/ReduceMean", axes=[-1], keepdims=1)
        shifted = self.node("Add", [mean, self.scalar(1e-5, numpy.float32)], name + "/Add")
        root = self.node("Sqrt", [shifted], name + "/Sqrt")
        inverse = self.node("Div", [self.scalar(1, numpy.float32), root], name + "/Div")
        scaled = self.node("Mul", [wide, inverse], name + "/Mul")
        narrow = self.node("Cast", [scaled], name + "/Cast_1", to=self.weights.data_type)
        weight = self.weight(name + ".weight", [self.sizes.hidden], mean=1.0, deviation=0.1)
        return self.node("Mul", [weight, narrow], name + "/Mul_1")

    def extents(self, x, name, *last):
        """The batch, the sequence and then `last`, as a target for a reshape."""
        shape = self.node("Shape", [x], name + "/Shape")
        batch = self.node("Gather", [shape, self.integers(0)], name + "/Gather", axis=0)
        sequence = self.node("Gather", [shape, self.integers(1)], name + "/Gather_1", axis=0)
        return self.node("Concat", [batch, sequence, self.integers(*last)], name + "/Concat", axis=0)

    def rotated(self, x, cosine, sine, name):
        """The rotary embedding: each half of a head is turned towards the other."""
        half, end = self.sizes.head // 2, numpy.iinfo(numpy.int64).max
        axis = self.integers(3)
        first = self.node("Slice", [x, self.integers(0), self.integers(half), axis], name + "/Slice")
        second = self.node("Slice", [x, self.integers(half), self.integers(end), axis],
                           name + "/Slice_1")
        negated = self.node("Neg", [second], name + "/Neg")
        turned = self.node("Concat", [negated, first], name + "/Concat", axis=-1)
        straight = self.node("Mul", [x, cosine], name + "/Mul")
        across = self.node("Mul", [turned, sine], name + "/Mul_1")
        return self.node("Add", [straight, across], name + "/Add")

    def heads(self, x, projection, name):
        sizes = self.sizes
        projected = self.linear(x, sizes.hidden, sizes.hidden, f"{name}.{projection}_proj")
        stem = f"{name}/{projection}"
        target = self.extents(x, stem, sizes.heads, sizes.head)
        split = self.node("Reshape", [projected, target], stem + "/Reshape")
        return self.node("Transpose", [split], stem + "/Transpose", perm=[0, 2, 1, 3])

    def attention(self, x, cosine, sine, name):
        sizes = self.sizes
        query = self.rotated(self.heads(x, "q", name), cosine, sine, name + "/q/rotary")
        key = self.rotated(self.heads(x, "k", name), cosine, sine, name + "/k/rotary")
        value = self.heads(x, "v", name)
        turned = self.node("Transpose", [key], name + "/Transpose", perm=[0, 1, 3, 2])
        products = self.node("MatMul", [query, turned], name + "/MatMul")
        scaled = self.node("Div", [products, self.scalar(sizes.head ** 0.5)], name + "/Div")
        masked = self.node("Add", [scaled, "attention_mask"], name + "/Add")
        shares = self.node("Softmax", [masked], name + "/Softmax", axis=-1)
        mixed = self.node("MatMul", [shares, value], name + "/MatMul_1")
        back = self.node("Transpose", [mixed], name + "/Transpose_1", perm=[0, 2, 1, 3])
        target = self.extents(x, name, sizes.hidden)
        joined = self.node("Reshape", [back, target], name + "/Reshape")
        return self.linear(joined, sizes.hidden, sizes.hidden, name + ".o_proj")

    def feed_forward(self, x, name):
        hidden, inner = self.sizes.hidden, self.sizes.feed_forward
        gate = self.linear(x, hidden, inner, name + ".gate_proj")
        sigmoid = self.node("Sigmoid", [gate], name + "/Sigmoid")
        activated = self.node("Mul", [gate, sigmoid], name + "/Mul")
        up = self.linear(x, hidden, inner, name + ".up_proj")
        gated = self.node("Mul", [activated, up], name + "/Mul_1")
        return self.linear(gated, inner, hidden, name + ".down_proj")

    def rotary_tables(self):
        """Cosine and sine of every position, `[batch, 1, sequence, head]`."""
        tables = []
        for function in ("cos", "sin"):
            name = f"rotary.{function}"
            table = self.weight(name, [self.sizes.positions, self.sizes.head], deviation=1.0)
            gathered = self.node("Gather", [table, "position_ids"], name + "/Gather", axis=0)
            tables.append(self.node("Unsqueeze", [gathered, self.integers(1)], name + "/Unsqueeze"))
        return tables

    def model(self):
        sizes = self.sizes
        embedding = self.weight("model.embed_tokens.weight", [sizes.vocabulary, sizes.hidden])
        x = self.node("Gather", [embedding, "input_ids"], "model.embed_tokens/Gather", axis=0)
        cosine, sine = self.rotary_tables()
        for index in range(sizes.layers):
            name = f"model.layers.{index}"
            normal = self.normalization(x, name + ".input_layernorm")
            attention = self.attention(normal, cosine, sine, name + ".self_attn")
            x = self.node("Add", [x, attention], name + "/Add")
            normal = self.normalization(x, name + ".post_attention_layernorm")
            x = self.node("Add", [x, self.feed_forward(normal, name + ".mlp")], name + "/Add_1")
        x = self.normalization(x, "model.norm")
        head = self.weight("lm_head.weight", [sizes.hidden, sizes.vocabulary])
        self.node("MatMul", [x, head], "lm_head/MatMul", outputs=["logits"])

        element = self.weights.data_type
        tokens = ["batch", "sequence"]
        inputs = [
            helper.make_tensor_value_info("input_ids", TensorProto.INT64, tokens),
            helper.make_tensor_value_info("position_ids", TensorProto.INT64, tokens),
            helper.make_tensor_value_info("attention_mask", element, ["batch", 1] + tokens[1:] * 2),
        ]
        logits = helper.make_tensor_value_info("logits", element, tokens + [sizes.vocabulary])
        graph = helper.make_graph(self.nodes, "decoder", inputs, [logits], self.initializers)
        return helper.make_model(graph, ir_version=8,
                                 opset_imports=[helper.make_opsetid("", OPSET)])


def main():
    parser = argparse.ArgumentParser(description="Makes a Llama-like decoder of any size.")
    parser.add_argument("output", type=Path)
    parser.add_argument("--layers", type=int, default=32)
    parser.add_argument("--hidden", type=int, default=4096)
    parser.add_argument("--heads", type=int, default=32)
    parser.add_argument("--feed-forward", type=int, default=11008)
    parser.add_argument("--vocabulary", type=int, default=32000)
    parser.add_argument("--positions", type=int, default=2048)
    parser.add_argument("--element-type", choices=["float16", "float32"], default="float16")
    content = parser.add_mutually_exclusive_group()
    content.add_argument("--random", action="store_true", help="weights that are not zeros")
    content.add_argument("--no-data", action="store_true", help="leave the weights' file out")
    arguments = parser.parse_args()

    sizes = Sizes(arguments.layers, arguments.hidden, arguments.heads, arguments.feed_forward,
                  arguments.vocabulary, arguments.positions)
    if sizes.hidden % (2 * sizes.heads) != 0:
        parser.error("the hidden size is not an even multiple of the heads")
    element = {"float16": TensorProto.FLOAT16, "float32": TensorProto.FLOAT}[arguments.element_type]
    weights = WeightsFile(arguments.output.name + ".data", element)
    model = DecoderBuilder(sizes, weights).model()
    arguments.output.write_bytes(model.SerializeToString())
    if not arguments.no_data:
        weights.write(arguments.output.parent, arguments.random)
    parameters = sum(int(numpy.prod(tensor[1])) for tensor in weights.tensors)
    print(f"{parameters / 1e9:.2f} G parameters, {len(model.graph.node)} nodes, "
          f"{weights.byte_count / 1e9:.2f} GB of weights")


if __name__ == "__main__":
    main()
