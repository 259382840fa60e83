import PrunecGraphIR
import PrunecTensors

/// Cast (ONNX opset 7 to 28): every element converted to the element type `to`, of any shape.
/// Floating point numbers are truncated towards zero on the way to integers; integers wrap around.
/// Cases that ONNX leaves open (numbers that do not fit, NaN as an integer) saturate, with NaN as zero, and wrap
/// around where integers have less than eight bits, as onnx's reference has it. So saturate
/// numbers beyond the range of floating point types of eight bits, unless `saturate` is 0: then they
/// become infinite or NaN.
///
/// Channels: every axis goes with itself.
struct Cast: DiscontinuousOperator {
  let signature = Signature(
    "Cast", operands: 1...1,
    attributes: [
      "round_mode": .string(Array("up".utf8)), "saturate": .int(1), "to": nil,
    ])

  private func target(_ call: Invocation) throws(CompileError) -> ElementType {
    let number = try call.requiredInt("to")
    guard let type = Int32(exactly: number).flatMap(ElementType.init(rawValue:)) else {
      throw call.malformed("there is no element type \(number)")
    }
    return type
  }

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    let type = try target(call)
    guard let operand = call.operand(0) else { return [ValueFacts(type, nil)] }
    return [ValueFacts(type, operand.shape, contents: contents(operand, type))]
  }

  private func contents(_ operand: ValueFacts, _ type: ElementType) -> ValueFacts.Contents {
    guard let elements = operand.shapeElements else { return .unknown }
    return .integers(
      elements.map { element in
        guard type == .bool else { return element.fitting(type) }
        guard case .fixed(let number) = element else { return .unknown }
        return .fixed(number == 0 ? 0 : 1)
      })
  }

  func isDiscontinuous(_ call: Invocation) -> Bool {
    call.readsComputedFractions && (try? target(call))?.isFloatingPoint != true
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    for axis in (call.shape(0) ?? []).indices {
      relations.equal(.operand(0, axis: axis), .result(axis: axis))
    }
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    _ = try resolve(call, on: operands)
    let operand = try call.tensor(0, of: operands)
    let type = try target(call)
    let saturates = try call.requiredInt("saturate") != 0
    guard let converted = operand.converted(to: type, saturates: saturates) else {
      throw call.unsupported(
        "a cast from \(operand.elementType.name) to \(type.name) is not evaluated")
    }
    return [converted]
  }

  func macs(_ call: Invocation) -> Int { 0 }
}

extension Cast: KernelOperator {
  func computation(_ call: Invocation) throws(CompileError) -> Computation? {
    .conversion(from: call.elementType(0)!, to: try target(call))
  }
}

extension Computation {
  /// Kernels compute in single precision, whatever the floating point type.
  static func conversion(from source: ElementType, to target: ElementType) -> Computation? {
    if source.isFloatingPoint && target.isFloatingPoint { return .views([[]]) }
    switch (source, target) {
    case (.bool, _) where target.isFloatingPoint, (.int8, _) where target.isFloatingPoint,
      (.uint8, _) where target.isFloatingPoint:
      return .elementwise(.unary(.activate(.identity), takesIntegers: true))
    case (.int32, _) where target.isFloatingPoint:
      return .elementwise(.unary(.fromInt32, takesIntegers: true))
    case (.bool, .int32), (.int8, .int32), (.uint8, .int32),
      (_, .int32) where source.isFloatingPoint:
      return .elementwise(.unary(.toInt32, takesIntegers: true))
    case (_, .bool) where source.isFloatingPoint:
      return .elementwise(
        ElementwiseFormula(
          operandCount: 1, [.init(.number(0), []), .init(.equal, [0, 1]), .init(.not, [2])]))
    default: return nil
    }
  }
}

extension ElementType {
  /// Whether prunec computes with the type: numbers of whole bytes, and booleans.
  var isNumeric: Bool { isFloatingPoint || isInteger || self == .bool }

  /// Whether prunec converts from and to the type: numbers that it computes with, and narrower ones.
  fileprivate var isConvertible: Bool { isNumeric || isNarrowInteger || isNarrowFloat }
}

extension Tensor {
  /// The elements converted as `Cast` does; `nil` for types that prunec does not compute with.
  /// `saturates` says what becomes of numbers beyond the range of a narrow floating point type.
  package func converted(to type: ElementType, saturates: Bool = true) -> Tensor? {
    if type == elementType { return self }
    guard hasData, type.isConvertible, elementType.isConvertible else { return nil }
    let hasFractions = elementType.isFloatingPoint || elementType.isNarrowFloat
    if type == .bool {
      let truths: [UInt8] =
        hasFractions ? doubles.map { $0 == 0 ? 0 : 1 } : integers.map { $0 == 0 ? 0 : 1 }
      return Tensor(.bool, shape: shape, elements: truths)
    }
    if type.isNarrowFloat {
      return Tensor(narrowing: doubles, to: type, saturates: saturates, shape: shape)
    }
    if type.isFloatingPoint { return Tensor(rounding: doubles, to: type, shape: shape) }
    if hasFractions {
      let range = (type.bitWidth < 8 ? .int64 : type).integerRange
      return Tensor(
        wrapping: doubles.map { value in
          if value.isNaN { return 0 }
          // Doubles from 2^63 on do not fit, and the bound itself rounds up to 2^63.
          if value >= Double(range.upperBound) { return range.upperBound }
          return value <= Double(range.lowerBound) ? range.lowerBound : Int(value)
        }, to: type, shape: shape)
    }
    if elementType == .uint64, type == .int64 {
      return Tensor(.int64, shape: shape, elements: array(of: UInt64.self))
    }
    return Tensor(wrapping: integers, to: type, shape: shape)
  }
}
