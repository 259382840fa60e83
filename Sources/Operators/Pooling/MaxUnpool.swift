import PrunecGraphIR
import PrunecTensors

/// MaxUnpool (ONNX opset 9 to 28): `Y [N, C, E1 ... En]` of zeros, with the elements of
/// `X [N, C, D1 ... Dn]` where `I`, of X's shape, says: offsets in the whole of Y, such as MaxPool gives.
/// The extents are those that a pooling by kernel, strides and pads would take to X's, or those of the
/// operand `output_shape`, which may be larger. Then, too, the offsets are those in Y: MaxPool's are in
/// what it pooled, which is what that operand is for, and onnxruntime reads them so. onnx's reference
/// takes them for offsets in the smaller extents.
///
/// Channels: the offsets count over all channels, so that nothing may be cut.
struct MaxUnpool: Operator {
  let signature = Signature(
    "MaxUnpool", opsets: 9...28, operands: 2...3,
    attributes: ["kernel_shape": nil, "pads": nil, "strides": nil])

  /// The extents that the attributes give.
  private func unpooled(
    _ call: Invocation, _ input: [Dimension]
  ) throws(CompileError) -> [Dimension] {
    guard let kernel = try call.optionalInts("kernel_shape") else {
      throw call.malformed("'kernel_shape' is missing")
    }
    let rank = input.count - 2
    guard rank >= 1 else { throw call.malformed("X has \(input.count) axes") }
    let strides = try call.optionalInts("strides") ?? [Int](repeating: 1, count: rank)
    let pads = try call.optionalInts("pads") ?? [Int](repeating: 0, count: 2 * rank)
    guard kernel.count == rank, strides.count == rank, pads.count == 2 * rank else {
      throw call.malformed("kernel, strides or pads do not fit \(rank) spatial axes")
    }
    let limit = 1 << 31
    guard (kernel + strides).allSatisfy({ (1...limit).contains($0) }),
      pads.allSatisfy({ (0...limit).contains($0) })
    else { throw call.malformed("kernel, strides or pads are out of range") }
    var shape = Array(input[..<2])
    for axis in 0..<rank {
      guard let extent = input[axis + 2].fixedExtent, extent > 0, extent < limit else {
        shape.append(.unknown)
        continue
      }
      let result = (extent - 1) * strides[axis] + kernel[axis] - pads[axis] - pads[rank + axis]
      guard result > 0 else { throw call.malformed("the pads leave an extent of \(result)") }
      shape.append(.fixed(result))
    }
    return shape
  }

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    let type = call.elementType(0)
    if let type = call.elementType(1), type != .int64 {
      throw call.malformed("indices are of type \(type.name)")
    }
    guard let input = call.shape(0) else { return [ValueFacts(type, nil)] }
    if let indices = call.operand(1)?.fixedShape, let own = call.operand(0)?.fixedShape,
      indices != own
    {
      throw call.malformed("the indices are of shape \(indices) and X of \(own)")
    }
    let shape = try unpooled(call, input)
    guard let operand = call.operand(2) else { return [ValueFacts(type, shape)] }
    try call.requireIntegerList(2)
    try call.requireVector(2, of: input.count)
    guard let given = operand.integers else {
      return [ValueFacts(type, input[..<2] + shape[2...].map { _ in .unknown })]
    }
    if let extent = given.lazy.compactMap(\.number).first(where: { $0 < 0 }) {
      throw call.malformed("an extent is \(extent)")
    }
    return [ValueFacts(type, given.map { Dimension($0) })]
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    for axis in (call.shape(0) ?? []).indices {
      relations.pin(.operand(0, axis: axis), because: "the indices count over the whole result")
    }
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    let resolved = try resolve(call, on: operands)
    let x = try call.tensor(0, of: operands)
    let offsets = try call.tensor(1, of: operands).integers
    let shape = resolved.results[0].fixedShape!
    let least = try unpooled(call, resolved.shape(0)!).compactMap(\.fixedExtent)
    guard least.count == shape.count, zip(least, shape).allSatisfy({ $0 <= $1 }),
      x.elementType.isByteAligned
    else { throw call.unsupported("this unpooling is not evaluated") }
    let count = shape.elementCount
    guard offsets.allSatisfy({ (0..<count).contains($0) }) else {
      throw call.malformed("an index is out of range for \(count) elements")
    }
    let zeros = Tensor(zeros: x.elementType, shape: shape)
    return [try ScatterReduction.none.scatter(x, to: offsets, of: zeros, call)]
  }

  func macs(_ call: Invocation) -> Int { 0 }
}
