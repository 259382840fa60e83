import PrunecGraphIR
import PrunecOperators
import PrunecTensors

extension ControlFlow {
  /// A graph of a node, with what is known of its values.
  package struct Body: Sendable {
    package let graph: Graph
    package let facts: GraphFacts
    /// Number of times that the node runs the graph, where that is known; once for a branch of an If, and never for one that
    /// the operands do not fit.
    package let runs: Int?
  }

  /// Facts of a node's results, and of its graphs.
  struct Inference {
    var results: [ValueFacts] = []
    var bodies: [Body] = []
  }

  /// Nodes within nodes that are looked into.
  static let depthLimit = 8
  /// Times that a loop's graph is looked at until the types of what it carries hold.
  private static let roundLimit = 3

  /// Infers the results from the operands and from the values that the graphs capture.
  ///
  /// A graph that breaks a rule of its operators for these operands may never be run; then its outputs are what it
  /// declares. Where every branch breaks one, so does the node, and the error of the first is thrown.
  func infer(
    _ operands: [ValueFacts?], captures: [ValueFacts], depth: Int
  ) throws(CompileError) -> Inference {
    switch kind {
    case .conditional(let then, let otherwise):
      return try branches(then, otherwise, operands.first ?? nil, captures, depth)
    case .loop(let body): return iterations(body, operands, captures, depth)
    case .scan(let scan): return slices(scan, operands, captures, depth)
    }
  }

  /// The branch that is taken whatever the inputs; `nil` where that is not known, and for other nodes.
  package func branch(condition: ValueFacts?) -> Graph? {
    guard case .conditional(let then, let otherwise) = kind,
      let known = condition?.knownTensor, known.count == 1, known.elementType == .bool
    else { return nil }
    return known.integers[0] != 0 ? then : otherwise
  }

  private func branches(
    _ then: Graph, _ otherwise: Graph, _ condition: ValueFacts?, _ captures: [ValueFacts],
    _ depth: Int
  ) throws(CompileError) -> Inference {
    let graphs = branch(condition: condition).map { [$0] } ?? [then, otherwise]
    var inference = Inference()
    var outputs: [[ValueFacts]] = []
    var failures: [CompileError] = []
    for graph in graphs {
      var facts: GraphFacts?
      do throws(CompileError) {
        let found = try GraphFacts(of: graph, inputs: [], captures: captures, depth: depth + 1)
        inference.bodies.append(Body(graph: graph, facts: found, runs: 1))
        facts = found
      } catch {
        failures.append(error)
        // It is never run, but what it holds is a part of the model.
        let found = try? GraphFacts(
          of: graph, inputs: [], captures: captures.map { _ in .unknown }, depth: depth + 1)
        if let found { inference.bodies.append(Body(graph: graph, facts: found, runs: 0)) }
      }
      outputs.append(Self.outputs(of: graph, facts))
    }
    if let first = failures.first, failures.count == graphs.count { throw first }
    inference.results = outputs.dropFirst().reduce(outputs[0]) { sum, other in
      zip(sum, other).map { $0.common(with: $1) }
    }
    return inference
  }

  private func iterations(
    _ body: Graph, _ operands: [ValueFacts?], _ captures: [ValueFacts], _ depth: Int
  ) -> Inference {
    let initial = operands.dropFirst(2).map { ValueFacts($0?.type) }
    let counters = [ValueFacts(.int64, []), ValueFacts(.bool, [])]
    guard body.inputs.count == initial.count + 2, body.outputs.count > initial.count else {
      return Inference()
    }
    let count = operands.first.flatMap { $0?.knownTensor }.flatMap { $0.count == 1 ? $0 : nil }
    var (inference, carried) = (Inference(), initial)
    for _ in 0..<Self.roundLimit {
      let facts = try? GraphFacts(
        of: body, inputs: counters + carried, captures: captures, depth: depth + 1)
      let outputs = Self.outputs(of: body, facts).dropFirst()
      inference.bodies =
        facts.map { [Body(graph: body, facts: $0, runs: count?.integers[0])] } ?? []
      // After no iteration they are what they were.
      let merged = zip(carried, outputs).map { $0.common(with: $1) }
      let stacked = outputs.dropFirst(initial.count).map { Self.stacked($0, .unknown, axis: 0) }
      inference.results = merged + stacked
      if zip(merged, carried).allSatisfy({ $0.type == $1.type }) { return inference }
      carried = merged
    }
    // The types change with every iteration.
    return Inference()
  }

  private func slices(
    _ scan: Scan, _ operands: [ValueFacts?], _ captures: [ValueFacts], _ depth: Int
  ) -> Inference {
    func entry(_ list: [Int], _ index: Int) -> Int { index < list.count ? list[index] : 0 }
    let carried = operands.dropLast(scan.scannedCount).map { ValueFacts($0?.type) }
    var length = Dimension.unknown
    var inputs = carried
    for (index, operand) in operands.suffix(scan.scannedCount).enumerated() {
      guard var shape = operand?.shape,
        let axis = try? position(entry(scan.inputAxes, index), rank: shape.count)
      else {
        inputs.append(ValueFacts(operand?.elementType, nil))
        continue
      }
      if shape[axis].fixedExtent != nil { length = shape[axis] }
      shape.remove(at: axis)
      inputs.append(ValueFacts(operand?.elementType, shape))
    }
    let body = scan.body
    guard body.inputs.count == inputs.count, body.outputs.count >= carried.count else {
      return Inference()
    }
    let facts = try? GraphFacts(of: body, inputs: inputs, captures: captures, depth: depth + 1)
    let outputs = Self.outputs(of: body, facts)
    var inference = Inference()
    inference.bodies =
      facts.map { [Body(graph: body, facts: $0, runs: length.fixedExtent)] } ?? []
    inference.results = zip(carried, outputs).map { $0.common(with: $1) }
    for (index, output) in outputs.dropFirst(carried.count).enumerated() {
      inference.results.append(
        Self.stacked(output, length, axis: entry(scan.outputAxes, index)))
    }
    return inference
  }

  /// The outputs of a graph: as inferred, or as declared.
  private static func outputs(of graph: Graph, _ facts: GraphFacts?) -> [ValueFacts] {
    graph.outputs.map { output in
      guard let facts, facts[output.value].type != nil else {
        return ValueFacts((output.declaredType ?? graph[output.value].type)?.tensorType)
      }
      return ValueFacts(facts[output.value].type)
    }
  }

  /// Slices along a new axis of `length`.
  private static func stacked(
    _ slice: ValueFacts, _ length: Dimension, axis: Int
  ) -> ValueFacts {
    guard var shape = slice.shape else { return ValueFacts(slice.elementType, nil) }
    let position = axis < 0 ? axis + shape.count + 1 : axis
    guard (0...shape.count).contains(position) else { return ValueFacts(slice.elementType, nil) }
    shape.insert(length, at: position)
    return ValueFacts(slice.elementType, shape)
  }
}
