import Glibc
import PrunecGraphIR
import PrunecTensors

/// QuantizeLinear (ONNX opset 10 to 28, and of onnxruntime's own operators): `y = saturate(round(x / y_scale) + y_zero_point)`, rounding halves
/// to even, of any shape. Scale and zero point are those of the whole tensor, of each index of `axis`
/// (since opset 13), or of each run of `block_size` indices along it (since opset 21). The result's
/// type is that of the zero point, or `output_dtype`, or uint8; `precision` names the type that the
/// division is done in, that of the scale being the default. To floating point types of eight bits or less
/// nothing but the conversion rounds; `saturate` is that of Cast.
///
/// Channels: every axis goes with itself, and with what scale and zero point have along it; of an axis
/// in blocks whole blocks may go, or the same places of every block, and `block_size` follows.
struct QuantizeLinear: DiscontinuousOperator {
  let signature: Signature

  /// The operator of ONNX, or onnxruntime's from before ONNX had integers of 16 and 4 bits.
  init(domain: String = "") {
    signature = Signature(
      "QuantizeLinear", domain: domain, opsets: domain.isEmpty ? 10...28 : 1...1, operands: 2...3,
      attributes: [
        "axis": .int(1), "block_size": .int(0), "output_dtype": .int(0), "precision": .int(0),
        "saturate": .int(1),
      ])
  }

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    for index in 0...1 {
      guard let type = call.elementType(index), !type.isFloatingPoint else { continue }
      guard type == .int32 || index == 1 && type == .float8E8M0 else {
        throw call.malformed("operand \(index) is of type \(type.name)")
      }
    }
    _ = try Quantization.granularities(call)
    _ = try Quantization.type(call, attribute: "precision")
    return [ValueFacts(try type(call), call.shape(0))]
  }

  private func type(_ call: Invocation) throws(CompileError) -> ElementType? {
    let named = try Quantization.type(call, attribute: "output_dtype")
    guard call.operand(2) != nil else { return named ?? .uint8 }
    guard let type = call.elementType(2) else { return named }
    guard named ?? type == type else {
      throw call.malformed("the zero point is of type \(type.name), the result of another")
    }
    guard !type.isFloatingPoint, type != .string, type != .bool else {
      throw call.malformed("the zero point is of type \(type.name)")
    }
    return type
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    Quantization.relate(call, &relations)
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] {
    try Quantization.adapt(call, to: cut)
  }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    let resolved = try resolve(call, on: operands)
    let (x, scale) = (operands[0]!, operands[1]!)
    let type = resolved.results[0].elementType!
    let precision = try Quantization.type(call, attribute: "precision") ?? scale.elementType
    guard type.isNarrowInteger || type.isNarrowFloat, precision.isFloatingPoint,
      scale.elementType.isFloatingPoint
    else {
      throw call.unsupported(
        "a quantization by \(scale.elementType.name) to \(type.name) is not evaluated")
    }
    let granularities = try Quantization.granularities(resolved)
    let (elements, scales) = (x.floats, scale.floats)
    let quotients = Tensor(
      rounding: zip(elements, granularities.scale.offsets(of: scale.shape, in: x.shape)).map {
        $0 / scales[$1]
      }, to: precision, shape: x.shape
    ).floats
    let zeroPoint = granularities.zeroPoint == nil ? nil : try call.tensor(2, of: operands)
    /// The zero point of every element.
    func zeros<Number: Numeric>(_ numbers: [Number]?) -> [Number] {
      guard let numbers, let zeroPoint, let granularity = granularities.zeroPoint else {
        return [Number](repeating: 0, count: x.count)
      }
      return granularity.offsets(of: zeroPoint.shape, in: x.shape).map { numbers[$0] }
    }
    guard type.isNarrowInteger else {
      let saturates = try call.requiredInt("saturate") != 0
      let shifted = zip(quotients, zeros(zeroPoint?.floats)).map { Double($0 + $1) }
      return [Tensor(narrowing: shifted, to: type, saturates: saturates, shape: x.shape)]
    }
    let range = type.integerRange
    let integers = zip(quotients, zeros(zeroPoint?.integers)).map { quotient, zero -> Int in
      // What is no number at all becomes the least one.
      guard !quotient.isNaN else { return range.lowerBound }
      let rounded = Double(quotient.rounded(.toNearestOrEven)) + Double(zero)
      return Int(max(Double(range.lowerBound), min(Double(range.upperBound), rounded)))
    }
    return [Tensor(wrapping: integers, to: type, shape: x.shape)]
  }

  func macs(_ call: Invocation) -> Int { 0 }
}

extension QuantizeLinear: KernelOperator {
  func computation(_ call: Invocation) throws(CompileError) -> Computation? {
    let precision = try Quantization.type(call, attribute: "precision")
    guard call.elementType(0)!.isFloatingPoint, call.elementType(1) == .float32,
      precision ?? .float32 == .float32, let type = call.results[0].elementType,
      type == .int8 || type == .uint8,
      let (operandCount, constants) = try Quantization.formulaParameters(call)
    else { return nil }
    let hasZeroPoint = call.operand(2) != nil
    let first = operandCount + constants.count
    var instructions: [ElementwiseFormula.Instruction] = [
      .init(.divide, [0, 1]), .init(.round, [first]),
    ]
    if hasZeroPoint { instructions.append(.init(.add, [first + 1, 2])) }
    instructions.append(
      .init(type == .int8 ? .toInt8 : .toUInt8, [first + instructions.count - 1]))
    return .elementwise(
      ElementwiseFormula(
        operandCount: operandCount, constants: constants, instructions, takesIntegers: true))
  }
}
