import PrunecGraphIR
import PrunecTensors

/// A node that runs graphs of its own: If, Loop and Scan of the standard operator set.
///
/// These are no operators: an operator sees plain values, and what such a node computes is up to its
/// graphs. They can be evaluated; for the coupling they are nodes that are not understood, and what crosses
/// their border is pinned.
package struct ControlFlow: Sendable {
  enum Kind: Sendable {
    case conditional(then: Graph, otherwise: Graph)
    case loop(body: Graph)
    case scan(Scan)
  }

  let kind: Kind
  let resultCount: Int
  let location: Location

  /// `nil` for any other node, and for what is not understood of these.
  package init?(_ id: NodeID, in graph: Graph) {
    let node = graph[id]
    func body(_ name: String) -> Graph? {
      guard case .graph(let body)? = node.attribute(name)?.value else { return nil }
      return body
    }
    guard node.operation.domain.isEmpty, node.operation.overload.isEmpty,
      let opset = graph.opsetVersion(of: "")
    else { return nil }
    switch node.operation.type {
    case "If":
      guard let then = body("then_branch"), let otherwise = body("else_branch") else { return nil }
      kind = .conditional(then: then, otherwise: otherwise)
    case "Loop":
      guard let body = body("body") else { return nil }
      kind = .loop(body: body)
    case "Scan":
      // Opset 8 scans batches of sequences of different lengths.
      guard opset >= 9, let body = body("body"), let scan = Scan(node, body) else { return nil }
      kind = .scan(scan)
    default: return nil
    }
    resultCount = node.outputs.count
    location = graph.location(of: id)
  }

  /// The graphs that the node runs: of an If the branch of a true condition first.
  package var graphs: [Graph] {
    switch kind {
    case .conditional(let then, let otherwise): [then, otherwise]
    case .loop(let body): [body]
    case .scan(let scan): [scan.body]
    }
  }

  /// The operand that an input of the body of a loop is in every iteration, because the body hands it on as it is; `nil`
  /// for any other input.
  package func invariantOperand(ofInput input: Int) -> Int? {
    let (body, carried, output): (Graph, Range<Int>, Int)
    switch kind {
    case .conditional: return nil
    case .loop(let graph):
      // Inputs are the number of the iteration, the condition and the carried values; outputs the condition and the
      // carried values.
      (body, carried, output) = (graph, 2..<max(2, graph.inputs.count), input - 1)
    case .scan(let scan):
      let count = scan.body.inputs.count - scan.scannedCount
      (body, carried, output) = (scan.body, 0..<max(0, count), input)
    }
    guard carried.contains(input), body.outputs.indices.contains(output),
      body.outputs[output].value == body.inputs[input]
    else { return nil }
    return input
  }

  /// Runs the graph at an index of `graphs` once, on tensors for its inputs.
  package typealias Runner = (
    _ index: Int, _ inputs: [Tensor], inout EvaluationEffort
  ) throws(CompileError) -> [Tensor]

  /// The results for constant operands and captured values; an unsupported error where that takes more
  /// than about `effort` multiply-accumulate operations.
  package func evaluate(
    _ operands: [Tensor?], captures: [Tensor], effort: Int
  ) throws(CompileError) -> [Tensor] {
    var effort = EvaluationEffort(limit: effort)
    return try evaluate(operands, captures: captures, &effort)
  }

  /// The results for operands and captured values, by the operators' own `evaluate`.
  func evaluate(
    _ operands: [Tensor?], captures: [Tensor], _ effort: inout EvaluationEffort
  ) throws(CompileError) -> [Tensor] {
    let graphs = graphs
    return try evaluate(operands, &effort) { (index, inputs, effort) throws(CompileError) in
      try ReferenceEvaluator(body: graphs[index]).run(inputs, captures, &effort)
    }
  }

  /// The results for operands, where `runner` runs the graphs.
  ///
  /// Throws a malformed-model error where the operands or what a graph makes do not fit the node, an unsupported error
  /// where the iterations take too much effort, and what `runner` throws.
  package func evaluate(
    _ operands: [Tensor?], _ effort: inout EvaluationEffort, runner: Runner
  ) throws(CompileError) -> [Tensor] {
    /// Runs a graph that the operands fit.
    func run(
      _ index: Int, _ inputs: [Tensor], _ effort: inout EvaluationEffort
    ) throws(CompileError) -> [Tensor] {
      let count = graphs[index].inputs.count
      guard inputs.count == count else {
        throw malformed("its graph takes \(count) inputs, not \(inputs.count)")
      }
      try effort.spend(EvaluationEffort.step, at: location)
      return try runner(index, inputs, &effort)
    }
    let results: [Tensor]
    switch kind {
    case .conditional: results = try run(try truth(operands.first ?? nil) ? 0 : 1, [], &effort)
    case .loop(let body): results = try loop(body, operands, &effort, runner: run)
    case .scan(let scan): results = try self.scan(scan, operands, &effort, runner: run)
    }
    guard results.count >= resultCount else {
      throw malformed("its graph makes \(results.count) of \(resultCount) results")
    }
    return results
  }

  // MARK: Bodies

  func malformed(_ message: String) -> CompileError {
    CompileError(.malformed, message, at: location)
  }

  func truth(_ tensor: Tensor?) throws(CompileError) -> Bool {
    guard let tensor, tensor.elementType == .bool, tensor.count == 1 else {
      throw malformed("the condition is no single truth value")
    }
    return tensor.integers[0] != 0
  }

  /// The slices that an output of `body` had in each iteration, put together along a new axis of the
  /// result (counted from the end where it is negative).
  func stacked(
    _ slices: [Tensor], ofOutput index: Int, _ body: Graph, axis: Int = 0
  ) throws(CompileError) -> Tensor {
    guard let first = slices.first else { return try empty(ofOutput: index, body, axis: axis) }
    let axis = try position(axis, rank: first.rank + 1)
    guard
      slices.allSatisfy({ $0.shape == first.shape && $0.elementType == first.elementType })
    else { throw malformed("iterations make slices of different types") }
    var shape = first.shape
    shape.insert(1, at: axis)
    return Tensor.concatenated(slices.map { $0.contiguous.reshaped(shape) }, alongAxis: axis)
  }

  /// What no iteration makes: a tensor without elements, of the declared extents.
  private func empty(
    ofOutput index: Int, _ body: Graph, axis: Int
  ) throws(CompileError) -> Tensor {
    let output = body.outputs[index]
    guard let type = output.declaredType?.tensorType ?? body[output.value].tensorType,
      let elementType = type.elementType, let declared = type.shape
    else {
      throw CompileError(.unsupported, "runs no iteration, and declares no types", at: location)
    }
    var shape = declared.map { max(0, $0.fixedExtent ?? 0) }
    shape.insert(0, at: try position(axis, rank: shape.count + 1))
    return elementType == .string
      ? Tensor(strings: [], shape: shape) : Tensor(zeros: elementType, shape: shape)
  }

  func position(_ axis: Int, rank: Int) throws(CompileError) -> Int {
    let position = axis < 0 ? axis &+ rank : axis
    guard (0..<rank).contains(position) else {
      throw malformed("axis \(axis) is out of range for \(rank) axes")
    }
    return position
  }
}
