import PrunecGraphIR
import PrunecOperators
import PrunecSemantics
import PrunecTensors

/// A plan taken apart for timing: no memory, and no weights but stand-ins.
///
/// The steps of one node, with those that it takes in, are one part: a copy into another order and the convolution that
/// reads it, the packing of a matrix and the product.
package struct PlanParts {
  package struct Part {
    /// The first node of the model that it computes.
    package let node: NodeID
    /// All nodes that it computes.
    package let nodes: [NodeID]
    /// All that its time depends on, but for the machine: kernels, operators with opset and attributes, and of every
    /// operand and result the type, the extents and the order of the axes in memory. How far apart the rows of a value
    /// lie that is a part of another is left out, but that it is one is not.
    package let signature: String
    /// The multiplications and additions, or the elements of the results where those are not known.
    package let effort: Int
    let steps: [Step]
  }

  package let parts: [Part]
  let buffers: [Buffer]
  let boxCount: Int
  let weights: WeightCache

  init(
    _ graph: Graph, threadCount: Int, _ numbers: StandInNumbers
  ) throws(CompileError) {
    let expanded = ExpandedGraph(graph)
    let graph = expanded.graph.withoutUnreachable(try GraphFacts(of: expanded.graph))
    let facts = try GraphFacts(of: graph)
    weights = WeightCache(graph, facts, standIns: numbers)
    let planner = try Planner(
      graph, facts, exactSums: expanded.exactSums, threadCount: threadCount, weights: weights)
    buffers = planner.buffers
    boxCount = planner.boxCount
    var order: [NodeID] = []
    var steps: [NodeID: [Step]] = [:]
    for step in planner.steps {
      let node = expanded.origin(of: step.nodes[0]).node
      if steps[node] == nil { order.append(node) }
      steps[node, default: []].append(step)
    }
    parts = order.map { node in
      let own = steps[node]!
      let nodes = own.flatMap(\.nodes).uniqued()
      return Part(
        node: node, nodes: nodes.map { expanded.origin(of: $0).node }.uniqued(),
        signature: Self.signature(own, nodes, planner),
        effort: Self.effort(nodes, graph, facts), steps: own)
    }
  }

  private static func effort(_ nodes: [NodeID], _ graph: Graph, _ facts: GraphFacts) -> Int {
    nodes.reduce(1) { sum, node in
      let macs = facts.invocation(of: node).map { found, call in found.macs(call) } ?? 0
      let elements = graph[node].outputs.compactMap { $0 }.reduce(0) {
        $0 &+ (facts[$1].fixedShape?.checkedElementCount ?? 0)
      }
      return sum &+ (macs > 0 ? macs : elements)
    }
  }

  // MARK: Signatures

  private static func signature(
    _ steps: [Step], _ nodes: [NodeID], _ planner: Planner
  ) -> String {
    var words = [steps.map(\.kernel).joined(separator: "+")]
    for id in nodes {
      let node = planner.graph[id]
      var text = "\(node.operation)"
      if case .understood(_, let opset) = planner.facts.resolution(of: id) { text += "-\(opset)" }
      let attributes = node.attributes.sorted { $0.name < $1.name }.compactMap(description)
      if !attributes.isEmpty { text += "{\(attributes.joined(separator: ","))}" }
      let operands = node.inputs.map { $0.map { description($0, planner) } ?? "-" }
      let results = node.outputs.compactMap { $0.map { description($0, planner) } }
      text += "(\(operands.joined(separator: ",")))>\(results.joined(separator: ","))"
      words.append(text)
    }
    return words.joined(separator: " ")
  }

  /// Numbers and texts; what is larger says nothing about the time that shapes do not.
  private static func description(_ attribute: Attribute) -> String? {
    let value: String
    switch attribute.value {
    case .int(let number): value = "\(number)"
    case .float(let number): value = "\(number)"
    case .ints(let numbers): value = numbers.map(String.init).joined(separator: ".")
    case .string(let text): value = String(decoding: text, as: UTF8.self)
    default: return nil
    }
    let text = "\(attribute.name)=\(value)"
    return String(text.map { $0.isWhitespace ? "_" : $0 })
  }

  private static func description(_ value: ValueID, _ planner: Planner) -> String {
    let known = planner.facts[value]
    let extents = known.fixedShape.map { $0.map(String.init).joined(separator: ".") } ?? "?"
    var text = "\(known.elementType?.name ?? "?")[\(extents)]"
    if planner.isKnown(value) { return text + "c" }
    guard case .view(let view)? = planner.places[value] else { return text }
    let order = view.order
    if order != Array(view.shape.indices) {
      text += "@" + order.map(String.init).joined(separator: ".")
    }
    return view.isDense(inOrder: order) ? text : text + "~"
  }
}
