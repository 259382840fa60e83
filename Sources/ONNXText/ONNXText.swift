/// # ONNX's textual syntax
///
/// `parseModel` reads and `printModel` writes the syntax of `onnx.parser` (ONNX 1.23), described in
/// ONNX's `docs/Syntax.md`:
///
/// ```
/// <ir_version: 10, opset_import: ["" : 21]>
/// main (float[N,3,8,8] x) => (float[N,4,8,8] y)
/// <
///   float[4,3,1,1] w = {...},
///   float[N,4,8,8] t
/// >
/// {
///   [conv1] t = Conv <kernel_shape = [1, 1]> (x, w)
///   y = Relu (t)
/// }
/// ```
///
/// ## Beyond ONNX
///
/// * The header may be missing: IR version 10, operator set 21 and version 1 of every other domain
///   that a node names are assumed.
/// * **Elided data.** `{...}` stands for the elements of a tensor. Printing writes it for tensors of
///   more than `PrintOptions.elementLimit` elements; parsing fills the tensor from its name, so that
///   a test has large weights without listing them. See `seededTensor` for the numbers.
/// * **Half precision as values.** An element of a `float16` or `bfloat16` tensor that is written as
///   an integer is a bit pattern, as in ONNX; written with a decimal point, an exponent, or as `inf`
///   or `nan` it is a value.
/// * **Sub-byte integers as values.** As many numbers as the tensor has elements are its elements;
///   as many as it has bytes are its packed bytes, as in ONNX.
/// * **Quoted names everywhere.** ONNX wants a bare identifier for operators, domains, overloads,
///   attributes, and the names of graphs and tensors in attributes. A name that is none is quoted.
/// * **Bytes.** A string that is not UTF-8, or holds a zero byte, is written `hex"00ff"`; so is the
///   serialized message of a sparse tensor in an attribute. Sparse initializers are dense here.
/// * `undefined` is the element type of a tensor whose element type is not known, and `seq()` and
///   `optional()` have an element type that is not given.
///
/// ## What the syntax cannot say
///
/// These are left out of printed text: documentation strings other than the model's and its
/// functions', metadata other than the model's, denotations, unknown fields, quantization
/// annotations, training information, device configurations, annotations of operator set imports,
/// the payload of a NaN, the place of external data within its file, and that data which is at hand
/// came from an external file.
///
/// A graph output is printed under the name that the signature gives it. Where one value is several
/// outputs, or an output is a graph input or constant of another name, an `Identity` is printed.
enum ONNXText {}
