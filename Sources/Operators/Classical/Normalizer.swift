import PrunecGraphIR
import PrunecTensors

/// Normalizer (ONNX's classical operators, version 1 to 5): every row of `X [N, C]`, or `[C]`, divided by its greatest
/// element (`norm` MAX), the sum of its absolute values (L1), or the root of the sum of its squares (L2), in float32;
/// a row where that is zero stays as it is.
///
/// Channels: every axis goes with itself. Zeros add nothing to the sums; for MAX the features are pinned.
struct Normalizer: Operator {
  let signature = Signature(
    "Normalizer", domain: Signature.classicalDomain, opsets: 1...5, operands: 1...1,
    attributes: ["norm": .string(Array("MAX".utf8))])

  private enum Norm: String {
    case max = "MAX"
    case l1 = "L1"
    case l2 = "L2"
  }

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    let _: Norm = try call.choice("norm")
    if let rank = call.shape(0)?.count, rank != 1, rank != 2 {
      throw call.malformed("X has \(rank) axes")
    }
    return [ValueFacts(.float32, call.shape(0))]
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    guard let rank = call.shape(0)?.count, rank > 0, let norm: Norm = try? call.choice("norm")
    else { return }
    Broadcasting.relate(call, operands: 0..<1, &relations)
    let features = AxisReference.operand(0, axis: rank - 1)
    if norm == .max {
      relations.pin(features, because: "the greatest of all features is looked for")
    } else {
      relations.sum(over: features)
    }
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    _ = try resolve(call, on: operands)
    let x = operands[0]!
    let norm: Norm = try call.choice("norm")
    var y = x.doubles
    let features = max(x.shape.last ?? 1, 1)
    for start in stride(from: 0, to: y.count, by: features) {
      let row = y[start..<(start + features)]
      let divisor =
        switch norm {
        case .max: row.max() ?? 0
        case .l1: row.reduce(0) { $0 + abs($1) }
        case .l2: row.reduce(0) { $0 + $1 * $1 }.squareRoot()
        }
      guard divisor != 0 else { continue }
      for index in row.indices { y[index] /= divisor }
    }
    return [Tensor(rounding: y, to: .float32, shape: x.shape)]
  }

  func macs(_ call: Invocation) -> Int { 0 }
}
