import PrunecGraphIR
import PrunecTensors

/// The poolings of quantised images of onnxruntime's own operators, version 1: the means of windows, as AveragePool takes
/// them (QLinearAveragePool), or of whole planes (QLinearGlobalAveragePool), quantised. They differ in nothing but the
/// operator of ONNX that they pool as.
///
/// `X` and `Y` are integers of eight bits with one scale and zero point for each, `[N, C, D1 ... Dn]`, or
/// `[N, D1 ... Dn, C]` with `channels_last`.
///
/// Channels: each is pooled by itself.
struct QLinearPooling: Operator {
  let signature: Signature
  /// Operator of ONNX on the numbers that the integers stand for, channels second.
  private let pooling: any Operator

  private static let (x, y) = (QuantizedOperand(at: 0), QuantizedOperand(resultWithScale: 3))

  private init(_ pooling: any Operator, attributes: [String: Attribute.Value?]) {
    self.pooling = pooling
    signature = Signature(
      "QLinear" + pooling.signature.operation.type, domain: Signature.runtimeDomain, opsets: 1...1,
      operands: 2...5, attributes: attributes.merging(["channels_last": .int(0)]) { $1 })
  }

  /// One operator for each that it pools as.
  static let all: [QLinearPooling] =
    [
      QLinearPooling(
        AveragePool(),
        attributes: Pooling.attributes.merging(["count_include_pad": .int(0)]) { $1 })
    ]
    + GlobalPooling.all.filter { $0.signature.operation.type == "GlobalAveragePool" }
    .map { QLinearPooling($0, attributes: [:]) }

  private func isChannelsLast(_ call: Invocation) -> Bool { call.int("channels_last") != 0 }

  /// For each axis of a tensor whose channels come second, which one it is where they come last.
  private func order(_ rank: Int) -> [Int] { [0, rank - 1] + Array(1..<(rank - 1)) }
  private func inverse(_ rank: Int) -> [Int] { [0] + Array(2..<rank) + [1] }

  private func twin(_ call: Invocation, _ x: ValueFacts?) -> Invocation {
    call.floatTwin(pooling.signature, opset: 19, operands: [x])
  }

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    for operand in [Self.x, Self.y] { try operand.check(call) }
    let type = try call.commonElementType([0, 4])
    guard let shape = call.shape(0) else { return [ValueFacts(type, nil)] }
    guard shape.count > 2 else { throw call.malformed("X has \(shape.count) axes") }
    let input = isChannelsLast(call) ? order(shape.count).map { shape[$0] } : shape
    let result = try pooling.inferFacts(twin(call, ValueFacts(.float32, input)))[0].shape
    guard isChannelsLast(call) else { return [ValueFacts(type, result)] }
    return [ValueFacts(type, result.map { result in inverse(result.count).map { result[$0] } })]
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    guard Self.x.isSingle(call), Self.y.isSingle(call), let rank = call.shape(0)?.count, rank > 2
    else { return }
    let channels = isChannelsLast(call) ? rank - 1 : 1
    for axis in 0..<rank {
      if axis == 0 || axis == channels {
        relations.equal(.operand(0, axis: axis), .result(axis: axis))
      } else {
        relations.pin(.operand(0, axis: axis), because: "it is pooled over")
        relations.pin(.result(axis: axis), because: "it is pooled over")
      }
    }
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    let call = try resolve(call, on: operands)
    var numbers = Self.x.numbers(operands)
    if isChannelsLast(call) { numbers = numbers.transposed(order(numbers.rank)) }
    let twin = twin(call, ValueFacts(constant: numbers))
    var pooled = try pooling.evaluate(twin, [numbers])[0]
    if isChannelsLast(call) { pooled = pooled.transposed(inverse(pooled.rank)) }
    return [Self.y.quantized(pooled, to: call.results[0].elementType!, operands)]
  }

  func macs(_ call: Invocation) -> Int { 0 }
}
