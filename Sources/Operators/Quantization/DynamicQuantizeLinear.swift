import Glibc
import PrunecGraphIR
import PrunecTensors

/// DynamicQuantizeLinear (ONNX opset 11 to 28): `x` quantised to uint8 by a scale and a zero point of its
/// own: with `least = min(0, min(x))` and `greatest = max(0, max(x))`, the scale is
/// `(greatest - least) / 255` and the zero point `saturate(round(-least / scale))`. Results are `y`, of
/// the shape of x, and the scalars `y_scale` and `y_zero_point`.
///
/// Channels: every axis goes with itself. The range is that of all elements and of zero, so that
/// elements that are zero do not matter: they are masked as before a sum.
struct DynamicQuantizeLinear: DiscontinuousOperator {
  let signature = Signature(
    "DynamicQuantizeLinear", opsets: 11...28, operands: 1...1, results: 3...3)

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    if let type = call.elementType(0), type != .float32 {
      throw call.malformed("x is of type \(type.name)")
    }
    return call.forResults([
      ValueFacts(.uint8, call.shape(0)), ValueFacts(.float32, []), ValueFacts(.uint8, []),
    ])
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    for axis in (call.shape(0) ?? []).indices {
      if call.results[0].shape != nil {
        relations.equal(.operand(0, axis: axis), .result(axis: axis))
      }
      relations.sum(over: .operand(0, axis: axis))
    }
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    let resolved = try resolve(call, on: operands)
    let x = operands[0]!
    let (y, scale, zeroPoint) = Self.quantize(x.floats)
    let results = [
      Tensor(.uint8, shape: x.shape, elements: y), Tensor([scale], shape: []),
      Tensor(.uint8, shape: [], elements: [zeroPoint]),
    ]
    return Array(results.prefix(resolved.results.count))
  }

  /// The integers that stand for `elements`, with their scale and zero point.
  static func quantize(_ elements: [Float]) -> (integers: [UInt8], scale: Float, zeroPoint: UInt8) {
    let least = min(0, elements.min() ?? 0)
    let greatest = max(0, elements.max() ?? 0)
    let scale = (greatest - least) / 255
    // Nothing but zeros: any scale does, and one is what runtimes take.
    let divisor = scale == 0 ? 1 : scale
    func saturate(_ value: Float) -> UInt8 {
      value.isNaN ? 0 : UInt8(max(0, min(255, value.rounded(.toNearestOrEven))))
    }
    let zeroPoint = saturate(-least / divisor)
    let y = elements.map {
      saturate(($0 / divisor).rounded(.toNearestOrEven) + Float(zeroPoint))
    }
    return (y, divisor, zeroPoint)
  }

  func macs(_ call: Invocation) -> Int { 0 }
}
