import PrunecGraphIR
import PrunecONNXText
import PrunecTensors
import Testing

@Suite struct OptionTests {
  private let text = """
    g (float[1,20] x) => (float[1,2] y)
    <
      float[20,2] w = {...},
      float[2] b = {1.0, -0.5},
      float16[2] h = {1.0, 0.1},
      int4[3] i = {-1, 2, 3},
      float[1,2] t
    >
    {
      t = MatMul (x, w)
      y = Foo <v = float[2] {1.0, 2.0}, m = int64[17] {...}> (t, b, h, i)
    }

    """

  @Test func readableTextIsStable() throws {
    let model = try parseModel(text)
    var options = PrintOptions.readable
    options.printHeader = false
    #expect(printModel(model, options: options) == text)
    #expect(printGraph(model.graph, options: options) == text)
    options.printHeader = true
    #expect(
      printModel(model, options: options) == """
        <
          ir_version: 10,
          opset_import: ["" : 21]
        >
        \(text)
        """)
  }

  @Test func typesCanBeLeftOut() throws {
    var options = PrintOptions.readable
    options.printTypes = false
    let printed = printGraph(try parseModel(text).graph, options: options)
    #expect(!printed.contains("float[1,2] t"))
    #expect(printed.contains("float[1,2] y"))
  }

  @Test func patterns() throws {
    let printed = printModel(try parseModel(text), options: .complete)
    #expect(printed.contains("float16[2] h = {15360, 11878}"))
    #expect(printed.contains("int4[3] i = {47, 3}"))
  }

  @Test func elidedDataDependsOnTheNameOnly() throws {
    func tensor(_ text: String, _ name: String) throws -> Tensor {
      let graph = try parseModel(text).graph
      return graph[graph.value(named: name)!].constant!
    }
    let weight = try tensor("g () => () <float[64] w = {...}> {}", "w")
    #expect(weight == seededTensor(.float32, shape: [64], name: "w"))
    #expect(weight == (try tensor("g () => () <int8[2] a = {...}, float[64] w = {...}> {}", "w")))
    #expect(weight != seededTensor(.float32, shape: [64], name: "v"))
    #expect(weight.floats.allSatisfy { $0 >= -0.5 && $0 < 0.5 })
    #expect(Set(weight.floats).count == 64)
    // SplitMix64 from the FNV-1a hash of "w", computed apart.
    #expect(Array(weight.floats.prefix(2)) == [0.3970543146133423, 0.2792128920555115])
    #expect(seededTensor(.int8, shape: [130], name: "w").integers[126...] == [126, 127, 0, 1])
    #expect(seededTensor(.bool, shape: [3], name: "w").integers == [0, 1, 0])
    #expect(seededTensor(.string, shape: [2], name: "w").strings == [[48], [49]])
    #expect(
      seededTensor(.float16, shape: [500], name: "w").floats.allSatisfy { $0 >= -0.5 && $0 < 0.5 })
  }

  @Test func nodeLines() throws {
    let source = try parseSource(
      """
      g (bool c, float x) => (y) {

        [first] a = Relu (x)
        y = If (c) <
          then_branch = t () => (float z) {
            z = Neg (a)
          }>
      }
      """)
    #expect(source.nodeLines.map(\.line) == [3, 4, 6])
    #expect(
      source.nodeLines.map(\.node) == [
        .node(name: "first", operation: "Relu"), .node(name: "y", operation: "If"),
        .node(name: "z", operation: "Neg"),
      ])
    #expect(!source.hasHeader)
  }
}
