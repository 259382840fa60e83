import PrunecGraphIR
import PrunecONNXText
import PrunecTensors
import PrunecTestSupport
import Testing

/// Checks that a text parses to a well-formed model which is the same after printing and parsing.
@discardableResult
private func roundTrip(
  _ text: String, _ location: SourceLocation = #_sourceLocation
) throws -> Model {
  let model = try parseModel(text)
  for graph in [model.graph] + model.functions.map(\.body) {
    #expect(Verifier.violations(in: graph) == [], sourceLocation: location)
  }
  for options in [PrintOptions.complete, PrintOptions()] {
    let printed = printModel(model, options: options)
    let again = try parseModel(printed)
    #expect(differences(between: model, and: again) == [], sourceLocation: location)
    #expect(printModel(again, options: options) == printed, sourceLocation: location)
  }
  return model
}

@Suite struct RoundTripTests {
  @Test func header() throws {
    let model = try roundTrip(
      """
      <ir_version: 9, opset_import: ["" : 18, "ai.onnx.ml" : 3], producer_name: "p \\"q\\" \\\\",
       producer_version: "1.0", domain: "d.e", model_version: 7, doc_string: "first\nsecond",
       metadata_props: ["a" : "b", "c" : ""]>
      main (float[1] x) => (float[1] y) { y = Relu (x) }
      """)
    #expect(model.irVersion == 9)
    #expect(model.producerName == "p \"q\" \\")
    #expect(model.modelVersion == 7)
    #expect(model.annotations.docString == "first\nsecond")
    #expect(model.annotations.metadata.map(\.key) == ["a", "c"])
    #expect(model.graph.opsetVersion(of: "ai.onnx.ml") == 3)
  }

  @Test func headerIsOptional() throws {
    let model = try roundTrip(
      """
      g (float x, bool c) => (float y) {
        z = com.other.Foo (x)
        y = If (c) <then_branch = t () => (float a) { a = ai.prunec.Mask (z) },
                    else_branch = e () => (float b) { b = Identity (z) }>
      }
      """)
    let imports = [("", 21), ("com.other", 1), ("ai.prunec", 1)].map { OpsetImport($0, $1) }
    #expect(model.irVersion == 10)
    #expect(model.graph.opsetImports == imports)
    let node = model.graph[Array(model.graph.nodes)[1]]
    #expect(node.attributes.flatMap(\.graphs).allSatisfy { $0.opsetImports == imports })
  }

