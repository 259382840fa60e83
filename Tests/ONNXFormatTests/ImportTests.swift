import PrunecGraphIR
import PrunecTensors
import Testing

@testable import PrunecONNXFormat

@Suite struct ImportTests {
  private func graph(_ message: WireMessage) throws -> (Graph, [Diagnostic]) {
    let imported = try importModel(bytes: WireMessage.model(message).bytes)
    #expect(Verifier.violations(in: imported.model.graph).isEmpty)
    return (imported.model.graph, imported.warnings)
  }

  @Test func unsortedNodesAreSortedWithAWarning() throws {
    let (graph, warnings) = try graph(
      .graph([
        .node("Neg", ["b"], ["y"], name: "late"), .node("Abs", ["x"], ["c"], name: "other"),
        .node("Relu", ["x"], ["b"], name: "early"),
      ]))
    #expect(graph.nodes.map { graph[$0].name } == ["early", "late", "other"])
    #expect(warnings.map(\.location) == [.node(name: "late", operation: "Neg")])
  }

  @Test func subgraphsOfANodeShareItsCaptures() throws {
    func branch(_ nodes: [WireMessage], result: String) -> WireMessage {
      .graph(nodes, inputs: [], outputs: [.value(result)])
    }
    let inner = WireMessage.node("If", ["c"], ["s"])
      .block(5, graphAttribute("then_branch", branch([.node("Neg", ["r"], ["t"])], result: "t")))
    // The second branch has a value of its own under a name that the first one captures.
    let outer = WireMessage.node("If", ["c"], ["y"])
      .block(5, graphAttribute("then_branch", branch([inner], result: "s")))
      .block(5, graphAttribute("else_branch", branch([.node("Abs", ["x"], ["r"])], result: "r")))
    let (graph, _) = try graph(
      .graph([.node("Relu", ["x"], ["r"]), outer], inputs: [.value("x"), .value("c")]))

    let node = try #require(graph.nodes.first { graph[$0].operation.type == "If" })
    #expect(graph[node].captures.map { graph[$0].name } == ["c", "r", "x"])
    let branches = graph[node].attributes.flatMap(\.graphs)
    #expect(branches[0].captures.map { branches[0][$0].name } == ["c", "r", "x"])
    #expect(branches[1].captures.map { branches[1][$0].name } == ["c", "r_captured_1", "x"])
    let nested = try #require(branches[0].nodes.first { branches[0][$0].operation.type == "If" })
    #expect(branches[0][nested].captures.map { branches[0][$0].name } == ["r"])
    #expect(graph.isTaken(name: "t"), "names of nested graphs are reserved")
  }

  private func graphAttribute(_ name: String, _ graph: WireMessage) -> WireMessage {
    WireMessage().text(1, name).block(6, graph).integer(20, 5)
  }

  @Test func deepestNestingFitsTheStack() throws {
    var inner = WireMessage.graph([.node("Neg", ["x"], ["z"])], inputs: [], outputs: [.value("z")])
    // Each level is three messages deep: graph, node, attribute.
    for _ in 0..<30 {
      let node = WireMessage.node("If", ["c"], ["z"]).block(5, graphAttribute("then_branch", inner))
      inner = .graph([node], inputs: [], outputs: [.value("z")])
    }
    let node = WireMessage.node("If", ["c"], ["y"]).block(5, graphAttribute("then_branch", inner))
    let model = WireMessage.model(.graph([node], inputs: [.value("x"), .value("c")]))
    let imported = try importModel(bytes: model.bytes)
    let again = try importModel(bytes: serialize(imported.model))
    #expect(try serialize(again.model) == serialize(imported.model))
  }

  @Test func initializersListedAsInputsAreConstants() throws {
    let (graph, _) = try graph(
      .graph(
        [.node("Add", ["x", "w"], ["y"])], inputs: [.value("w"), .value("x")],
        initializers: [WireMessage.tensor("w", [2]).block(9, Array(repeating: 0, count: 8))]))
    #expect(graph.inputs.map { graph[$0].name } == ["x"])
    #expect(graph[graph.initializers[0]].isListedAsInput)
  }

  /// An extent of -1 says no more than none, but is written back as it was.
  @Test func openExtentsAreKeptAsTheyAreWritten() throws {
    let (graph, _) = try graph(.graph([.relu], inputs: [.value("x", [-1, 2])]))
    let type = try #require(graph[graph.inputs[0]].type)
    #expect(graph[graph.inputs[0]].tensorType?.shape == [.unknown, .fixed(2)])
    #expect(type.encoded != nil)
  }

  @Test func unimportedOperatorSetsAreWarnedOf() throws {
    let node = WireMessage.node("Thing", ["x"], ["y"]).text(7, "com.example")
    let (_, warnings) = try graph(.graph([node]))
    #expect(warnings.map(\.message) == ["operator set 'com.example' is not imported"])
  }

  @Test func typedDataIsReadByTheRulesOfItsType() throws {
    func tensor(_ type: Int, _ shape: [Int], _ field: UInt64, _ data: [UInt8]) throws -> [UInt8] {
      let message = WireMessage.tensor("w", shape, type: type).block(field, data)
      let (graph, _) = try graph(.graph([.relu], initializers: [message]))
      return try #require(graph[graph.initializers[0]].constant).withUnsafeBytes { Array($0) }
    }
    // int8 from int32_data, where -1 takes ten bytes.
    #expect(try tensor(3, [2], 5, Array(repeating: 0xFF, count: 9) + [1, 5]) == [0xFF, 5])
    // float16 as its pattern.
    #expect(try tensor(10, [1], 5, [0x80, 0x78]) == [0x00, 0x3C])
    // Two elements of four bits an entry, four of two bits.
    #expect(try tensor(22, [3], 5, [0x21, 0x03]) == [0x21, 0x03])
    #expect(try tensor(25, [5], 5, [0x1B, 0x02]) == [0x1B, 0x02])
    // One element of six bits an entry, packed four into three bytes.
    #expect(try tensor(27, [5], 5, [1, 2, 3, 4, 63]) == [0x81, 0x30, 0x10, 0x3F])
    // uint32 from uint64_data, complex64 from pairs of floats.
    #expect(try tensor(12, [1], 11, [0xAC, 0x02]) == [0x2C, 0x01, 0, 0])
    #expect(try tensor(14, [1], 4, [0, 0, 0x80, 0x3F, 0, 0, 0, 0x40]).count == 8)
    #expect(try tensor(9, [2], 5, [1, 0]) == [1, 0])
  }
}
