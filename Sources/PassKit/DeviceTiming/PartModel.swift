import PrunecGraphIR
import PrunecONNXFormat
import PrunecOperators
import PrunecSemantics
import PrunecTensors

/// A part of a graph as a model of its own, to be timed.
///
/// Inputs have fixed shapes. Names, and the numbers of single-precision weights, are the same whatever the model that the part comes
/// from: what takes equally long is equal.
struct PartModel {
  /// The bytes of a file.
  let bytes: [UInt8]
  /// A hash of them.
  let digest: String

  /// Constants of no more elements are kept as they are: they may be limits, scales or shapes.
  private static let smallCount = 16
  /// Positive, as variances are, and so small that sums of them stay in range.
  private static let weights: [Float] = (0..<251).map { 0.005 + Float($0) / 8192 }

  /// The model of `nodes`, which are in order of execution; `nil` where not all types and shapes are known.
  ///
  /// Throws what the export throws.
  init?(_ nodes: [NodeID], of graph: Graph, _ facts: GraphFacts) throws(CompileError) {
    let section = GraphSection(
      of: graph, facts, nodes: nodes, outputs: ModelParts.outputs(of: nodes, in: graph))
    guard let part = Self.plain(section, facts) else { return nil }
    try self.init(part)
  }

  /// The model that copies one number: what it takes, every call takes.
  static func nothing() throws(CompileError) -> PartModel {
    var graph = Graph(name: "part", opsetImports: [OpsetImport("", 13)])
    let type = ValueType(.tensor(TensorType(.float32, fixed: [1])))
    let input = graph.addInput(name: "input0", type: type)
    let node = graph.insert(
      OperationName("Relu"), name: "node0", inputs: [input], outputs: [("value0_0", type)],
      at: .atEnd)
    graph.addOutput(name: "output0", graph[node].outputs[0]!, declaredType: type)
    return try PartModel(graph)
  }

  private init(_ part: Graph) throws(CompileError) {
    bytes = try serialize(Model(irVersion: part.irVersion, graph: part))
    var fingerprint = Fingerprint()
    bytes.withUnsafeBytes { fingerprint.add($0) }
    digest = "part-" + String(fingerprint.value, radix: 16)
  }

  /// The section with plain names, known types and stand-ins for its weights.
  private static func plain(_ section: GraphSection, _ facts: GraphFacts) -> Graph? {
    let source = section.graph
    let domains = Set(source.nodes.map { source[$0].operation.domain })
    var part = Graph(
      name: "part", opsetImports: source.opsetImports.filter { domains.contains($0.domain) })
    var values: [ValueID: ValueID] = [:]
    func type(_ value: ValueID) -> ValueType? {
      guard let elementType = facts[value].elementType, let shape = facts[value].fixedShape else {
        return nil
      }
      return ValueType(.tensor(TensorType(elementType, fixed: shape)))
    }
    for (index, (old, origin)) in zip(source.inputs, section.inputs).enumerated() {
      guard let type = type(origin) else { return nil }
      values[old] = part.addInput(name: "input\(index)", type: type)
    }
    for (index, id) in source.initializers.enumerated() {
      guard let tensor = source[id].constant else { return nil }
      values[id] = part.addInitializer(name: "constant\(index)", standIn(for: tensor))
    }
    for (index, id) in source.nodes.enumerated() {
      let node = source[id]
      let inserted = part.insert(
        node.operation, name: "node\(index)", inputs: node.inputs.map { $0.map { values[$0]! } },
        captures: node.captures.map { values[$0]! },
        outputs: node.outputs.enumerated().map { place, value in
          value.map { _ in ("value\(index)_\(place)", nil) }
        },
        attributes: node.attributes, at: .atEnd)
      for (old, new) in zip(node.outputs, part[inserted].outputs) {
        if let old, let new { values[old] = new }
      }
    }
    for (index, (output, origin)) in zip(source.outputs, section.outputs).enumerated() {
      guard let type = type(origin), let value = values[output.value] else { return nil }
      part.addOutput(name: "output\(index)", value, declaredType: type)
    }
    return part
  }

  private static func standIn(for tensor: Tensor) -> Tensor {
    guard tensor.elementType == .float32, tensor.count > smallCount else { return tensor }
    return Tensor(
      (0..<tensor.count).map { weights[$0 % weights.count] }, shape: tensor.shape)
  }
}

extension Graph {
  /// The version of ONNX's format that came with the graph's standard operators, and none that runtimes of the last years do not read.
  var irVersion: Int {
    switch opsetVersion(of: "") ?? 1 {
    case ...18: 8
    case ...20: 9
    case ...22: 10
    default: 11
    }
  }
}
