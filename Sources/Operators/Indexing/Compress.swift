import PrunecGraphIR
import PrunecTensors

/// Compress (ONNX opset 9 to 28): of `input` the slices along `axis` whose element of `condition`, a
/// boolean vector, is true; without `axis`, the elements of the whole, in order. What is beyond the end
/// of the condition goes.
///
/// Channels: with a constant condition the axis is selected from, and the condition is rewritten; the
/// other axes go with themselves.
struct Compress: Operator {
  let signature = Signature(
    "Compress", opsets: 9...28, operands: 2...2, attributes: ["axis": nil])

  /// The axis; `nil` where the whole is flattened.
  private func axis(_ call: Invocation, rank: Int) throws(CompileError) -> Int? {
    guard call.has("axis") else { return nil }
    return try call.normalizedAxis(call.requiredInt("axis"), rank: rank)
  }

  /// The indices that are selected; `nil` where the condition is not constant.
  private func selected(
    _ call: Invocation, extent: Int?
  ) throws(CompileError) -> [Int]? {
    if let type = call.elementType(1), type != .bool {
      throw call.malformed("the condition is of type \(type.name)")
    }
    try call.requireVector(1, of: nil)
    guard let truths = call.operand(1)?.constant?.integers else { return nil }
    let indices = truths.indices.filter { truths[$0] != 0 }
    if let extent, let last = indices.last, last >= extent {
      throw call.malformed("index \(last) is selected of an extent of \(extent)")
    }
    return indices
  }

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    let type = call.elementType(0)
    guard var shape = call.shape(0) else {
      _ = try selected(call, extent: nil)
      return [ValueFacts(type, call.has("axis") ? nil : [.unknown])]
    }
    let axis = try axis(call, rank: shape.count)
    let extent =
      axis.map { shape[$0].fixedExtent }
      ?? call.operand(0)?.fixedShape.flatMap(\.checkedElementCount)
    let count = try selected(call, extent: extent)?.count
    let dimension = count.map { Dimension.fixed($0) } ?? .unknown
    guard let axis else { return [ValueFacts(type, [dimension])] }
    shape[axis] = dimension
    return [ValueFacts(type, shape)]
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    guard let input = call.shape(0), let axis = (try? axis(call, rank: input.count)) ?? nil else {
      return
    }
    for other in input.indices where other != axis {
      relations.equal(.operand(0, axis: other), .result(axis: other))
    }
    if let extent = input[axis].fixedExtent,
      let indices = (try? selected(call, extent: extent)) ?? nil
    {
      relations.selection(.result(axis: axis), of: .operand(0, axis: axis), indices: indices)
    } else {
      relations.pin(.operand(0, axis: axis), because: "what is selected is computed")
    }
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] {
    guard let input = call.shape(0), let axis = try axis(call, rank: input.count),
      let kept = cut[.operand(0, axis: axis)],
      let indices = try selected(call, extent: input[axis].fixedExtent)
    else { return [] }
    let selected = Set(indices)
    let truths = kept.map { UInt8(selected.contains($0) ? 1 : 0) }
    return [.operand(1, Tensor(.bool, shape: [kept.count], elements: truths))]
  }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    let resolved = try resolve(call, on: operands)
    let x = try call.tensor(0, of: operands)
    let axis = try axis(call, rank: x.rank)
    let flat = axis == nil ? x.reshaped([x.count]) : x
    guard let indices = try selected(resolved, extent: flat.shape[axis ?? 0]) else {
      throw call.unsupported("the condition is not known")
    }
    return [flat.keeping(indices, alongAxis: axis ?? 0)]
  }

  func macs(_ call: Invocation) -> Int { 0 }
}
