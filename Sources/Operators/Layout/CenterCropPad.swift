import PrunecGraphIR
import PrunecTensors

/// CenterCropPad (ONNX opset 18 to 28): `input_data` cropped, or padded with zeros, to the extents that
/// `shape` lists, for all axes or for `axes` only, in equal parts before and after; what is left over is
/// cropped or padded after.
///
/// Channels: an axis that keeps its extent goes with itself, and `shape` is rewritten; others are pinned.
struct CenterCropPad: Operator {
  let signature = Signature(
    "CenterCropPad", opsets: 18...28, operands: 2...2, attributes: ["axes": nil])

  /// For every axis its element of `shape`, if it has one.
  private func entries(_ call: Invocation, rank: Int) throws(CompileError) -> [Int?] {
    var axes = Array(0..<rank)
    if let given = try call.optionalInts("axes") {
      axes = try call.normalizedAxes(given, rank: rank)
    }
    try call.requireIntegerList(1)
    try call.requireVector(1, of: axes.count)
    var entries = [Int?](repeating: nil, count: rank)
    for (index, axis) in axes.enumerated() { entries[axis] = index }
    return entries
  }

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    let type = call.elementType(0)
    guard var shape = call.shape(0) else { return [ValueFacts(type, nil)] }
    let target = call.operand(1)?.integers
    for (axis, entry) in try entries(call, rank: shape.count).enumerated() {
      guard let entry else { continue }
      shape[axis] = Dimension(target.map { entry < $0.count ? $0[entry] : .unknown } ?? .unknown)
      if let extent = shape[axis].fixedExtent, extent < 0 {
        throw call.malformed("an extent is \(extent)")
      }
    }
    return [ValueFacts(type, shape)]
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    guard let input = call.shape(0), let output = call.results.first?.shape,
      output.count == input.count
    else { return }
    for axis in input.indices {
      if let extent = input[axis].fixedExtent, extent == output[axis].fixedExtent {
        relations.equal(.operand(0, axis: axis), .result(axis: axis))
      } else {
        relations.pin(.operand(0, axis: axis), because: "the axis is cropped or padded")
        relations.pin(.result(axis: axis), because: "the axis is cropped or padded")
      }
    }
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] {
    guard let rank = call.shape(0)?.count else { return [] }
    let entries = try entries(call, rank: rank)
    var numbers: [Int: Int] = [:]
    for axis in cut.axes(ofResult: 0) {
      if let entry = entries[axis] { numbers[entry] = cut[.result(axis: axis)]!.count }
    }
    return call.adaptations(numbers, ofOperand: 1)
  }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    let shape = try resolve(call, on: operands).results[0].fixedShape!
    var result = try call.tensor(0, of: operands)
    if shape.contains(0) { return [result.emptied(shape)] }
    for (axis, target) in shape.enumerated() {
      let extent = result.shape[axis]
      if target < extent {
        let start = (extent - target) / 2
        result = result.slice(start..<(start + target), alongAxis: axis)
      } else if target > extent {
        func zeros(_ count: Int) -> Tensor {
          var border = result.shape
          border[axis] = count
          return Tensor(zeros: result.elementType, shape: border)
        }
        guard result.elementType != .string else {
          throw call.unsupported("padding of strings is not evaluated")
        }
        let before = (target - extent) / 2
        result = .concatenated(
          [zeros(before), result, zeros(target - extent - before)], alongAxis: axis)
      }
    }
    return [result]
  }

  func macs(_ call: Invocation) -> Int { 0 }
}
