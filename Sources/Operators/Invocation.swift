import PrunecGraphIR
import PrunecTensors

/// One use of an operator, as plain values: all that an operator gets to see.
package struct Invocation: Sendable {
  package let signature: Signature
  /// The version of the operator's domain that the graph imports.
  package let opset: Int
  package let attributes: [Attribute]
  /// What is known of the operands; `nil` for one left out.
  package var operands: [ValueFacts?] { didSet { resolvingOperator = nil } }
  /// What is known of the results, an entry for each; while types are being inferred, nothing is
  /// known of any.
  package var results: [ValueFacts] { didSet { resolvingOperator = nil } }
  package let location: Location
  /// The operator that has inferred the results from the very tensors, where one has.
  private var resolvingOperator: (any Operator.Type)?

  package init(
    signature: Signature, opset: Int, attributes: [Attribute], operands: [ValueFacts?],
    results: [ValueFacts], location: Location
  ) {
    self.signature = signature
    self.opset = opset
    self.attributes = attributes
    self.operands = operands
    self.results = results
    self.location = location
  }

  /// An error of the model at this node.
  package func malformed(_ message: String) -> CompileError {
    CompileError(.malformed, message, at: location)
  }

  /// A refusal of something that is valid but that prunec does not do.
  package func unsupported(_ message: String) -> CompileError {
    CompileError(.unsupported, message, at: location)
  }

  /// The invocation with the results that `inferring` infers from operands that are tensors, all at hand.
  package func resolved(by inferring: some Operator) throws(CompileError) -> Invocation {
    var call = self
    call.results = try inferring.inferFacts(self)
    call.resolvingOperator = type(of: inferring)
    return call
  }

  /// Whether the results are those that an operator of that type infers from tensors.
  func isResolved(by type: any Operator.Type) -> Bool { resolvingOperator == type }

  // MARK: Operands

  /// The facts of operand `index`, or `nil` if it is left out.
  package func operand(_ index: Int) -> ValueFacts? {
    index < operands.count ? operands[index] : nil
  }

  package func shape(_ index: Int) -> [Dimension]? { operand(index)?.shape }
  package func elementType(_ index: Int) -> ElementType? { operand(index)?.elementType }

  // MARK: Attributes

  private func value(_ name: String) -> Attribute.Value? {
    if let attribute = attributes.first(where: { $0.name == name }) { return attribute.value }
    guard let declared = signature.attributes[name] else {
      preconditionFailure("\(signature.operation) does not declare '\(name)'")
    }
    return declared
  }

  /// Whether the node itself gives the attribute.
  package func has(_ name: String) -> Bool { attributes.contains { $0.name == name } }

  /// An integer attribute or its default.
  package func int(_ name: String) -> Int? {
    if case .int(let value)? = value(name) { return Int(value) }
    return nil
  }

  /// A list of integers or its default.
  package func ints(_ name: String) -> [Int]? {
    if case .ints(let values)? = value(name) { return values.map(Int.init) }
    return nil
  }

  package func float(_ name: String) -> Float? {
    if case .float(let value)? = value(name) { return value }
    return nil
  }

  package func floats(_ name: String) -> [Float]? {
    if case .floats(let values)? = value(name) { return values }
    return nil
  }

  package func string(_ name: String) -> String? {
    if case .string(let bytes)? = value(name) { return String(decoding: bytes, as: UTF8.self) }
    return nil
  }

  package func tensor(_ name: String) -> Tensor? {
    if case .tensor(let value)? = value(name) { return value.tensor }
    return nil
  }

  /// `axis` counted from the front, for a tensor of `rank` axes; throws if there is no such axis.
  package func normalizedAxis(_ axis: Int, rank: Int) throws(CompileError) -> Int {
    let (shifted, overflow) = axis.addingReportingOverflow(axis < 0 ? rank : 0)
    guard !overflow, (0..<rank).contains(shifted) else {
      throw malformed("axis \(axis) is out of range for \(rank) axes")
    }
    return shifted
  }
}
