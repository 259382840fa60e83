import Glibc
import PrunecGraphIR
import PrunecTensors

/// The windows that frames of signals are multiplied with: a vector of `size` elements
/// `a0 - a1 cos(2 pi n / N) + a2 cos(4 pi n / N)`, where N is `size` or, with `periodic` 0, one less. They differ in
/// nothing but the coefficients.
///
/// ONNX opset 17 to 28: HannWindow, HammingWindow, BlackmanWindow.
///
/// Channels: the elements are positions, so that the axis is pinned.
struct SignalWindow: Operator {
  let signature: Signature
  private let coefficients: [Double]

  private init(_ type: String, _ coefficients: [Double]) {
    signature = Signature(
      type, opsets: 17...28, operands: 1...1,
      attributes: ["output_datatype": .int(1), "periodic": .int(1)])
    self.coefficients = coefficients
  }

  /// One operator for each set of coefficients.
  static let all = [
    SignalWindow("BlackmanWindow", [0.42, 0.5, 0.08]),
    SignalWindow("HammingWindow", [25 / 46, 21 / 46, 0]),
    SignalWindow("HannWindow", [0.5, 0.5, 0]),
  ]

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    _ = try call.requiredInt("periodic")
    let type = try Quantization.type(call, attribute: "output_datatype")
    return [ValueFacts(type, [try call.extent(givenBy: 0)])]
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    relations.pin(.result(axis: 0), because: "the elements are positions")
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    let facts = try resolve(call, on: operands).results[0]
    let size = facts.fixedShape![0]
    let length = try call.requiredInt("periodic") != 0 ? size : size - 1
    let elements = (0..<size).map { index in
      let angle = 2 * Double.pi * Double(index) / Double(length)
      return coefficients[0] - coefficients[1] * cos(angle) + coefficients[2] * cos(2 * angle)
    }
    guard let type = facts.elementType,
      let result = Tensor(.float64, shape: [size], elements: elements).converted(to: type)
    else { throw call.unsupported("a window of this type is not evaluated") }
    return [result]
  }

  func macs(_ call: Invocation) -> Int { 0 }
}

extension Invocation {
  /// The extent that operand `index`, a scalar of integers, says.
  func extent(givenBy index: Int) throws(CompileError) -> Dimension {
    try requireIntegerList(index)
    guard let integers = operand(index)?.integers else { return .unknown }
    guard integers.count == 1 else {
      throw malformed("operand \(index) has \(integers.count) elements")
    }
    if let number = integers[0].number, number < 0 { throw malformed("an extent is \(number)") }
    return Dimension(integers[0])
  }
}
