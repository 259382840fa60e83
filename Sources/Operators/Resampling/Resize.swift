import Glibc
import PrunecGraphIR
import PrunecTensors

/// Resize (ONNX opset 10 to 28): `X` resampled to `Y`, of as many axes. Either `scales` says how much
/// longer each axis gets (the extent is rounded down) or, since opset 11, `sizes` says how long; since
/// opset 18 they may be for some `axes` only, and `keep_aspect_ratio_policy` may ask for one scale of
/// all of these, the greatest for which no extent exceeds `sizes` or the least for which none falls
/// short. `roi` is the part that `tf_crop_and_resize` takes. What the attributes mean is in
/// `Resampling`; opset 10 has `mode` alone, rounds down and counts from the first element.
///
/// Channels: an axis of scale one goes with itself, and `sizes` is rewritten when it is cut. Resampled
/// axes are pinned.
struct Resize: Operator {
  let signature = Signature(
    "Resize", opsets: 10...28, operands: 1...4,
    attributes: [
      "antialias": .int(0), "axes": nil,
      "coordinate_transformation_mode": .string(Array("half_pixel".utf8)),
      "cubic_coeff_a": .float(-0.75), "exclude_outside": .int(0), "extrapolation_value": .float(0),
      "keep_aspect_ratio_policy": .string(Array("stretch".utf8)),
      "mode": .string(Array("nearest".utf8)),
      "nearest_mode": .string(Array("round_prefer_floor".utf8)),
    ])

  /// What becomes of one axis, as far as it is known.
  private struct AxisPlan {
    var extent: Dimension
    var scale: Double? = 1
    var region: (start: Double, end: Double)? = (0, 1)
    /// The axis's element of `sizes`, where that says how long it gets.
    var sizeIndex: Int?
    /// Whether the extents of other axes go into the scale.
    var isTied = false
  }

  private static let sizesOperand = 3

  private func method(_ call: Invocation) throws(CompileError) -> Resampling {
    var method = Resampling()
    method.interpolation = try call.choice("mode")
    guard call.opset >= 11 else { return method }
    method.coordinates = try call.choice("coordinate_transformation_mode")
    method.rounding = try call.choice("nearest_mode")
    method.cubicCoefficient = Double(try call.requiredFloat("cubic_coeff_a"))
    method.excludesOutside = try call.requiredInt("exclude_outside") != 0
    method.extrapolation = Double(try call.requiredFloat("extrapolation_value"))
    method.antialiases = try call.requiredInt("antialias") != 0
    return method
  }

  private enum AspectRatioPolicy: String {
    case stretch
    case notLarger = "not_larger"
    case notSmaller = "not_smaller"
  }

  /// A plan for every axis.
  private func plans(
    _ call: Invocation, _ input: [Dimension], _ method: Resampling
  ) throws(CompileError) -> [AxisPlan] {
    var axes = Array(input.indices)
    if let given = try call.optionalInts("axes") {
      axes = try call.normalizedAxes(given, rank: input.count)
    }
    var plans = input.map { AxisPlan(extent: $0) }
    try applyRegion(call, axes, method, &plans)
    let scales = call.opset >= 11 ? 2 : 1
    if call.opset >= 11, call.isGiven(Self.sizesOperand) {
      try applySizes(call, input, axes, &plans)
    } else if call.isGiven(scales) {
      try applyScales(call, operand: scales, input, axes, method, &plans)
    } else {
      throw call.malformed("there are neither scales nor sizes")
    }
    return plans
  }

  private func applyRegion(
    _ call: Invocation, _ axes: [Int], _ method: Resampling, _ plans: inout [AxisPlan]
  ) throws(CompileError) {
    guard method.coordinates == .crop else { return }
    guard call.isGiven(1) else { throw call.malformed("there is no roi") }
    let numbers = call.operand(1)?.constant?.doubles
    if let numbers, numbers.count != 2 * axes.count {
      throw call.malformed("roi has \(numbers.count) elements for \(axes.count) axes")
    }
    for (index, axis) in axes.enumerated() {
      plans[axis].region = numbers.map { ($0[index], $0[index + axes.count]) }
    }
  }

  private func applyScales(
    _ call: Invocation, operand: Int, _ input: [Dimension], _ axes: [Int], _ method: Resampling,
    _ plans: inout [AxisPlan]
  ) throws(CompileError) {
    let scales = try Resampling.scales(call, operand: operand, count: axes.count)
    for (axis, scale) in zip(axes, scales) {
      plans[axis].scale = scale
      plans[axis].extent = try Resampling.extent(of: input[axis], scale: scale, call)
      // Whether the part that is left out counts is read in two ways.
      if plans[axis].region.map({ $0 != (0, 1) }) ?? true, method.coordinates == .crop {
        plans[axis].extent = .unknown
      }
    }
  }