  @Test func types() throws {
    let model = try roundTrip(
      """
      g (float[N, 3, ?, "a b"] a, float[] b, float c, seq(float[2]) d, optional(seq(int64[])) e,
         map(string, seq(map(int64, float))) f, sparse_tensor(double[4,M]) g, opaque(a.b, c) h,
         opaque(x.y) i, opaque() j, k, undefined[2] l, optional() m, float["float"] n,
         opaque("a-b", "c d") o, bfloat16[0] p) => (q)
      { q = Foo (a) }
      """)
    let types = model.graph.inputs.map { model.graph[$0].type }
    #expect(
      types[0] == .tensor(.float32, [.symbol("N"), .fixed(3), .unknown, .symbol("a b")]))
    #expect(types[1] == .tensor(.float32, nil))
    #expect(types[2] == .tensor(.float32, []))
    #expect(types[6] == ValueType(.sparseTensor(TensorType(.float64, [.fixed(4), .symbol("M")]))))
    #expect(types[7] == ValueType(.opaque(domain: "a.b", name: "c")))
    #expect(types[8] == ValueType(.opaque(domain: "", name: "x.y")))
    #expect(types[10] == nil)
    #expect(types[11] == .tensor(nil, [.fixed(2)]))
  }

  @Test func everyElementTypeHasATypeName() throws {
    for type in ElementType.allCases {
      let data =
        type == .string ? "\"a\", \"b\"" : type.name.hasPrefix("complex") ? "1, 2, 3, 4" : "0, 1"
      try roundTrip(
        "g (\(type.name)[2] x) => (y) <\(type.name)[2] w = {\(data)}> { y = Foo (x, w) }")
      try roundTrip("g () => (y) <\(type.name)[2,9] w = {...}> { y = Foo (w) }")
      try roundTrip("g () => (y) <\(type.name)[0] w = {}> { y = Foo (w) }")
      try roundTrip(
        "g () => (y) <\(type.name)[3] w = > { y = Foo <v = \(type.name)[3] = > (w) }")
    }
  }

  @Test func elements() throws {
    let graph = try roundTrip(
      """
      g () => (y)
      <
        float[9] f = {1, -2.5, inf, -inf, nan, 1e-45, 3.4028235e38, -0.0, 0.1},
        double[4] d = {0.1, 5e-324, -Infinity, 1.7976931348623157e308},
        int8[2] i8 = {-128, 127}, uint64[1] u64 = {18446744073709551615},
        int64[1] i64 = {-9223372036854775808}, bool[2] b = {1, 0},
        float16[4] h = {1.5, 15360, -inf, 0.1}, bfloat16[3] bf = {1.0, 16256, 0.1},
        complex64[2] c = {1, 2, 3, 4}, string[3] s = {"a", "b\\"c\\\\", hex"00ff"},
        int4[3] i4 = {1, -2, 7}, int4[3] packed = {33, 15}, uint4[2] u4 = {15, 0},
        uint2[5] u2 = {3, 2, 1, 0, 3}, float6e2m3[4] f6 = {63, 0, 42, 21}, float scalar = {7},
        float[0,3] empty = {}
      >
      { y = Foo (f) }
      """
    ).graph
    func tensor(_ name: String) -> Tensor { graph[graph.value(named: name)!].constant! }
    #expect(tensor("f").floats[1] == -2.5)
    #expect(tensor("f").floats[5] == .leastNonzeroMagnitude)
    #expect(tensor("f").floats[7].sign == .minus)
    #expect(tensor("h").array(of: Float16.self) == [1.5, 1, -.infinity, 0.1])
    #expect(tensor("bf").floats == [1, 1, 0.100097656])
    #expect(tensor("s").strings?[2] == [0, 255])
    #expect(tensor("i4").withUnsafeBytes { Array($0) } == [0xE1, 0x07])
    #expect(tensor("packed").withUnsafeBytes { Array($0) } == [33, 15])
    #expect(tensor("u2").withUnsafeBytes { Array($0) } == [0b00_01_10_11, 3])
    #expect(tensor("f6").withUnsafeBytes { Array($0) } == [0x3F, 0xA0, 0x56])
    #expect(tensor("scalar").shape == [])
    #expect(tensor("empty").shape == [0, 3])
  }

  @Test func attributes() throws {
    let model = try roundTrip(
      """
      g (float x) => (y) {
        y = Foo <a = 1, b = -1.5, c = "s\\"t", d = [1, -2], e = [1.0, nan, -inf], f = ["a", ""],
          g: ints = [], h: floats = [], i: strings = [], j: float = 3, k: floats = [1, 2],
          l = float[2] {1.0, 2.0}, m: tensor = int64 t {5}, n: type_proto = seq(float[N]),
          o: type_protos = [float, int64[2]], p: tensors = [float[1] {1.0}, float[1] q {2.0}],
          q: tensors = [], r: graphs = [], s: sparse_tensors = [], t: type_protos = [],
          u: sparse_tensor = hex"0a00", v = hex"ff00", w = inf, "an attribute" = 1,
          x = float[1] "odd name" {1.0}, float = 2> (x)
      }
      """)
    let node = model.graph[Array(model.graph.nodes)[0]]
    guard case .float(3)? = node.attribute("j")?.value,
      case .float(-1.5)? = node.attribute("b")?.value,
      case .int(1)? = node.attribute("a")?.value, case .strings([])? = node.attribute("i")?.value,
      case .string([0xFF, 0])? = node.attribute("v")?.value,
      case .sparseTensor([10, 0])? = node.attribute("u")?.value,
      case .tensor(let tensor)? = node.attribute("m")?.value
    else {
      Issue.record("unexpected values in \(node.attributes)")
      return
    }
    #expect(tensor.name == "t")
    #expect(tensor.tensor.integers == [5])
  }

  @Test func nodes() throws {
    let graph = try roundTrip(
      """
      # comments # anywhere
      "main graph" (float[1] "in/0", float[1] b) => (float[1] "out.0")
      {
        [first] t, "", u = Split ("in/0")  # at the end of a line
        ["/a/b.1"] "float" = ai.onnx.ml.Foo:over (t, "", , b)
        = NoOutputs ("float",)
        v = Attributed (u) <after = 1>
        w = "odd-domain"."odd op":"odd overload" ()
        "out.0" = ai.onnx.Relu (v)
      }
      """
    ).graph
    let nodes = graph.nodes.map { graph[$0] }
    #expect(graph.name == "main graph")
    #expect(nodes[0].name == "first")
    #expect(nodes[0].outputs.map { $0 == nil } == [false, true, false])
    #expect(nodes[1].name == "/a/b.1")
    #expect(nodes[1].operation == OperationName("Foo", domain: "ai.onnx.ml", overload: "over"))
    #expect(nodes[1].inputs.map { $0 == nil } == [false, true, true, false])
    #expect(nodes[2].outputs.isEmpty)
    #expect(nodes[2].inputs.count == 1)
    #expect(nodes[3].attributes.count == 1)
    #expect(
      nodes[4].operation == OperationName("odd op", domain: "odd-domain", overload: "odd overload"))
    #expect(nodes[5].operation == OperationName("Relu"))
  }

  @Test func initializersAndInputs() throws {
    let graph = try roundTrip(
      """
      g (float[1] x, float[1] w = {1.0}, float[2] v, float[1] z) => (float[1] y)
      <float[2] v = {1.0, 2.0}, float[1] e =
        ["location" : "weights.bin", "offset" : "4"], float[1] t, float[1] absent = >
      {
        t = Add (x, w)
        u = Foo (t, v, z, e)
        y = Relu (u)
      }
      """
    ).graph
    #expect(graph.inputs.map { graph[$0].name } == ["x", "z"])
    #expect(graph.initializers.map { graph[$0].name } == ["w", "v", "e", "absent"])
    #expect(
      graph.initializers.map { graph[$0].isListedAsInput } == [true, true, false, false])
    #expect(graph[graph.value(named: "e")!].externalLocation == "weights.bin")
    #expect(graph[graph.value(named: "t")!].type == .tensor(.float32, [.fixed(1)]))
    #expect(graph[graph.value(named: "u")!].type == nil)
    #expect(graph[graph.value(named: "y")!].type == .tensor(.float32, [.fixed(1)]))
  }

  @Test func declaredTypesOfOutputs() throws {
    let graph = try roundTrip(
      "g (float[2] x) => (float[N] x, float[?] y) <float[2] y> { y = Relu (x) }"
    ).graph
    #expect(
      graph.outputs.map(\.declaredType) == [
        .tensor(.float32, [.symbol("N")]), .tensor(.float32, [.unknown]),
      ])
    #expect(graph[graph.outputs[1].value].type == .tensor(.float32, [.fixed(2)]))
  }

  @Test func functions() throws {
    let model = try roundTrip(
      """
      <ir_version: 10, opset_import: ["" : 21, "d" : 1]>
      g (float x) => (float y) { y = d.F (x) }
      <domain: "d", overload: "o", opset_import: ["" : 18], doc_string: "what it does">
      F <a, b: int = 3, c = [1.5], "odd name"> (float x, z) => (float[] y) <int64[2] t> {
        t = Foo <v: int = @a, w = @b, l: ints = @c> (x)
        y = Bar (t, z)
      }
      <domain: "d">
      "G G" () => (y) { y = Constant <value_int = 1> () }
      """)
    #expect(model.functions.map(\.name.type) == ["F", "G G"])
    #expect(model.functions[0].attributes == ["a", "odd name"])
    #expect(model.functions[0].attributeDefaults.map(\.name) == ["b", "c"])
    #expect(model.functions[0].body.opsetVersion(of: "") == 18)
    #expect(model.functions[0].annotations.docString == "what it does")
    #expect(model.functions[1].body.opsetVersion(of: "d") == 1)
  }
}
