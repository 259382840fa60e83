import PrunecGraphIR
import PrunecOperators
import PrunecTensors

/// One use of an operator in a test: what a node would be.
struct OperatorCase {
  let implementation: any Operator
  var call: Invocation

  init(
    _ type: String, domain: String = "", opset: Int = 17, _ operands: [ValueFacts?],
    results: Int = 1, _ attributes: [Attribute] = []
  ) {
    implementation = OperatorRegistry.find(OperationName(type, domain: domain), opset: opset)!
    call = Invocation(
      signature: implementation.signature, opset: opset, attributes: attributes,
      operands: operands, results: [ValueFacts](repeating: .unknown, count: results),
      location: .node(name: "node", operation: type))
  }

  /// The facts of the results.
  func infer() throws -> [ValueFacts] { try implementation.inferFacts(call) }

  /// The shape of result `index`, as text: `2 n ? 3`, or `none` where the rank is unknown.
  func shape(_ index: Int = 0) throws -> String {
    try infer()[index].shape.map { shape in
      shape.map {
        switch $0.extent {
        case .fixed(let extent): "\(extent)"
        case .symbol(let name): name
        case .unknown: "?"
        }
      }.joined(separator: " ")
    } ?? "none"
  }

  /// The message with which inference refuses the node, or `nil` if it does not.
  func refusal() -> String? {
    do {
      _ = try implementation.inferFacts(call)
      return nil
    } catch { return error.diagnostics[0].message }
  }

  /// The node with the results that follow from its operands.
  private func inferred() throws -> Invocation {
    var inferred = call
    inferred.results = Array(try infer().prefix(call.results.count))
    return inferred
  }

  /// The relations as text, such as `X0.1 = Y0.1`: operand and result slots with an axis each.
  func relations() throws -> [String] {
    var relations = Relations()
    implementation.relate(try inferred(), &relations)
    return relations.list.map(describe)
  }

  /// The adaptations to a cut, as text.
  func adaptations(_ kept: [AxisReference: [Int]]) throws -> [String] {
    try implementation.adapt(inferred(), to: Cut(kept)).map {
      if case .attribute(let attribute) = $0 {
        switch attribute.value {
        case .int(let value): return "\(attribute.name)=\(value)"
        case .ints(let values): return "\(attribute.name)=\(values)"
        default: break
        }
      }
      if case .elements(let index, let numbers) = $0 {
        let pairs = numbers.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }
        return "X\(index)[\(pairs.joined(separator: ", "))]"
      }
      return "\($0)"
    }
  }

  func macs() throws -> Int { implementation.macs(try inferred()) }

  /// The results for the operands, which must all be constants.
  func evaluate() throws -> [Tensor] {
    try implementation.evaluate(call, call.operands.map { $0?.constant })
  }
}

private func describe(_ relation: Relation) -> String {
  switch relation {
  case .equal(let a, let b): "\(describe(a)) = \(describe(b))"
  case .section(let part, let whole, let start, let step):
    "\(describe(part)) = \(describe(whole)) from \(start) by \(step)"
  case .selection(let part, let whole, let indices):
    "\(describe(part)) = \(describe(whole)) at \(indices)"
  case .split(let whole, let factors):
    "\(describe(whole)) = \(factors.map(describe).joined(separator: " * "))"
  case .pinned(let axis, _): "pin \(describe(axis))"
  case .extents(let operand, let first): "extents of X\(operand) from \(first)"
  case .free(let axis): "free \(describe(axis))"
  case .sum(let axis): "sum \(describe(axis))"
  case .gathering(let axis, let fill, 1): "gather \(describe(axis)) but \(fill)"
  case .gathering(let axis, let fill, let blocks):
    "gather \(describe(axis)) in \(blocks) but \(fill)"
  case .coefficient(let axis, 0): "coefficient \(describe(axis))"
  case .coefficient(let axis, let zero): "coefficient \(describe(axis)) but \(zero)"
  }
}

private func describe(_ axis: AxisReference) -> String {
  switch axis.slot {
  case .operand(let index): "X\(index).\(axis.axis)"
  case .result(let index): "Y\(index).\(axis.axis)"
  case .virtual(let index): "V\(index)(\(axis.axis))"
  }
}

extension ValueFacts {
  /// A float32 value of `shape`, of which nothing else is known; a negative extent stands for `n`.
  static func float(_ shape: Int...) -> ValueFacts {
    ValueFacts(.float32, shape.map { $0 < 0 ? .symbol("n") : .fixed($0) })
  }

  /// A constant float32 tensor.
  static func constant(_ elements: [Float], _ shape: Int...) -> ValueFacts {
    ValueFacts(constant: Tensor(elements, shape: shape))
  }

  /// A constant float32 tensor of `1, 2, 3 ...`.
  static func counting(_ shape: Int...) -> ValueFacts {
    ValueFacts(constant: Tensor((0..<shape.elementCount).map { Float($0 + 1) }, shape: shape))
  }

  /// A constant int64 vector.
  static func integers(_ elements: Int...) -> ValueFacts {
    ValueFacts(constant: Tensor(elements))
  }
}

extension Attribute {
  init(_ name: String, _ value: Float) { self.init(name, .float(value)) }
}

/// Whether two lists of numbers agree to six digits or so.
func isClose(_ a: [Float], _ b: [Float]) -> Bool {
  a.count == b.count && zip(a, b).allSatisfy { abs($0 - $1) <= 1e-5 * max(1, abs($1)) || $0 == $1 }
}

/// Numbers that break arithmetic that does not watch out.
let hostileNumbers = [Int.min, Int.min + 1, -1 << 32, 1 << 32, 1 << 62, Int.max]
