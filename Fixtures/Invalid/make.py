#!/usr/bin/env python3
"""Writes files that no program should trust, and says what prunec must make of each.

usage: make.py FOLDER [NAME ...]

Every case is a function of the table at the end. It returns the bytes of a model, or writes more
than one file itself. The expected exit codes are those of prunec's documentation: 3 for a malformed
model, 5 for a file that cannot be read; a set where more than one answer is right. Needs nothing
but Python; the same files every time.
"""

import os
import random
import struct
import sys

DONE, CHECK_FAILED, USAGE, MALFORMED, UNSUPPORTED, INPUT_OUTPUT = range(6)

# The wire format.


def varint(number):
    number &= (1 << 64) - 1
    result = b""
    while number >= 0x80:
        result += bytes([number & 0x7F | 0x80])
        number >>= 7
    return result + bytes([number])


def integer(field, number):
    return varint(field << 3) + varint(number)


def block(field, payload):
    payload = payload.encode() if isinstance(payload, str) else payload
    return varint(field << 3 | 2) + varint(len(payload)) + payload


# Messages of ONNX.

FLOAT, INT64, STRING = 1, 7, 8


def tensor(name, dims, data=None, element_type=FLOAT, extra=b""):
    result = b"".join(integer(1, extent) for extent in dims)
    result += integer(2, element_type) + block(8, name) + extra
    return result if data is None else result + block(9, data)


def external(name, dims, **entries):
    pairs = [(key, str(text)) for key, text in entries.items()]
    return external_pairs(name, dims, pairs)


def external_pairs(name, dims, pairs):
    fields = b"".join(block(13, block(1, key) + block(2, text)) for key, text in pairs)
    return tensor(name, dims, extra=fields + integer(14, 1))


def shape(dims):
    return b"".join(
        block(1, block(2, extent) if isinstance(extent, str) else integer(1, extent))
        for extent in dims
    )


def value(name, dims=(1, 4, 8, 8), element_type=FLOAT):
    tensor_type = integer(1, element_type) + block(2, shape(dims))
    return block(1, name) + block(2, block(1, tensor_type))


def attribute(name, number):
    if isinstance(number, int):
        return block(1, name) + integer(3, number) + integer(20, 2)
    return block(1, name) + b"".join(integer(8, n) for n in number) + integer(20, 7)


def tensor_attribute(name, payload):
    return block(1, name) + block(5, payload) + integer(20, 4)


def graph_attribute(name, payload):
    return block(1, name) + block(6, payload) + integer(20, 5)


def node(operator, inputs, outputs, *attributes, name="", domain=""):
    result = b"".join(block(1, text) for text in inputs)
    result += b"".join(block(2, text) for text in outputs)
    result += block(3, name or operator.lower() + "_node") + block(4, operator)
    result += b"".join(block(5, payload) for payload in attributes)
    return result + (block(7, domain) if domain else b"")


def graph(nodes, inputs=None, outputs=None, initializers=(), extra=b""):
    inputs = [value("x")] if inputs is None else inputs
    outputs = [value("y")] if outputs is None else outputs
    result = b"".join(block(1, payload) for payload in nodes) + block(2, "g")
    result += b"".join(block(5, payload) for payload in initializers)
    result += b"".join(block(11, payload) for payload in inputs)
    return result + b"".join(block(12, payload) for payload in outputs) + extra


def opset(version=17, domain=""):
    return block(1, domain) + integer(2, version)


def model(graph_bytes, ir_version=8, opsets=None, extra=b""):
    opsets = [opset()] if opsets is None else opsets
    result = integer(1, ir_version) + block(7, graph_bytes)
    return result + b"".join(block(8, payload) for payload in opsets) + extra


RELU = node("Relu", ["x"], ["y"])


def with_initializer(payload, nodes=None):
    nodes = [node("Add", ["x", "w"], ["y"])] if nodes is None else nodes
    return model(graph(nodes, initializers=[payload]))


def conv(*attributes, weight=(4, 4, 3, 3)):
    count = 4
    for extent in weight:
        count *= extent
    return model(
        graph(
            [node("Conv", ["x", "w"], ["y"], *attributes, name="the_conv")],
            initializers=[tensor("w", weight, bytes(count))],
            outputs=[value("y", ("n", "c", "h", "w"))],
        )
    )


# Cases that take more than an expression.


