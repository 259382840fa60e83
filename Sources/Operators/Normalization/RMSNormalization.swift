/// RMSNormalization (ONNX opset 23 to 28): `Y = X / sqrt(mean of X^2 + epsilon) * Scale`, the mean
/// over the axes from `axis` on; `X`, `Y [d0 ... dn]`, and `Scale` broadcasts to X.
///
/// Channels: every axis of X is that of Y, and of Scale where it is not stretched. A single
/// normalised axis may be cut; the mean is then over what stays.
public struct RMSNormalization: Operator {
  public let signature = Signature(
    "RMSNormalization", opsets: 23...28, operands: 2...2,
    attributes: ["axis": .int(-1), "epsilon": .float(1e-5), "stash_type": .int(1)])

  public init() {}

  public func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    try call.requireFloatingPoint(0, 1)
    _ = try call.requiredFloat("epsilon")
    // Y has the type of Scale, which may differ from that of X.
    let type = call.elementType(1) ?? call.elementType(0)
    guard let shape = call.shape(0) else { return [ValueFacts(type, nil)] }
    _ = try TrailingNormalization.firstAxis(call, rank: shape.count, scales: 1..<2)
    return [ValueFacts(type, shape)]
  }

  public func relate(_ call: Invocation, _ relations: inout Relations) {
    TrailingNormalization.relate(call, operands: 0..<2, &relations)
  }

  public func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  public func evaluate(
    _ call: Invocation, _ operands: [Tensor?]
  ) throws(CompileError) -> [Tensor] {
    let type = try resolve(call, on: operands).results[0].elementType!
    let (x, scale) = (operands[0]!, operands[1]!)
    let axis = try call.normalizedAxis(call.requiredInt("axis"), rank: x.rank)
    let (rows, count) = (x.shape[..<axis].reduce(1, *), x.shape[axis...].reduce(1, *))
    let epsilon = Double(call.float("epsilon")!)
    let (source, scales) = (x.floats, scale.floats)
    let scaleOffsets = Broadcasting.offsets(of: scale.shape, in: x.shape)
    var y = [Float](repeating: 0, count: x.count)
    for row in 0..<rows {
      let range = (row * count)..<((row + 1) * count)
      var squares = 0.0
      for index in range { squares += Double(source[index]) * Double(source[index]) }
      let factor = 1 / (squares / Double(count) + epsilon).squareRoot()
      for index in range {
        y[index] = Float(Double(source[index]) * factor) * scales[scaleOffsets[index]]
      }
    }
    return [Tensor(rounding: y, to: type, shape: x.shape)]
  }

  public func macs(_ call: Invocation) -> Int { 0 }
}
