import PrunecGraphIR
import PrunecONNXText
import Testing

/// What parsing throws, as `line:column: error: message`.
private func message(_ text: String) -> String {
  do {
    _ = try parseModel(text)
    return "no error"
  } catch {
    #expect(error.kind == .malformed)
    return error.description
  }
}

@Suite struct ErrorTests {
  @Test(arguments: [
    ("", "1:1: error: expected the name of the graph, found the end of the text"),
    (
      "g (float x) => (float y) {", "1:27: error: expected a node or '}', found the end of the text"
    ),
    (
      "g (float x) = > (y) {}",
      "1:13: error: expected '=>' after the inputs of graph 'g', found '='"
    ),
    ("g (float x => (y) {}", "1:12: error: expected ')' after the inputs, found '=>'"),
    ("g (x) => (y) {\n  y = Relu(q)\n}", "2:12: error: 'q' is not defined here"),
    ("g (x) => (y) {\n  y = Relu(x)\n  y = Relu(x)\n}", "3:3: error: 'y' is already defined"),
    ("g (x) => (y) {\n  y, y = Relu(x)\n}", "2:6: error: 'y' is already defined"),
    ("g (x, x) => (x) {}", "1:7: error: 'x' is already defined"),
    ("g (x) => (x) <float x = {1}, float x = {2}> {}", "1:36: error: 'x' is already defined"),
    ("g (x = {1}) => (x) {}", "1:4: error: data needs the type of a tensor"),
    ("g (x) => (x, x) {}", "1:14: error: two outputs are called 'x'"),
    ("g (x) => (é) {}", "1:11: error: unexpected character 'é'"),
    ("\u{8}", "1:1: error: unexpected character of code 8"),
    ("g (x) => (\"é\", z) {}", "1:11: error: output 'é' is not defined"),
    ("g (x) => (\"é\", x, $) {}", "1:19: error: unexpected character '$'"),
    ("g (x) => (x) { = }", "1:18: error: expected the operator of the node, found '}'"),
    ("g (x) => (x) { \"abc }", "1:16: error: this string has no end"),
    ("g (x) => (x) {} }", "1:17: error: expected the name of a function, found '}'"),
    ("g (x) => (x) { y = F <a = 1, a = 2> (x) }", "1:30: error: attribute 'a' is given twice"),
    ("g (x) => (x) { y = F <a: real = 1> (x) }", "1:26: error: 'real' is no type of an attribute"),
    (
      "g (x) => (x) { y = F <a: int = 1.5> (x) }",
      "1:32: error: attribute 'a' is declared 'int', but the value is 'float'"
    ),
    (
      "g (x) => (x) { y = F <a: int = [1]> (x) }",
      "1:32: error: the attribute is declared 'int', but the value is a list"
    ),
    (
      "g (x) => (x) { y = F <a = []> (x) }",
      "1:27: error: an empty list needs its type, as in 'name: ints = []'"
    ),
    (
      "g (x) => (x) { y = F <a = [1, 2.5]> (x) }",
      "1:31: error: expected an element of type 'int', found 'float'"
    ),
    ("g (x) => (x) {} F () => () {} F () => () {}", "1:31: error: function 'F' is already defined"),
    ("<ir: 3> g (x) => (x) {}", "1:2: error: a model's header has no field 'ir'"),
    ("<ir_version: x> g (x) => (x) {}", "1:14: error: expected the IR version, found 'x'"),
    (
      "g (bool c, x) => (x) { y = If <b = h () => (x) { x = Relu(c) }> (c) }",
      "1:50: error: 'x' is already defined"
    ),
    (
      "g (x) => (x) { y = F (z) z = F (x) }", "1:23: error: 'z' is not defined here"
    ),
  ])
  func position(_ text: String, _ expected: String) {
    #expect(message(text) == expected)
  }

