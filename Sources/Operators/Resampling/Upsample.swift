import PrunecGraphIR
import PrunecTensors

/// Upsample (ONNX opset 7 to 9): `X` resampled to `Y`, whose extents are those of X times `scales`, an
/// attribute before opset 9 and an operand since, rounded down. `mode` is nearest, which takes the
/// element before, or linear; places are counted from the first element.
///
/// Channels: an axis of scale one goes with itself, the others are pinned.
struct Upsample: Operator {
  let signature = Signature(
    "Upsample", opsets: 7...9, operands: 1...2,
    attributes: ["mode": .string(Array("nearest".utf8)), "scales": nil])

  private func method(_ call: Invocation) throws(CompileError) -> Resampling {
    var method = Resampling()
    method.interpolation = try call.choice("mode")
    guard method.interpolation != .cubic else { throw call.malformed("'mode' is cubic") }
    return method
  }

  /// The scale of every axis, `nil` where it is not known.
  private func scales(_ call: Invocation, rank: Int) throws(CompileError) -> [Double?] {
    guard call.opset < 9 else { return try Resampling.scales(call, operand: 1, count: rank) }
    guard let scales = call.floats("scales"), scales.count == rank else {
      throw call.malformed("'scales' must be \(rank) floats")
    }
    guard scales.allSatisfy({ $0 >= 1 && $0.isFinite }) else {
      throw call.malformed("a scale is less than one")
    }
    return scales.map(Double.init)
  }

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    let type = call.elementType(0)
    _ = try method(call)
    guard let input = call.shape(0) else { return [ValueFacts(type, nil)] }
    var shape: [Dimension] = []
    for (dimension, scale) in zip(input, try scales(call, rank: input.count)) {
      shape.append(try Resampling.extent(of: dimension, scale: scale, call))
    }
    return [ValueFacts(type, shape)]
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    guard let rank = call.shape(0)?.count, let scales = try? scales(call, rank: rank) else {
      return
    }
    for (axis, scale) in scales.enumerated() {
      if scale == 1 {
        relations.equal(.operand(0, axis: axis), .result(axis: axis))
      } else {
        relations.pin(.operand(0, axis: axis), because: "the axis is resampled")
        relations.pin(.result(axis: axis), because: "the axis is resampled")
      }
    }
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    let resolved = try resolve(call, on: operands)
    let x = try call.tensor(0, of: operands)
    return [try method(call).apply(call, to: x, axes(resolved)!)]
  }

  /// All axes, given facts in which every extent is a number; `nil` where a scale is not known.
  private func axes(_ call: Invocation) throws(CompileError) -> [Resampling.Axis]? {
    let (input, output) = (call.operand(0)!.fixedShape!, call.results[0].fixedShape!)
    var axes: [Resampling.Axis] = []
    for (axis, scale) in try scales(call, rank: input.count).enumerated() {
      guard let scale else { return nil }
      axes.append(
        Resampling.Axis(extent: input[axis], resultExtent: output[axis], scale: scale))
    }
    return axes
  }

  func macs(_ call: Invocation) -> Int { 0 }
}

extension Upsample: KernelOperator {
  func computation(_ call: Invocation) throws(CompileError) -> Computation? {
    guard call.elementType(0)!.isFloatingPoint else { return nil }
    return try axes(call).flatMap { (axes) throws(CompileError) in
      try method(call).computation(axes)
    }
  }
}
