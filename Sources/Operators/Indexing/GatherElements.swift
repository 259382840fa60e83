import PrunecGraphIR
import PrunecTensors

/// GatherElements (ONNX opset 11 to 28): `Y[i...] = data[i...]` with the index along `axis` replaced by
/// `indices[i...]`. Y has the extents of `indices`, which along other axes may be less than those of
/// `data`. Negative indices count from the end.
///
/// Channels: other axes of Y are the front of those of `data`; along `axis` fewer indices give fewer
/// elements, and `data` is pinned.
struct GatherElements: Operator {
  let signature = Signature(
    "GatherElements", opsets: 11...28, operands: 2...2, attributes: ["axis": .int(0)])

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    let type = call.elementType(0)
    _ = try ElementIndex.axis(call)
    guard let shape = call.shape(1) else {
      let rank = call.shape(0)?.count
      return [ValueFacts(type, rank.map { [Dimension](repeating: .unknown, count: $0) })]
    }
    return [ValueFacts(type, shape, contents: movedContents(call, of: 0..<1, to: shape))]
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    guard call.hasAllRanks, let rank = call.shape(0)?.count,
      let axis = (try? ElementIndex.axis(call)) ?? nil
    else { return }
    for other in 0..<rank {
      relations.equal(.operand(1, axis: other), .result(axis: other))
      if other != axis {
        relations.section(.result(axis: other), of: .operand(0, axis: other), start: 0)
      }
    }
    relations.pin(.operand(0, axis: axis), because: "single elements are read along it")
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    let resolved = try resolve(call, on: operands)
    let data = try call.tensor(0, of: operands)
    let shape = resolved.results[0].fixedShape!
    if shape.contains(0) { return [data.emptied(shape)] }
    let offsets = try ElementIndex.offsets(
      of: call.tensor(1, of: operands), in: data.shape, axis: ElementIndex.axis(resolved)!, call)
    return [data.reshaped([data.count]).keeping(offsets, alongAxis: 0).reshaped(shape)]
  }

  func macs(_ call: Invocation) -> Int { 0 }
}

/// Indices that replace that of their own place along one axis.
enum ElementIndex {
  /// The axis, once data and indices (and updates) are found to fit; `nil` where no rank is known.
  static func axis(_ call: Invocation) throws(CompileError) -> Int? {
    if let type = call.elementType(1), type != .int64, type != .int32 {
      throw call.malformed("indices are of type \(type.name)")
    }
    let given = try call.requiredInt("axis")
    guard let data = call.shape(0) else { return nil }
    let axis = try call.normalizedAxis(given, rank: data.count)
    guard let indices = call.shape(1) else { return axis }
    guard indices.count == data.count else {
      throw call.malformed("data has \(data.count) axes and the indices have \(indices.count)")
    }
    for other in data.indices where other != axis {
      if let a = data[other].fixedExtent, let b = indices[other].fixedExtent, b > a {
        throw call.malformed("there are \(b) indices along axis \(other) of extent \(a)")
      }
    }
    return axis
  }

  /// For every element of `indices`, in order, the offset of the element of a tensor of `shape` that it
  /// names.
  static func offsets(
    of indices: Tensor, in shape: [Int], axis: Int, _ call: Invocation
  ) throws(CompileError) -> [Int] {
    let strides = shape.rowMajorStrides
    // Where the elements would be if every index were zero.
    var bases = [0]
    for other in shape.indices {
      let stride = other == axis ? 0 : strides[other]
      bases = bases.flatMap { base in (0..<indices.shape[other]).map { base + $0 * stride } }
    }
    var offsets: [Int] = []
    offsets.reserveCapacity(bases.count)
    for (base, index) in zip(bases, indices.integers) {
      offsets.append(
        base + (try SliceIndex.normalized(index, shape[axis], call)) * strides[axis])
    }
    return offsets
  }
}
