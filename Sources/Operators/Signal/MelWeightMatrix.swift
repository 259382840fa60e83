import Glibc
import PrunecGraphIR
import PrunecTensors

/// MelWeightMatrix (ONNX opset 17 to 28): the matrix `[dft_length / 2 + 1, num_mel_bins]` that makes a mel spectrum of
/// a spectrum. Column i is a triangle over the bins between three neighbours of `num_mel_bins + 2` frequencies that
/// lie evenly on the mel scale, `2595 log10(1 + f / 700)`, from `lower_edge_hertz` on.
///
/// Channels: rows and columns are frequencies, so that all is pinned.
struct MelWeightMatrix: Operator {
  let signature = Signature(
    "MelWeightMatrix", opsets: 17...28, operands: 5...5,
    attributes: ["output_datatype": .int(1)])

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    let type = try Quantization.type(call, attribute: "output_datatype")
    try call.requireFloatingPoint(3, 4)
    try ZeroPoints.requireOne(call, 3, 4)
    let (bins, length) = (try call.extent(givenBy: 0), try call.extent(givenBy: 1))
    try call.requireIntegerList(2)
    let rows = length.fixedExtent.map { Dimension.fixed($0 / 2 + 1) } ?? .unknown
    return [ValueFacts(type, [rows, bins])]
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    for axis in 0..<2 {
      relations.pin(.result(axis: axis), because: "its indices are frequencies")
    }
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    let facts = try resolve(call, on: operands).results[0]
    let shape = facts.fixedShape!
    let length = operands[1]!.integers[0]
    let rate = operands[2]!.integers[0]
    func mel(_ operand: Int) -> Double { 2595 * log10(1 + operands[operand]!.doubles[0] / 700) }
    let (lower, upper) = (mel(3), mel(4))
    let step = (upper - lower) / Double(shape[1] + 2)
    let places = (0..<(shape[1] + 2)).map { index in
      let hertz = 700 * (pow(10, (Double(index) * step + lower) / 2595) - 1)
      return floor(Double(length + 1) * hertz / Double(rate))
    }
    guard rate > 0, zip(places, places.dropFirst()).allSatisfy({ $0 <= $1 }),
      places.allSatisfy({ $0 >= 0 && $0 < Double(shape[0]) })
    else {
      throw call.malformed("a frequency is out of range")
    }
    let bins = places.map { Int($0) }
    var y = [Double](repeating: 0, count: shape.elementCount)
    for column in 0..<shape[1] {
      let (left, center, right) = (bins[column], bins[column + 1], bins[column + 2])
      if left == center {
        y[center * shape[1] + column] = 1
      } else {
        for row in left..<(center + 1) {
          y[row * shape[1] + column] = Double(row - left) / Double(center - left)
        }
      }
      for row in center..<right {
        y[row * shape[1] + column] = Double(right - row) / Double(right - center)
      }
    }
    guard let type = facts.elementType,
      let result = Tensor(.float64, shape: shape, elements: y).converted(to: type)
    else { throw call.unsupported("a matrix of this type is not evaluated") }
    return [result]
  }

  func macs(_ call: Invocation) -> Int { 0 }
}
