import Glibc
import PrunecGraphIR
import PrunecTensors

/// The poolings over whole planes: `Y[n, c]` is computed from all elements of `X[n, c]`;
/// `X [N, C, D1 ... Dn]`, `Y [N, C, 1 ... 1]`. They differ in nothing but the formula.
///
/// ONNX opset 7 to 28: GlobalAveragePool (the mean), GlobalMaxPool (the greatest element) and
/// GlobalLpPool (`(sum of |x|^p)^(1/p)`).
///
/// Channels: each is pooled by itself.
package struct GlobalPooling: Operator {
  package let signature: Signature
  /// The formula, given a plane and `p`.
  private let formula: @Sendable (UnsafeBufferPointer<Float>, Int) -> Float

  private let reduction: ReductionKind?

  private init(
    _ type: String, _ reduction: ReductionKind?, attributes: [String: Attribute.Value?] = [:],
    _ formula: @escaping @Sendable (UnsafeBufferPointer<Float>, Int) -> Float
  ) {
    signature = Signature(type, operands: 1...1, attributes: attributes)
    self.formula = formula
    self.reduction = reduction
  }

  /// One operator for each formula.
  package static let all: [GlobalPooling] = [
    GlobalPooling("GlobalAveragePool", .mean) { plane, _ in
      var sum = 0.0
      for element in plane { sum += Double(element) }
      return Float(sum / Double(plane.count))
    },
    GlobalPooling("GlobalMaxPool", .maximum) { plane, _ in
      var greatest = -Float.infinity
      for element in plane { greatest = max(greatest, element) }
      return greatest
    },
    GlobalPooling("GlobalLpPool", nil, attributes: ["p": .int(2)]) { plane, p in
      var sum = 0.0
      for element in plane { sum += pow(abs(Double(element)), Double(p)) }
      return Float(pow(sum, 1 / Double(p)))
    },
  ]

  private func exponent(_ call: Invocation) throws(CompileError) -> Int {
    guard signature.attributes["p"] != nil else { return 1 }
    let p = try call.requiredInt("p")
    guard p >= 1 else { throw call.malformed("p is \(p)") }
    return p
  }

  package func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    try call.requireFloatingPoint(0)
    _ = try exponent(call)
    guard let input = call.shape(0) else { return [ValueFacts(call.elementType(0), nil)] }
    guard input.count >= 2 else { throw call.malformed("X has \(input.count) axes") }
    let ones = [Dimension](repeating: .fixed(1), count: input.count - 2)
    return [ValueFacts(call.elementType(0), input[..<2] + ones)]
  }

  package func relate(_ call: Invocation, _ relations: inout Relations) {
    Pooling.relate(call, &relations)
  }

  package func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  package func evaluate(
    _ call: Invocation, _ operands: [Tensor?]
  ) throws(CompileError) -> [Tensor] {
    let shape = try resolve(call, on: operands).results[0].fixedShape!
    let x = operands[0]!
    let p = try exponent(call)
    let planeCount = x.shape[2...].reduce(1, *)
    let y = x.floats.withUnsafeBufferPointer { source in
      (0..<shape.elementCount).map { plane in
        let start = plane * planeCount
        return formula(UnsafeBufferPointer(rebasing: source[start..<(start + planeCount)]), p)
      }
    }
    return [Tensor(rounding: y, to: x.elementType, shape: shape)]
  }

  package func macs(_ call: Invocation) -> Int { 0 }
}

extension GlobalPooling: KernelOperator {
  package func computation(_ call: Invocation) throws(CompileError) -> Computation? {
    reduction.map { .reduction($0, axes: Array(2..<call.shape(0)!.count)) }
  }
}
