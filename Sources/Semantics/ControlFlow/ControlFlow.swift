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

  /// The results for constant operands and captured values; an unsupported error where that takes more
  /// than about `effort` multiply-accumulate operations.
  package func evaluate(
    _ operands: [Tensor?], captures: [Tensor], effort: Int
  ) throws(CompileError) -> [Tensor] {
    var effort = EvaluationEffort(limit: effort)
    return try evaluate(operands, captures, &effort)
  }

  func evaluate(
    _ operands: [Tensor?], _ captures: [Tensor], _ effort: inout EvaluationEffort
  ) throws(CompileError) -> [Tensor] {
    let results: [Tensor]
    switch kind {
    case .conditional(let then, let otherwise):
      let branch = try truth(operands.first ?? nil) ? then : otherwise
      results = try run(branch, [], captures, &effort)
    case .loop(let body): results = try loop(body, operands, captures, &effort)
    case .scan(let scan): results = try self.scan(scan, operands, captures, &effort)
    }
    guard results.count >= resultCount else {
      throw malformed("its graph makes \(results.count) of \(resultCount) results")
    }
    return results
  }

  // MARK: Bodies

  /// Runs a body once.
  func run(
    _ body: Graph, _ inputs: [Tensor], _ captures: [Tensor], _ effort: inout EvaluationEffort
  ) throws(CompileError) -> [Tensor] {
    guard inputs.count == body.inputs.count else {
      throw malformed("its graph takes \(body.inputs.count) inputs, not \(inputs.count)")
    }
    try effort.spend(EvaluationEffort.step, at: location)
    return try ReferenceEvaluator(body: body).run(inputs, captures, &effort)
  }

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
