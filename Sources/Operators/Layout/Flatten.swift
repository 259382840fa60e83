import PrunecGraphIR
import PrunecTensors

/// Flatten (ONNX opset 7 to 28): a matrix `[d0 * ... * d(axis-1), d(axis) * ... * dn]` of the
/// elements of `[d0 ... dn]` in order.
///
/// Channels: each axis of the result is the row-major product of the axes that it merges.
struct Flatten: Operator {
  let signature = Signature("Flatten", operands: 1...1, attributes: ["axis": .int(1)])

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    let type = call.elementType(0)
    guard let input = call.shape(0) else { return [ValueFacts(type, [.unknown, .unknown])] }
    let axis = try self.axis(call, rank: input.count)
    let shape = [merged(input[..<axis]), merged(input[axis...])]
    return [ValueFacts(type, shape, contents: call.operand(0)!.contents(under: shape))]
  }

  /// The first axis that goes into the columns; it may be one past the last.
  private func axis(_ call: Invocation, rank: Int) throws(CompileError) -> Int {
    let axis = try call.requiredInt("axis")
    guard axis >= -rank, axis <= rank else {
      throw call.malformed("axis \(axis) is out of range for \(rank) axes")
    }
    return axis < 0 ? axis + rank : axis
  }

  private func merged(_ dimensions: ArraySlice<Dimension>) -> Dimension {
    var product = ExtentProduct()
    for dimension in dimensions { product.multiply(by: dimension.extent) }
    if product.isNumber { return product.number.map { .fixed($0) } ?? .unknown }
    if product.number == 1, let symbol = product.onlySymbol { return .symbol(symbol) }
    return .unknown
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    guard let input = call.shape(0), let output = call.results.first?.shape else { return }
    AxisFactoring(operand: input, result: output).relate(&relations)
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    let resolved = try resolve(call, on: operands)
    return [try call.tensor(0, of: operands).reshaped(resolved.results[0].fixedShape!)]
  }

  func macs(_ call: Invocation) -> Int { 0 }
}

extension Flatten: KernelOperator {
  func computation(_ call: Invocation) throws(CompileError) -> Computation? {
    .reshape(call)
  }
}
