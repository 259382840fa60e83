import PrunecGraphIR
import PrunecTensors

/// The reductions: `Y` is computed from all elements of `X` along some axes, which keep extent one
/// or, with `keepdims` 0, go. They differ in nothing but the formula.
///
/// ONNX opset 7 to 28: ReduceSum, ReduceMean, ReduceMax, ReduceMin, ReduceProd, ReduceSumSquare,
/// ReduceL1, ReduceL2, ReduceLogSum, ReduceLogSumExp. `X [d0 ... dn]`. The axes are an attribute,
/// since opset 18 (ReduceSum: 13) an operand; without any, all axes are reduced or, with
/// `noop_with_empty_axes`, none.
///
/// Channels: the axes that are not reduced are those of Y. A reduced axis may be cut where there is
/// something that adds nothing to the result: zero to a sum, the mean to a mean, infinity to an
/// extremum. A product would need ones, so there it is pinned.
package struct Reduce: Operator {
  package let signature: Signature
  private let formula: ReduceFormula
  /// The opset since which the axes are an operand.
  private let axesAreOperandSince: Int

  private init(_ type: String, _ formula: ReduceFormula, axesAreOperandSince: Int = 18) {
    signature = Signature(
      type, operands: 1...2,
      attributes: ["axes": nil, "keepdims": .int(1), "noop_with_empty_axes": .int(0)])
    self.formula = formula
    self.axesAreOperandSince = axesAreOperandSince
  }

  /// One operator for each formula.
  package static let all: [Reduce] = [
    Reduce("ReduceL1", .l1),
    Reduce("ReduceL2", .l2),
    Reduce("ReduceLogSum", .logSum),
    Reduce("ReduceLogSumExp", .logSumExp),
    Reduce("ReduceMax", .max),
    Reduce("ReduceMean", .mean),
    Reduce("ReduceMin", .min),
    Reduce("ReduceProd", .product),
    Reduce("ReduceSum", .sum, axesAreOperandSince: 13),
    Reduce("ReduceSumSquare", .sumSquare),
  ]

  /// Which axes of X are reduced; `nil` where that is not known.
  private func reducedAxes(_ call: Invocation, rank: Int) throws(CompileError) -> [Bool]? {
    let axes: [Int]
    if call.opset >= axesAreOperandSince {
      guard !call.has("axes") else {
        throw call.malformed("'axes' is an operand since opset \(axesAreOperandSince)")
      }
      if let operand = call.operand(1) {
        guard let integers = operand.constantIntegers else { return nil }
        axes = integers
      } else {
        axes = []
      }
    } else {
      guard call.operand(1) == nil else {
        throw call.malformed("'axes' is an attribute before opset \(axesAreOperandSince)")
      }
      axes = try call.optionalInts("axes") ?? []
    }
    var reduced = [Bool](repeating: false, count: rank)
    if axes.isEmpty, try call.requiredInt("noop_with_empty_axes") != 1 {
      reduced = [Bool](repeating: true, count: rank)
    }
    for axis in axes { reduced[try call.normalizedAxis(axis, rank: rank)] = true }
    return reduced
  }

  package func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    let type = call.elementType(0)
    try call.requireFloatingPoint(
      0, or: formula.isExtremum ? Set.wideIntegers.union([.int8, .uint8, .bool]) : .wideIntegers)
    let keeps = try call.requiredInt("keepdims") == 1
    guard let shape = call.shape(0) else { return [ValueFacts(type, nil)] }
    guard let reduced = try reducedAxes(call, rank: shape.count) else {
      return [ValueFacts(type, keeps ? shape.map { _ in .unknown } : nil)]
    }
    let result: [Dimension] = zip(shape, reduced).compactMap { extent, isReduced in
      guard isReduced else { return extent }
      return keeps ? .fixed(1) : nil
    }
    return [ValueFacts(type, result)]
  }

  package func relate(_ call: Invocation, _ relations: inout Relations) {
    guard let rank = call.shape(0)?.count, let reduced = try? reducedAxes(call, rank: rank)
    else { return }
    let keeps = call.int("keepdims") == 1
    var position = 0
    for axis in 0..<rank {
      if !reduced[axis] {
        relations.equal(.operand(0, axis: axis), .result(axis: position))
      } else if let fill = formula.ignored,
        fill == .zero || call.elementType(0)?.isFloatingPoint == true
      {
        relations.gather(over: .operand(0, axis: axis), ignoring: fill)
      } else {
        relations.pin(
          .operand(0, axis: axis),
          because: "\(signature.operation) over it depends on every element")
      }
      if keeps || !reduced[axis] { position += 1 }
    }
  }

  package func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  package func evaluate(
    _ call: Invocation, _ operands: [Tensor?]
  ) throws(CompileError) -> [Tensor] {
    let resolved = try resolve(call, on: operands)
    let shape = resolved.results[0].fixedShape!
    let x = operands[0]!
    guard let reduced = try reducedAxes(resolved, rank: x.rank) else {
      throw call.malformed("the axes are no vector of integers")
    }
    // Every element of Y takes the elements of X that it would broadcast to.
    let kept = zip(x.shape, reduced).map { $1 ? 1 : $0 }
    let targets = x.count == 0 ? [] : Broadcasting.offsets(of: kept, in: x.shape)
    if x.elementType.isFloatingPoint {
      let y = formula.reduce(x.doubles, targets, count: shape.elementCount)
      return [Tensor(rounding: y, to: x.elementType, shape: shape)]
    }
    let y = formula.reduce(
      x.integers, targets, count: shape.elementCount, range: x.elementType.integerRange)
    return [Tensor(wrapping: y, to: x.elementType, shape: shape)]
  }

  package func macs(_ call: Invocation) -> Int { 0 }
}

extension Reduce: KernelOperator {
  package func computation(_ call: Invocation) throws(CompileError) -> Computation? {
    guard call.elementType(0)!.isFloatingPoint, let kind = formula.kernel,
      let reduced = try reducedAxes(call, rank: call.shape(0)!.count)
    else { return nil }
    return .reduction(kind, axes: reduced.indices.filter { reduced[$0] })
  }
}
