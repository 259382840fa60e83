import PrunecGraphIR
import PrunecTensors

/// NonZero (ONNX opset 9 to 28): `Y [r, n]`, int64, the indices of the n elements of `X [d1 ... dr]` that
/// are not zero, in row-major order.
///
/// Channels: everything depends on every element, so that all axes are pinned.
struct NonZero: DiscontinuousOperator {
  let signature = Signature("NonZero", opsets: 9...28, operands: 1...1)

  /// The offsets of elements that are not zero; `nil` for types that have no zero.
  private func places(_ tensor: Tensor) -> [Int]? {
    guard tensor.hasData, tensor.elementType.isNumeric else { return nil }
    if tensor.elementType.isFloatingPoint {
      return tensor.doubles.enumerated().filter { $1 != 0 }.map(\.offset)
    }
    return tensor.integers.enumerated().filter { $1 != 0 }.map(\.offset)
  }

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    let count = call.operand(0)?.constant.flatMap(places)?.count
    let rank = call.shape(0).map { Dimension.fixed($0.count) }
    return [ValueFacts(.int64, [rank ?? .unknown, count.map { .fixed($0) } ?? .unknown])]
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    for axis in (call.shape(0) ?? []).indices {
      relations.pin(.operand(0, axis: axis), because: "elements are searched for")
    }
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    _ = try resolve(call, on: operands)
    let x = try call.tensor(0, of: operands)
    guard let places = places(x) else {
      throw call.unsupported("NonZero of \(x.elementType.name) is not evaluated")
    }
    let strides = x.shape.rowMajorStrides
    let indices = x.shape.indices.flatMap { axis in
      places.map { $0 / strides[axis] % x.shape[axis] }
    }
    return [Tensor(indices, shape: [x.rank, places.count])]
  }

  func macs(_ call: Invocation) -> Int { 0 }
}