  private func applySizes(
    _ call: Invocation, _ input: [Dimension], _ axes: [Int], _ plans: inout [AxisPlan]
  ) throws(CompileError) {
    try call.requireIntegerList(Self.sizesOperand)
    try call.requireVector(Self.sizesOperand, of: axes.count)
    let sizes = call.operand(Self.sizesOperand)?.integers
    guard sizes?.count ?? axes.count == axes.count else {
      throw call.malformed("\(sizes!.count) sizes are given for \(axes.count) axes")
    }
    let policy: AspectRatioPolicy = try call.choice("keep_aspect_ratio_policy")
    var ratios: [Double] = []
    for (index, axis) in axes.enumerated() {
      let size = sizes?[index] ?? .unknown
      plans[axis].sizeIndex = index
      plans[axis].extent = Dimension(size)
      plans[axis].scale = nil
      if case .fixed(let number) = size {
        guard number >= 0 else { throw call.malformed("a size is \(number)") }
        guard let extent = input[axis].fixedExtent else { continue }
        guard extent > 0 || number == 0 else { throw call.malformed("there is nothing to resize") }
        plans[axis].scale = extent == 0 ? 1 : Double(number) / Double(extent)
        ratios.append(plans[axis].scale!)
      }
    }
    guard policy != .stretch else { return }
    let isKnown = ratios.count == axes.count
    let scale = policy == .notLarger ? ratios.min() : ratios.max()
    for axis in axes {
      plans[axis].isTied = true
      plans[axis].scale = isKnown ? scale : nil
      guard isKnown, let scale, let extent = input[axis].fixedExtent else {
        plans[axis].extent = .unknown
        continue
      }
      guard let rounded = Int(exactly: floor(scale * Double(extent) + 0.5)) else {
        throw call.malformed("an extent is out of range")
      }
      plans[axis].extent = .fixed(rounded)
    }
  }

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    let method = try method(call)
    let type = call.elementType(0)
    guard let input = call.shape(0) else { return [ValueFacts(type, nil)] }
    return [ValueFacts(type, try plans(call, input, method).map(\.extent))]
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    guard let input = call.shape(0), let method = try? method(call),
      let plans = try? plans(call, input, method)
    else { return }
    for (axis, plan) in plans.enumerated() {
      guard !plan.isTied, let resampled = resampledAxis(plan, input[axis]),
        method.isIdentity(resampled)
      else {
        relations.pin(.operand(0, axis: axis), because: "the axis is resampled")
        relations.pin(.result(axis: axis), because: "the axis is resampled")
        continue
      }
      relations.equal(.operand(0, axis: axis), .result(axis: axis))
    }
  }

  private func resampledAxis(_ plan: AxisPlan, _ dimension: Dimension) -> Resampling.Axis? {
    guard let extent = dimension.fixedExtent, let resultExtent = plan.extent.fixedExtent,
      let scale = plan.scale, let region = plan.region
    else { return nil }
    return Resampling.Axis(
      extent: extent, resultExtent: resultExtent, scale: scale, region: region)
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] {
    guard let input = call.shape(0), call.opset >= 11, call.isGiven(Self.sizesOperand) else {
      return []
    }
    let plans = try plans(call, input, method(call))
    var sizes: [Int: Int] = [:]
    for axis in cut.axes(ofResult: 0) {
      if let index = plans[axis].sizeIndex { sizes[index] = cut[.result(axis: axis)]!.count }
    }
    return call.adaptations(sizes, ofOperand: Self.sizesOperand)
  }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    let resolved = try resolve(call, on: operands)
    let input = resolved.shape(0)!
    let method = try method(resolved)
    var axes: [Resampling.Axis] = []
    for (plan, dimension) in zip(try plans(resolved, input, method), input) {
      guard let axis = resampledAxis(plan, dimension) else {
        throw call.unsupported("what is resampled is not known")
      }
      axes.append(axis)
    }
    return [try method.apply(call, to: call.tensor(0, of: operands), axes)]
  }

  func macs(_ call: Invocation) -> Int { 0 }
}

extension Resize: KernelOperator {
  func computation(_ call: Invocation) throws(CompileError) -> Computation? {
    guard call.elementType(0)!.isFloatingPoint else { return nil }
    let method = try method(call)
    let input = call.shape(0)!
    let axes = zip(try plans(call, input, method), input).map(resampledAxis)
    return axes.contains { $0 == nil } ? nil : method.computation(axes.map { $0! })
  }
}

extension Invocation {
  /// Whether operand `index` is there and not known to be empty, which says that it is not meant.
  func isGiven(_ index: Int) -> Bool {
    guard let operand = operand(index) else { return false }
    return operand.shape.map { $0.count != 1 || $0[0] != .fixed(0) } ?? true
  }

  /// A string attribute that is one of the names of a type's cases.
  func choice<Choice: RawRepresentable<String>>(
    _ name: String
  ) throws(CompileError) -> Choice {
    guard let choice = string(name).flatMap(Choice.init) else {
      throw malformed("'\(name)' is none that is known")
    }
    return choice
  }
}

extension Resampling {
  /// The scales that operand `operand` gives for `count` axes, `nil` where one is not known.
  static func scales(
    _ call: Invocation, operand: Int, count: Int
  ) throws(CompileError) -> [Double?] {
    try call.requireFloatingPoint(operand)
    try call.requireVector(operand, of: count)
    guard let facts = call.operand(operand) else { throw call.malformed("there are no scales") }
    let scales =
      facts.constant?.doubles
      ?? facts.shapeElements?.map { $0.number.map(Double.init) }
      ?? [Double?](repeating: nil, count: count)
    guard scales.count == count else {
      throw call.malformed("\(scales.count) scales are given for \(count) axes")
    }
    for case .some(let scale) in scales where !(scale > 0 && scale.isFinite) {
      throw call.malformed("a scale is \(scale)")
    }
    return scales
  }

  /// An extent times a scale, rounded down, in single precision.
  static func extent(
    of dimension: Dimension, scale: Double?, _ call: Invocation
  ) throws(CompileError) -> Dimension {
    guard let scale else { return .unknown }
    if scale == 1 { return Dimension(dimension.extent) }
    guard let extent = dimension.fixedExtent else { return .unknown }
    guard let scaled = Int(exactly: floorf(Float(extent) * Float(scale))) else {
      throw call.malformed("an extent is out of range")
    }
    return .fixed(scaled)
  }
}