def nested_messages():
    payload = b""
    while len(payload) < 30_000:
        payload = block(4, block(1, payload))  # sequence_type of sequence_type of ...
    return model(graph([RELU], inputs=[block(1, "x") + block(2, payload)]))


def nested_branches(depth=200):
    inner = graph([node("Neg", ["x"], ["z"])], inputs=[], outputs=[value("z")])
    for _ in range(depth):
        branch = graph_attribute("then_branch", inner)
        inner = graph([node("If", ["c"], ["z"], branch)], inputs=[], outputs=[value("z")])
    return model(inner)


def captures_squared():
    """Every branch of one node uses values of its own: the lists of captures are quadratic."""
    count, width = 500, 100
    names = [f"v{index}" for index in range(count * width)]
    producer = node("Split", ["x"], names)
    branches = b""
    for index in range(count):
        used = names[index * width : (index + 1) * width]
        branches += block(11, graph([node("Sum", used, ["z"])], [], [value("z")]))
    attributes = block(1, "branches") + branches + integer(20, 10)
    return model(graph([producer, node("Switch", ["x"], ["y"], attributes, domain="d")]))


def data_file(folder, name, size):
    with open(os.path.join(folder, name), "wb") as file:
        file.write(bytes(size))


def beside(folder, case, name, size=64):
    """A data file for one case alone, by its name relative to the folder."""
    relative = f"{case}.{name}"
    data_file(folder, relative, size)
    return relative


def external_model(**entries):
    return with_initializer(external("w", [4], **entries))


def external_symlink(folder):
    beside(folder, "external_symlink", "target", 16)
    link = os.path.join(folder, "external_symlink.link")
    if not os.path.lexists(link):
        os.symlink("/etc/passwd", link)
    return external_model(location="external_symlink.link", length=16)


def external_symlinked_folder(folder):
    link = os.path.join(folder, "external_symlinked_folder.link")
    if not os.path.lexists(link):
        os.symlink("/etc", link)
    return external_model(location="external_symlinked_folder.link/passwd", length=16)


def external_hard_link(folder):
    name = beside(folder, "external_hard_link", "data")
    link = os.path.join(folder, "external_hard_link.second")
    if not os.path.lexists(link):
        os.link(os.path.join(folder, name), link)
    return external_model(location="external_hard_link.second", length=16)


def external_folder(folder):
    os.makedirs(os.path.join(folder, "external_folder.data"), exist_ok=True)
    return external_model(location="external_folder.data", length=16)


def external_pipe(folder):
    path = os.path.join(folder, "external_pipe.data")
    if not os.path.lexists(path):
        os.mkfifo(path)
    return external_model(location="external_pipe.data", length=16)


def external_past_end(folder):
    return external_model(
        location=beside(folder, "external_past_end", "data"), offset=60, length=16
    )


def external_far_past_end(folder):
    return external_model(
        location=beside(folder, "external_far_past_end", "data"), offset=2**63 - 8, length=16
    )


def external_negative_offset(folder):
    return external_model(
        location=beside(folder, "external_negative_offset", "data"), offset=-16, length=16
    )


def external_length(folder):
    return external_model(location=beside(folder, "external_length", "data"), offset=0, length=12)


def external_not_a_number(folder):
    return external_model(location=beside(folder, "external_not_a_number", "data"), offset="0x10")


def external_twice(folder):
    name = beside(folder, "external_twice", "data")
    return with_initializer(external_pairs("w", [4], [("location", name), ("location", "/x")]))


def constant_shape(operator, extents, *attributes):
    """An operator that makes a tensor of whatever extents its operand says."""
    data = struct.pack(f"<{len(extents)}q", *extents)
    operands = ["x", "s"] if operator != "ConstantOfShape" else ["s"]
    return model(
        graph(
            [node(operator, operands, ["y"], *attributes, name="the_bomb")],
            outputs=[value("y", ("a",))],
            initializers=[tensor("s", [len(extents)], data, INT64)],
        )
    )


def chain_of_doublings():
    """Forty Concats of a value with itself: a terabyte from a file of two kilobytes."""
    nodes = [
        node("Concat", [f"v{index}", f"v{index}"], [f"v{index + 1}"], attribute("axis", 0))
        for index in range(40)
    ]
    start = node("Constant", [], ["v0"], tensor_attribute("value", tensor("", [256], bytes(1024))))
    return model(graph([start, *nodes], inputs=[], outputs=[value("v40", ("n",))]))


