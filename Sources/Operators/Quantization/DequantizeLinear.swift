import PrunecGraphIR
import PrunecTensors

/// DequantizeLinear (ONNX opset 10 to 28, and of onnxruntime's own operators): `y = (x - x_zero_point) * x_scale`, of any shape. Scale and zero
/// point are those of the whole tensor, of each index of `axis` (since opset 13), or of each run of
/// `block_size` indices along it (since opset 21). The result's type is `output_dtype`, or that of the
/// scale.
///
/// Channels: as for QuantizeLinear.
struct DequantizeLinear: Operator {
  let signature: Signature

  /// The operator of ONNX, or onnxruntime's from before ONNX had integers of 16 and 4 bits.
  init(domain: String = "") {
    signature = Signature(
      "DequantizeLinear", domain: domain, opsets: domain.isEmpty ? 10...28 : 1...1,
      operands: 2...3,
      attributes: ["axis": .int(1), "block_size": .int(0), "output_dtype": .int(0)])
  }

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    if let type = call.elementType(0), type.isFloatingPoint || type == .string || type == .bool {
      throw call.malformed("x is of type \(type.name)")
    }
    if let type = call.elementType(1), !type.isFloatingPoint, type != .float8E8M0 {
      throw call.malformed("the scale is of type \(type.name)")
    }
    try call.requireSameType(0, 2)
    _ = try Quantization.granularities(call)
    let type = try Quantization.type(call, attribute: "output_dtype") ?? call.elementType(1)
    guard type?.isFloatingPoint ?? true || type == .float8E8M0 else {
      throw call.malformed("the result is of type \(type!.name)")
    }
    return [ValueFacts(type, call.shape(0))]
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
    guard x.elementType.isNarrowInteger || x.elementType.isNarrowFloat || x.elementType == .int32,
      scale.elementType.isFloatingPoint, type.isFloatingPoint
    else {
      throw call.unsupported(
        "a dequantization of \(x.elementType.name) by \(scale.elementType.name) is not evaluated")
    }
    let (own, zeroGranularity) = try Quantization.granularities(resolved)
    let zeroPoint = zeroGranularity == nil ? nil : try call.tensor(2, of: operands)
    if let elements = Self.bytes(x, own, scale, zeroGranularity, zeroPoint) {
      return [Tensor(rounding: elements, to: type, shape: x.shape)]
    }
    /// The zero point of every element; none where there is none.
    func zeros<Number>(_ numbers: [Number]?) -> [Number] {
      guard let numbers, let zeroPoint, let zeroGranularity else { return [] }
      return zeroGranularity.offsets(of: zeroPoint.shape, in: x.shape).map { numbers[$0] }
    }
    var numbers: [Float]
    if x.elementType.isNarrowFloat {
      numbers = x.floats
      for (index, zero) in zeros(zeroPoint?.floats).enumerated() { numbers[index] -= zero }
    } else {
      var integers = x.integers
      for (index, zero) in zeros(zeroPoint?.integers).enumerated() { integers[index] -= zero }
      numbers = integers.map(Float.init)
    }
    let scales = scale.floats
    let elements = zip(numbers, own.offsets(of: scale.shape, in: x.shape)).map {
      $0 * scales[$1]
    }
    return [Tensor(rounding: elements, to: type, shape: x.shape)]
  }

  /// Integers of 8 bits, of which there are many where they are weights, as numbers; `nil` for others, and where
  /// parameters are of blocks.
  private static func bytes(
    _ x: Tensor, _ granularity: Granularity, _ scale: Tensor, _ zeroGranularity: Granularity?,
    _ zeroPoint: Tensor?
  ) -> [Float]? {
    guard let own = granularity.runs(in: x.shape),
      let other = (zeroGranularity ?? .tensor).runs(in: x.shape)
    else { return nil }
    let (count, size) = own.count > 1 ? own : other
    let scales = scale.floats
    let zeros = zeroPoint?.integers.map(Int32.init) ?? [0]
    func numbers<Element: BinaryInteger & BitwiseCopyable>(_ type: Element.Type) -> [Float] {
      x.withElements(as: type) { integers in
        [Float](unsafeUninitializedCapacity: integers.count) { elements, initialized in
          for start in stride(from: 0, to: integers.count, by: max(size, 1)) {
            let run = start / size % count
            let (factor, zero) = (
              scales[scales.count > 1 ? run : 0], zeros[zeros.count > 1 ? run : 0]
            )
            for index in start..<(start + size) {
              elements[index] = Float(Int32(truncatingIfNeeded: integers[index]) - zero) * factor
            }
          }
          initialized = integers.count
        }
      }
    }
    switch x.elementType {
    case .int8: return numbers(Int8.self)
    case .uint8: return numbers(UInt8.self)
    default: return nil
    }
  }

  func macs(_ call: Invocation) -> Int { 0 }
}

extension DequantizeLinear: KernelOperator {
  func computation(_ call: Invocation) throws(CompileError) -> Computation? {
    guard call.elementType(1)!.isFloatingPoint, call.results[0].elementType!.isFloatingPoint,
      let type = call.elementType(0),
      let (operandCount, constants) = try Quantization.formulaParameters(call)
    else { return nil }
    let first = operandCount + constants.count
    var instructions: [ElementwiseFormula.Instruction] = []
    switch type {
    case .int8, .uint8:
      if call.operand(2) != nil { instructions.append(.init(.subtract, [0, 2])) }
    case .int32:
      // What the zero point is taken from has to be exact.
      guard ZeroPoints.uniform(call, 2) == 0 else { return nil }
      instructions.append(.init(.fromInt32, [0]))
    default: return nil
    }
    instructions.append(.init(.multiply, [instructions.isEmpty ? 0 : first, 1]))
    return .elementwise(
      ElementwiseFormula(
        operandCount: operandCount, constants: constants, instructions, takesIntegers: true))
  }
}
