import PrunecGraphIR
import PrunecTensors

/// Clip (ONNX opset 7 to 28): `Y = min(max(X, low), high)`, the bounds being attributes before opset
/// 11 and optional scalar operands since.
///
/// Channels: every axis goes with itself.
struct Clip: Operator {
  let signature = Signature(
    "Clip", operands: 1...3,
    attributes: [
      "max": .float(.greatestFiniteMagnitude), "min": .float(-.greatestFiniteMagnitude),
    ])

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    let type = try call.commonElementType(0..<3)
    for index in 1..<3 where call.operand(index) != nil {
      guard let shape = call.operand(index)?.fixedShape else { continue }
      guard shape.checkedElementCount == 1 else {
        throw call.malformed("bound \(index) is no scalar but of shape \(shape)")
      }
    }
    return [ValueFacts(type, call.shape(0))]
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    Broadcasting.relate(call, operands: 0..<1, &relations)
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    _ = try resolve(call, on: operands)
    let x = try call.tensor(0, of: operands)
    var bounds: [Tensor?] = [1, 2].map { $0 < operands.count ? operands[$0] : nil }
    if call.opset < 11 {
      bounds = []
      for name in ["min", "max"] {
        bounds.append(
          Tensor([try call.requiredFloat(name)], shape: []).converted(to: x.elementType))
      }
    }
    switch x.elementType {
    case .float64:
      let clipped = Self.clip(x.doubles, bounds[0]?.doubles.first, bounds[1]?.doubles.first)
      return [Tensor(rounding: clipped, to: x.elementType, shape: x.shape)]
    case let type where type.isFloatingPoint:
      let clipped = Self.clip(x.floats, bounds[0]?.floats.first, bounds[1]?.floats.first)
      return [Tensor(rounding: clipped, to: type, shape: x.shape)]
    case let type where type.isInteger:
      var limits: [Int?] = []
      for bound in bounds {
        guard let bound else {
          limits.append(nil)
          continue
        }
        limits.append(try call.integers(of: bound).first)
      }
      let clipped = Self.clip(try call.integers(of: x), limits[0], limits[1])
      return [Tensor(wrapping: clipped, to: type, shape: x.shape)]
    default: throw call.unsupported("Clip of \(x.elementType.name) is not evaluated")
    }
  }

  /// NaN stays; of contradicting bounds the upper one wins.
  private static func clip<Number: Comparable>(
    _ elements: [Number], _ low: Number?, _ high: Number?
  ) -> [Number] {
    elements.map { element in
      var element = element
      if let low, element < low { element = low }
      if let high, element > high { element = high }
      return element
    }
  }

  func macs(_ call: Invocation) -> Int { 0 }
}

extension Clip: KernelOperator {
  func computation(_ call: Invocation) throws(CompileError) -> Computation? {
    guard call.elementType(0)!.isFloatingPoint else { return nil }
    var bounds: [Float] = [-.infinity, .infinity]
    for (index, name) in ["min", "max"].enumerated() {
      if call.opset < 11 {
        bounds[index] = try call.requiredFloat(name)
      } else if let operand = call.operand(index + 1) {
        guard let bound = operand.constant?.floats.first else { return nil }
        bounds[index] = bound
      }
    }
    return .elementwise(
      bounds == [0, .infinity] ? .activation(.relu) : .activation(.clip, bounds[0], bounds[1]))
  }
}
