extension Invocation {
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
}

extension Set<ElementType> {
  /// The integer types that arithmetic operators take beside the floating point types.
  static let wideIntegers: Set = [.int32, .int64, .uint32, .uint64]
}

extension Operator {
  /// The invocation with the operands themselves for facts, and the results that follow: whatever
  /// inference demands has been checked against the very tensors, and every extent is a number.
  func resolve(_ call: Invocation, on operands: [Tensor?]) throws(CompileError) -> Invocation {
    for operand in operands {
      guard operand?.hasData ?? true else {
        throw CompileError(.unsupported, "the data of an operand is not at hand", at: call.location)
      }
    }
    var resolved = Invocation(
      signature: call.signature, opset: call.opset, attributes: call.attributes,
      operands: operands.map { $0.map { ValueFacts(constant: $0) } },
      results: call.results.map { _ in .unknown }, location: call.location)
    resolved.results = try inferFacts(resolved)
    for result in resolved.results {
      // A few numbers of a small file can ask for any amount of memory.
      guard let count = result.fixedShape?.checkedElementCount, count <= 1 << 29 else {
        throw call.unsupported("a result is too large to compute, or of no fixed shape")
      }
    }
    return resolved
  }
}