def recursive_function():
    call = node("F", ["a"], ["b"], domain="d")
    function = block(1, "F") + block(4, "a") + block(5, "b") + block(7, call)
    function += block(9, opset()) + block(9, opset(1, "d")) + block(10, "d")
    body = graph([node("F", ["x"], ["y"], domain="d")])
    return model(body, opsets=[opset(), opset(1, "d")], extra=block(25, function))


def duplicate_function():
    call = node("Relu", ["a"], ["b"])
    function = block(1, "F") + block(4, "a") + block(5, "b") + block(7, call)
    function += block(9, opset()) + block(10, "d")
    return model(graph([RELU]), extra=block(25, function) * 2)


def random_bytes():
    return random.Random(1).randbytes(100_000)


def cut(payload, count):
    return payload[: len(payload) - count]


GOOD = with_initializer(tensor("w", [1, 4, 1, 1], bytes(16)))
BOMB = {DONE, CHECK_FAILED, MALFORMED, UNSUPPORTED}

# Name: what makes the model, and the exit codes that are right.
CASES = {
    # The wire format.
    "empty_file": (b"", MALFORMED),
    "text_file": (b"This is not a model.\n" * 100, MALFORMED),
    "random_bytes": (random_bytes, MALFORMED),
    "nested_messages": (nested_messages, MALFORMED),
    "nested_branches": (nested_branches, MALFORMED),
    "empty_submessages": (lambda: model(graph([RELU], extra=block(1, b"") * 5_000_000)), MALFORMED),
    "empty_entries": (lambda: model(graph([RELU]), extra=block(14, b"") * 5_000_000), MALFORMED),
    "tiny_nodes": (lambda: model(graph([RELU] + [block(4, "A")] * 1_500_000)), MALFORMED),
    "unknown_fields": (lambda: model(graph([RELU]), extra=integer(99, 1) * 3_500_000), MALFORMED),
    "truncated_varint": (integer(1, 8) + b"\x40\xff\xff", MALFORMED),
    "overlong_varint": (integer(1, 8) + b"\x40" + b"\xff" * 11, MALFORMED),
    "truncated_model": (cut(GOOD, 30), MALFORMED),
    "truncated_last_byte": (cut(GOOD, 1), MALFORMED),
    "length_past_end": (integer(1, 8) + b"\x3a\xff\xff\xff\xff\x07abc", MALFORMED),
    "length_of_2_to_63": (integer(1, 8) + b"\x3a" + varint(2**63) + b"abc", MALFORMED),
    "inner_length_past_message": (model(b"\x0a\x20ab"), MALFORMED),
    "wrong_wire_type": (model(graph([RELU])) + integer(7, 5), MALFORMED),
    "group_wire_type": (model(graph([RELU])) + b"\x9b\x06\x9c\x06", MALFORMED),
    "field_number_zero": (model(graph([RELU])) + b"\x00\x01", MALFORMED),
    "graph_twice": (model(graph([RELU])) + block(7, graph([RELU])), MALFORMED),
    "raw_data_twice": (
        with_initializer(tensor("w", [1], bytes(4)) + block(9, bytes(4))), MALFORMED),
    "invalid_utf8_name": (model(graph([node("Relu", ["x"], [b"y\xff"])])), MALFORMED),
    "nul_in_name": (model(graph([node("Relu", ["x"], ["y"], name="a\0b")])), MALFORMED),
    "packed_floats_of_odd_length": (
        with_initializer(tensor("w", [1], extra=block(4, bytes(5)))), MALFORMED),
    # The model around the graph.
    "no_graph": (integer(1, 8) + block(8, opset()), MALFORMED),
    "no_opset": (model(graph([RELU]), opsets=[]), MALFORMED),
    "no_ir_version": (block(7, graph([RELU])) + block(8, opset()), MALFORMED),
    "opset_99": (model(graph([RELU]), opsets=[opset(99)]), MALFORMED),
    "opset_negative": (model(graph([RELU]), opsets=[opset(-1)]), MALFORMED),
    "opset_twice": (model(graph([RELU]), opsets=[opset(17), opset(18)]), MALFORMED),
    "ir_version_99": (model(graph([RELU]), ir_version=99), MALFORMED),
    "ir_version_0": (model(graph([RELU]), ir_version=0), MALFORMED),
    "recursive_function": (recursive_function, MALFORMED),
    "duplicate_function": (duplicate_function, MALFORMED),
    # Names and edges.
    "duplicate_result": (
        model(graph([RELU, node("Neg", ["x"], ["y"])])), MALFORMED),
    "result_named_as_input": (model(graph([node("Relu", ["x"], ["x"])])), MALFORMED),
    "duplicate_initializer": (
        model(graph([RELU], initializers=[tensor("w", [1], bytes(4))] * 2)), MALFORMED),
    "duplicate_input": (model(graph([RELU], inputs=[value("x"), value("x")])), MALFORMED),
    "unnamed_initializer": (
        model(graph([RELU], initializers=[tensor("", [1], bytes(4))])), MALFORMED),
    "dangling_input": (model(graph([node("Add", ["x", "nowhere"], ["y"])])), MALFORMED),
    "dangling_output": (model(graph([RELU], outputs=[value("nowhere")])), MALFORMED),
    "dangling_capture": (
        model(graph([node("If", ["x"], ["y"], graph_attribute(
            "then_branch", graph([node("Neg", ["nowhere"], ["z"])], [], [value("z")])))])),
        MALFORMED),
    "cycle": (
        model(graph([node("Add", ["x", "b"], ["a"]), node("Relu", ["a"], ["b"]),
                     node("Neg", ["b"], ["y"])])), MALFORMED),
    "self_cycle": (model(graph([node("Add", ["x", "y"], ["y"])])), MALFORMED),
    "captures_squared": (captures_squared, MALFORMED),
    "no_operator": (model(graph([node("", ["x"], ["y"])])), MALFORMED),
    # Tensors.
    "negative_dims": (with_initializer(tensor("w", [-2, 2], bytes(16))), MALFORMED),
    "dims_overflow": (with_initializer(tensor("w", [2**32, 2**32], bytes(16))), MALFORMED),
    "dims_overflow_behind_zero": (
        with_initializer(tensor("w", [0, 2**62, 2**62], b"")), MALFORMED),
    "dims_beyond_memory": (with_initializer(tensor("w", [2**60])), MALFORMED),
    "dims_whose_bytes_overflow": (with_initializer(tensor("w", [2**61], bytes(8))), MALFORMED),
    "many_dims": (with_initializer(tensor("w", [1] * 100_000, bytes(4))), MALFORMED),
    "data_too_short": (with_initializer(tensor("w", [4], bytes(12))), MALFORMED),
    "data_too_long": (with_initializer(tensor("w", [4], bytes(20))), MALFORMED),
    "typed_data_too_short": (
        with_initializer(tensor("w", [4], extra=block(4, bytes(12)))), MALFORMED),
    "string_count": (
        with_initializer(tensor("w", [3], element_type=STRING, extra=block(6, "a") * 2)),
        MALFORMED),
    "raw_strings": (with_initializer(tensor("w", [1], b"abc", STRING)), MALFORMED),
    "unknown_element_type": (with_initializer(tensor("w", [4], bytes(16), 77)), MALFORMED),
    "raw_and_typed_data": (
        with_initializer(tensor("w", [1], bytes(4), extra=block(4, bytes(4)))), MALFORMED),
    "segment": (
        with_initializer(tensor("w", [1], bytes(4), extra=block(3, integer(1, 0)))), MALFORMED),
    "type_dims_overflow": (
        model(graph([RELU], inputs=[value("x", [2**40, 2**40])])), MALFORMED),
    "type_negative_dim": (model(graph([RELU], inputs=[value("x", [-7])])), MALFORMED),
    # Attributes.
    "attribute_twice": (
        model(graph([node("Softmax", ["x"], ["y"], attribute("axis", 1), attribute("axis", 1))])),
        MALFORMED),
    "attribute_of_other_type": (
        model(graph([node("Softmax", ["x"], ["y"],
                          block(1, "axis") + integer(3, 1) + integer(20, 1))])), MALFORMED),
    "attribute_of_unknown_type": (
        model(graph([node("Softmax", ["x"], ["y"], block(1, "axis") + integer(20, 99))])),
        MALFORMED),
    "group_0": (conv(attribute("group", 0)), MALFORMED),
    "group_negative": (conv(attribute("group", -(2**63))), MALFORMED),
    "group_3_of_4": (conv(attribute("group", 3)), MALFORMED),
    "strides_0": (conv(attribute("strides", [0, 0])), MALFORMED),
    "strides_short": (conv(attribute("strides", [1])), MALFORMED),
    "strides_huge": (conv(attribute("strides", [2**63 - 1] * 2)), BOMB),
    "dilations_0": (conv(attribute("dilations", [0, 1])), MALFORMED),
    "dilations_huge": (conv(attribute("dilations", [2**63 - 1] * 2)), MALFORMED),
    "pads_huge": (conv(attribute("pads", [2**63 - 1] * 4)), MALFORMED),
    "pads_negative": (conv(attribute("pads", [-(2**63)] * 4)), MALFORMED),
    "kernel_shape_0": (conv(attribute("kernel_shape", [0, 0])), MALFORMED),
    "kernel_of_weight_0": (conv(weight=(4, 4, 0, 0)), MALFORMED),
    "pool_kernel_0": (
        model(graph([node("MaxPool", ["x"], ["y"], attribute("kernel_shape", [0, 0]))])),
        MALFORMED),
    "concat_axis_99": (
        model(graph([node("Concat", ["x", "x"], ["y"], attribute("axis", 99))])), MALFORMED),
    "transpose_perm_99": (
        model(graph([node("Transpose", ["x"], ["y"], attribute("perm", [0, 1, 2, 99]))])),
        MALFORMED),
    "transpose_perm_twice": (
        model(graph([node("Transpose", ["x"], ["y"], attribute("perm", [0, 0, 0, 0]))])),
        MALFORMED),
    # Small files that ask for large tensors.
    "reshape_to_2_to_62": (constant_shape("Reshape", [2**62]), BOMB),
    "reshape_overflow": (constant_shape("Reshape", [2**62, 2**62]), BOMB),
    "reshape_negative": (constant_shape("Reshape", [-5, 4]), BOMB),
    "constant_of_shape_2_to_40": (constant_shape("ConstantOfShape", [2**40]), BOMB),
    "constant_of_shape_overflow": (constant_shape("ConstantOfShape", [2**40] * 4), BOMB),
    "constant_of_shape_negative": (constant_shape("ConstantOfShape", [-1]), BOMB),
    "expand_bomb": (constant_shape("Expand", [2**20, 1, 4, 8, 8]), BOMB),
    "tile_bomb": (constant_shape("Tile", [2**20, 2**20, 2**20, 2**20]), BOMB),
    "chain_of_doublings": (chain_of_doublings, BOMB),
    # External data.
    "external_absolute": (external_model(location="/etc/passwd", length=16), MALFORMED),
    "external_dot_dot": (external_model(location="a/../../data", length=16), MALFORMED),
    "external_no_location": (external_model(length=16), MALFORMED),
    "external_folder_itself": (external_model(location=".", length=16), MALFORMED),
    "external_missing": (external_model(location="no_such_file", length=16), INPUT_OUTPUT),
    "external_symlink": (external_symlink, INPUT_OUTPUT),
    "external_symlinked_folder": (external_symlinked_folder, INPUT_OUTPUT),
    "external_hard_link": (external_hard_link, INPUT_OUTPUT),
    "external_folder": (external_folder, INPUT_OUTPUT),
    "external_pipe": (external_pipe, INPUT_OUTPUT),
    "external_past_end": (external_past_end, MALFORMED),
    "external_far_past_end": (external_far_past_end, MALFORMED),
    "external_negative_offset": (external_negative_offset, MALFORMED),
    "external_length": (external_length, MALFORMED),
    "external_not_a_number": (external_not_a_number, MALFORMED),
    "external_twice": (external_twice, MALFORMED),
}

# Paths that are not files of models, and need not be made.
PATHS = {
    "no_such_file": ("no_such_file.onnx", INPUT_OUTPUT),
    "folder": (".", INPUT_OUTPUT),
    "device": ("/dev/zero", INPUT_OUTPUT),
}


def expected_codes(expected):
    return {expected} if isinstance(expected, int) else expected


def make(folder, name):
    """Writes one case into `folder`; the path of its model."""
    content = CASES[name][0]
    if callable(content):
        takes_folder = content.__code__.co_argcount == 1 and not content.__defaults__
        content = content(folder) if takes_folder else content()
    path = os.path.join(folder, name + ".onnx")
    with open(path, "wb") as file:
        file.write(content)
    return path


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    for name in sys.argv[2:] or CASES:
        make(folder, name)


if __name__ == "__main__":
    main()
