import PrunecGraphIR
import PrunecTensors

extension Invocation {
  /// Whether the rank of every operand is known, and none is left out that is required. Where one is
  /// not, nothing may be said of the axes of the others: they would be cut, and it would not.
  var hasAllRanks: Bool {
    operands.count >= signature.operands.lowerBound
      && operands.enumerated().allSatisfy { index, operand in
        operand.map { $0.shape != nil } ?? (index >= signature.operands.lowerBound)
      }
  }

  /// Of the facts of all results that the operator has, those of the results that the node has.
  func forResults(_ facts: [ValueFacts]) -> [ValueFacts] {
    Array(facts.prefix(max(1, results.count)))
  }

  /// An integer attribute that the node must have unless the signature gives a default; throws
  /// where it is missing or of another kind.
  func requiredInt(_ name: String) throws(CompileError) -> Int {
    guard let value = int(name) else { throw malformed("'\(name)' must be an integer") }
    return value
  }

  /// A floating point attribute, under the same condition.
  func requiredFloat(_ name: String) throws(CompileError) -> Float {
    guard let value = float(name) else { throw malformed("'\(name)' must be a float") }
    return value
  }

  /// A list of integers, `nil` where the node leaves it out; throws where it is of another kind.
  func optionalInts(_ name: String) throws(CompileError) -> [Int]? {
    let values = ints(name)
    guard values != nil || !has(name) else {
      throw malformed("'\(name)' must be a list of integers")
    }
    return values
  }

  /// Throws where operand `index` is known to be of another type than the floating point types that
  /// arithmetic is defined on, or what else is `permitted`.
  func requireFloatingPoint(
    _ indices: Int..., or permitted: Set<ElementType> = []
  ) throws(CompileError) {
    for index in indices {
      guard let type = elementType(index) else { continue }
      guard type.isFloatingPoint || permitted.contains(type) else {
        throw malformed("operand \(index) is of type \(type.name)")
      }
    }
  }

  /// Throws where operand `index` is known not to be a vector of `count` elements.
  func requireVector(_ index: Int, of count: Int?) throws(CompileError) {
    guard let shape = shape(index) else { return }
    guard shape.count == 1 else { throw malformed("operand \(index) has \(shape.count) axes") }
    guard let extent = shape[0].fixedExtent, let count, extent != count else { return }
    throw malformed("operand \(index) has \(extent) elements instead of \(count)")
  }

  /// Throws where the element types of operands `indices`, as far as they are known, differ.
  func requireSameType(_ indices: Int...) throws(CompileError) {
    let known = indices.compactMap { elementType($0) }
    guard let first = known.first, let other = known.first(where: { $0 != first }) else { return }
    throw malformed("operands are of types \(first.name) and \(other.name)")
  }
}

extension Set<ElementType> {
  /// The integer types that arithmetic operators take beside the floating point types.
  static let wideIntegers: Set = [.int32, .int64, .uint32, .uint64]
}

extension Operator {
  /// The invocation with the operands themselves for facts, and the results that follow: whatever
  /// inference demands has been checked against the very tensors, and every extent is a number.
  ///
  /// A result of more than `elementLimit` elements, and more than any operand has, is refused.
  func resolve(
    _ call: Invocation, on operands: [Tensor?], elementLimit: Int = 1 << 25
  ) throws(CompileError) -> Invocation {
    let required = signature.operands.lowerBound
    guard operands.count >= required, operands.prefix(required).allSatisfy({ $0 != nil }) else {
      throw call.malformed("a required operand is left out")
    }
    for operand in operands {
      guard operand?.hasData ?? true else {
        throw CompileError(.unsupported, "the data of an operand is not at hand", at: call.location)
      }
    }
    var resolved = call
    if !call.isResolved(by: Self.self) || call.operands.count != operands.count {
      resolved.operands = operands.map { $0.map { ValueFacts(constant: $0) } }
      resolved.results = call.results.map { _ in .unknown }
      resolved = try resolved.resolved(by: self)
    }
    // A few numbers of a small file can ask for any amount of memory: what is no larger than the data
    // at hand is fine, anything else within reason.
    let largest = operands.reduce(0) { max($0, $1?.count ?? 0) }
    for shape in operands.compactMap(\.?.shape) + resolved.results.map(\.fixedShape) {
      // An extent of zero makes loops over the others pointless, not harmless.
      let limit =
        shape?.contains(0) ?? false ? 1 << 20 : min(max(largest + 1, elementLimit), 1 << 29)
      let count = shape?.map { $0 == 0 ? 1 : $0 }.checkedElementCount
      guard let count, count < limit else {
        throw CompileError(
          .unsupported, "a tensor is too large to compute, or of no fixed shape", at: call.location)
      }
    }
    return resolved
  }
}
