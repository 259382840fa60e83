import PrunecGraphIR
import PrunecTensors

/// Form that the poolings of quantised images share: `X` and `Y` in integers of eight bits, with one scale and zero point
/// for each, `[N, C, D1 ... Dn]`, or `[N, D1 ... Dn, C]` with `channels_last`. They pool as an operator of ONNX does.
struct QuantizedPooling {
  static let (x, y) = (QuantizedOperand(at: 0), QuantizedOperand(resultWithScale: 3))

  let call: Invocation
  let isChannelsLast: Bool

  init(_ call: Invocation) throws(CompileError) {
    self.call = call
    isChannelsLast = try call.requiredInt("channels_last") != 0
  }

  /// For each axis of a tensor whose channels come second, which one it is where they come last.
  private func order(_ rank: Int) -> [Int] { [0, rank - 1] + Array(1..<(rank - 1)) }
  private func inverse(_ rank: Int) -> [Int] { [0] + Array(2..<rank) + [1] }

  private func twin(_ pooling: some Operator, _ x: ValueFacts?) -> Invocation {
    call.floatTwin(pooling.signature, opset: 19, operands: [x])
  }

  func inferFacts(_ pooling: some Operator) throws(CompileError) -> [ValueFacts] {
    for operand in [Self.x, Self.y] { try operand.check(call) }
    let type = try call.commonElementType([0, 4])
    guard let shape = call.shape(0) else { return [ValueFacts(type, nil)] }
    guard shape.count > 2 else { throw call.malformed("X has \(shape.count) axes") }
    let input = isChannelsLast ? order(shape.count).map { shape[$0] } : shape
    let result = try pooling.inferFacts(twin(pooling, ValueFacts(.float32, input)))[0].shape
    return [
      ValueFacts(type, isChannelsLast ? result.map { r in inverse(r.count).map { r[$0] } } : result)
    ]
  }

  func relate(_ relations: inout Relations) {
    guard Self.x.isSingle(call), Self.y.isSingle(call), let rank = call.shape(0)?.count, rank > 2
    else { return }
    let channels = isChannelsLast ? rank - 1 : 1
    for axis in 0..<rank {
      if axis == 0 || axis == channels {
        relations.equal(.operand(0, axis: axis), .result(axis: axis))
      } else {
        relations.pin(.operand(0, axis: axis), because: "it is pooled over")
        relations.pin(.result(axis: axis), because: "it is pooled over")
      }
    }
  }

  func evaluate(
    _ pooling: some Operator, _ operands: [Tensor?], to type: ElementType
  ) throws(CompileError) -> [Tensor] {
    var numbers = Self.x.numbers(operands)
    if isChannelsLast { numbers = numbers.transposed(order(numbers.rank)) }
    var pooled = try pooling.evaluate(twin(pooling, ValueFacts(constant: numbers)), [numbers])[0]
    if isChannelsLast { pooled = pooled.transposed(inverse(pooled.rank)) }
    return [Self.y.quantized(pooled, to: type, operands)]
  }
}
