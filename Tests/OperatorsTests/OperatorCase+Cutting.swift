import PrunecGraphIR
import PrunecOperators
import PrunecTensors

extension OperatorCase {
  /// The node with the results that follow from its operands.
  private func withResults() throws -> Invocation {
    var call = call
    call.results = try infer()
    return call
  }

  /// The integers that operand `index`, attribute `name`, or nothing becomes when `kept` stays.
  func adaptedIntegers(_ kept: [AxisReference: [Int]]) throws -> [[Int]] {
    try implementation.adapt(withResults(), to: Cut(kept)).map {
      switch $0 {
      case .operand(_, let tensor): return tensor.integers
      case .attribute(let attribute):
        if case .ints(let values) = attribute.value { return values.map(Int.init) }
        return []
      case .removeAttribute, .elements: return []
      }
    }
  }

  /// Whether the node, cut and adapted, computes of cut operands what it computes now, cut.
  func commutes(withCut kept: [AxisReference: [Int]]) throws -> Bool {
    let before = try withResults()
    let whole = try implementation.evaluate(before, before.operands.map { $0?.constant })
    func cut(_ tensor: Tensor, _ reference: (Int) -> AxisReference) -> Tensor {
      var tensor = tensor
      for axis in tensor.shape.indices {
        if let indices = kept[reference(axis)] {
          tensor = tensor.keeping(indices, alongAxis: axis)
        }
      }
      return tensor
    }
    var operands = before.operands.enumerated().map { index, operand in
      operand?.constant.map { cut($0) { .operand(index, axis: $0) } }
    }
    var attributes = before.attributes
    for adaptation in try implementation.adapt(before, to: Cut(kept)) {
      switch adaptation {
      case .operand(let index, let tensor):
        while operands.count <= index { operands.append(nil) }
        operands[index] = tensor
      case .attribute(let attribute):
        attributes.removeAll { $0.name == attribute.name }
        attributes.append(attribute)
      case .removeAttribute(let name): attributes.removeAll { $0.name == name }
      case .elements: preconditionFailure("operands of a case are constants")
      }
    }
    let small = OperatorCase(
      call.signature.operation.type, domain: call.signature.operation.domain, opset: call.opset,
      operands.map { $0.map { ValueFacts(constant: $0) } }, results: call.results.count, attributes)
    let computed = try small.evaluate()
    return whole.indices.allSatisfy { index in
      computed[index] == cut(whole[index]) { .result(index, axis: $0) }
    }
  }

  /// The contents of result 0 as text, such as `n 3 ?`; `nil` where nothing is known.
  func contents() throws -> String? {
    try infer()[0].integers?.map {
      switch $0 {
      case .fixed(let number): "\(number)"
      case .symbol(let name): name
      case .unknown: "?"
      }
    }.joined(separator: " ")
  }

  /// Whether evaluation refuses the node instead of computing.
  func refusesToEvaluate() -> Bool { (try? evaluate()) == nil }
}

extension ValueFacts {
  /// An int64 vector that is known as far as `elements` says: `nil` for nothing, text for symbols.
  static func symbolic(_ elements: SymbolicInteger...) -> ValueFacts {
    ValueFacts(.int64, [.fixed(elements.count)], contents: .integers(elements))
  }

  /// An int64 vector of `length` elements of which nothing is known.
  static func computed(_ length: Int) -> ValueFacts { ValueFacts(.int64, [.fixed(length)]) }

  /// A constant int64 scalar.
  static func scalar(_ element: Int) -> ValueFacts {
    ValueFacts(constant: Tensor([element], shape: []))
  }

  /// A constant of truth values.
  static func truths(_ elements: [Int], _ shape: Int...) -> ValueFacts {
    ValueFacts(constant: Tensor(.bool, shape: shape, elements: elements.map { UInt8($0) }))
  }
}