  @Test(arguments: [
    ("float[2] w = {1}", "1:27: error: 1 elements for shape [2], which has 2"),
    ("float[2] w = {1, 2, 3}", "1:34: error: more than the 2 elements of shape [2]"),
    ("complex64[1] w = {1}", "1:31: error: 1 elements for shape [1, 2], which has 2"),
    ("float[N] w = {1}", "1:14: error: data needs an element type and a shape of numbers"),
    ("float[] w = {1}", "1:14: error: data needs an element type and a shape of numbers"),
    ("seq(float) w = {1}", "1:14: error: data needs the type of a tensor"),
    ("int8[1] w = {128}", "1:27: error: 128 is out of range"),
    ("uint8[1] w = {-1}", "1:28: error: -1 is out of range"),
    ("int64[1] w = {9223372036854775808}", "1:28: error: 9223372036854775808 is out of range"),
    ("int64[1] w = {1.0}", "1:28: error: expected an integer, found '1.0'"),
    ("float[1] w = {1e39}", "1:28: error: 1e39 is out of range"),
    ("float[1] w = {1e}", "1:28: error: this number's exponent has no digits"),
    ("float[1] w = {- 1}", "1:28: error: expected a number after '-'"),
    ("float16[1] w = {65536}", "1:30: error: 65536 is out of range"),
    ("float16[1] w = {65536.0}", "1:30: error: 65536.0 is out of range"),
    ("int4[1] w = {-9}", "1:27: error: -9 is out of range"),
    ("uint4[3] w = {1, 2, 3, 4}", "1:37: error: more than the 3 elements of shape [3]"),
    ("uint4[3] w = {1}", "1:27: error: 1 elements for shape [3], which has 3"),
    ("uint4[3] w = {1, 256}", "1:31: error: 256 is out of range"),
    ("bool[1] w = {2}", "1:27: error: expected 0 or 1"),
    ("string[1] w = {hex\"0\"}", "1:29: error: expected an even number of hexadecimal digits"),
    ("string[1] w = {hex\"0g\"}", "1:34: error: expected a hexadecimal digit"),
    ("float[-1] w", "1:20: error: an extent cannot be negative"),
    (
      "float[99999999999999999999] w",
      "1:20: error: 99999999999999999999 is out of range"
    ),
    (
      "float[4294967296,4294967296] w = {...}",
      "1:14: error: a tensor of this shape is too large"
    ),
    (
      "float[4611686018427387904] w = {...}", "1:14: error: a tensor of this shape is too large"
    ),
    (
      "float[1000000000] w = {...}",
      "1:36: error: elided data of more than 268435456 bytes"
    ),
    (
      "string[100000000] w = {...}",
      "1:36: error: elided data of more than 268435456 bytes"
    ),
    (
      "float[1000000000] w = {1}",
      "1:36: error: 1 elements for shape [1000000000], which has 1000000000"
    ),
  ])
  func data(_ declaration: String, _ expected: String) {
    #expect(message("g () => ()  <\(declaration)> {}") == expected)
  }

  @Test func deepNesting() {
    let types = String(repeating: "seq(", count: 5000)
    #expect(
      message("g (\(types)float x) => (x) {}")
        == "1:400: error: this is nested more than 100 levels deep")
    let graphs = String(repeating: "y = F <a = g () => () { ", count: 5000)
    #expect(
      message("g () => () { \(graphs)").hasSuffix("this is nested more than 100 levels deep"))
  }

  /// Whatever is cut off or replaced, parsing ends with a model or a diagnostic.
  @Test func damagedText() throws {
    let text = """
      <ir_version: 10, opset_import: ["" : 21]>
      g (bool c, float[N,3] x = {}, seq(int64) s) => (float[?] y) <float[2] w = {1.5, -inf}> {
        [n] a, "" = d.F:o <i = [1, 2], t = int4[3] v {1, 2, 3}, r = @q> (x, "", w)
        y = If (c) <then_branch = h () => (float z) <int8[4] k = {...}> { z = Add (a, k) }>
      }
      <domain: "d"> F <p, q = 1> (x) => (y) { y = Relu (x) }
      """
    let characters = Array(text)
    for index in characters.indices {
      _ = try? parseModel(String(characters[..<index]))
      for replacement in "{}()[]<>,=\"@9-a.#" {
        var damaged = characters
        damaged[index] = replacement
        _ = try? parseModel(String(damaged))
      }
      var shortened = characters
      shortened.remove(at: index)
      _ = try? parseModel(String(shortened))
    }
  }
}
