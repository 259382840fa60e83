import PrunecGraphIR
import PrunecTensors

/// MaxPool (ONNX opset 7 to 28): `Y[n, c, e...]` is the greatest element of the window at `e` in
/// `X[n, c]`, padding left out; `X [N, C, D1 ... Dn]`, `Y [N, C, E1 ... En]`. `Indices`, of Y's
/// shape (opset 8 on), are where these elements lie in the flattened X; with `storage_order` 1,
/// each plane counts column-major.
///
/// Channels: each is pooled by itself. The indices count over all channels, so where they are asked
/// for nothing may be cut.
package struct MaxPool: DiscontinuousOperator {
  package let signature = Signature(
    "MaxPool", operands: 1...1, results: 1...2,
    attributes: Pooling.attributes.merging(["storage_order": .int(0)]) { $1 })

  package init() {}

  package func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    try call.requireFloatingPoint(0, or: [.int8, .uint8])
    _ = try call.requiredInt("storage_order")
    let shape = try Pooling.shape(call)
    return call.forResults([ValueFacts(call.elementType(0), shape), ValueFacts(.int64, shape)])
  }

  /// The places of maxima jump, the maxima do not.
  package func isDiscontinuous(_ call: Invocation) -> Bool {
    call.results.count > 1 && call.readsComputedFractions
  }

  package func relate(_ call: Invocation, _ relations: inout Relations) {
    Pooling.relate(call, &relations)
    guard call.results.count > 1 else { return }
    for axis in 0..<(call.shape(0)?.count ?? 0) {
      relations.pin(
        .operand(0, axis: axis), because: "the indices that MaxPool gives count over the whole X")
    }
  }

  package func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  package func evaluate(
    _ call: Invocation, _ operands: [Tensor?]
  ) throws(CompileError) -> [Tensor] {
    let shape = try resolve(call, on: operands).results[0].fixedShape!
    let x = operands[0]!
    let windows = try Pooling.windows(call, x.shape)
    let planes = x.shape[0] * x.shape[1]
    let source = x.floats
    let y = windows.pool(source, planes: planes) { plane, offsets, _ in
      var greatest = -Float.infinity
      for offset in offsets { greatest = max(greatest, plane[offset]) }
      return greatest
    }
    let result: Tensor
    if x.elementType.isFloatingPoint {
      result = Tensor(rounding: y, to: x.elementType, shape: shape)
    } else {
      // Eight-bit integers, exact in Float; a window of padding alone holds the least of them.
      let least = Float(x.elementType.integerRange.lowerBound)
      result = Tensor(wrapping: y.map { Int(max($0, least)) }, to: x.elementType, shape: shape)
    }
    guard call.results.count > 1 else { return [result] }
    let columnMajor = call.int("storage_order") != 0
    return [result, Tensor(indices(source, windows, planes, columnMajor), shape: shape)]
  }

  private func indices(
    _ source: [Float], _ windows: PoolingWindows, _ planes: Int, _ columnMajor: Bool
  ) -> [Int] {
    let planeCount = windows.input.elementCount
    let windowCount = windows.starts.count - 1
    var indices = [Int](repeating: 0, count: planes * windowCount)
    for plane in 0..<planes {
      for window in 0..<windowCount {
        let offsets = windows.offsets[windows.starts[window]..<windows.starts[window + 1]]
        var (best, greatest) = (0, -Float.infinity)
        for offset in offsets where source[plane * planeCount + offset] > greatest {
          (best, greatest) = (offset, source[plane * planeCount + offset])
        }
        if columnMajor { best = Self.columnMajor(best, windows.input) }
        indices[plane * windowCount + window] = plane * planeCount + best
      }
    }
    return indices
  }

  /// The column-major offset of the element at row-major `offset`.
  private static func columnMajor(_ offset: Int, _ shape: [Int]) -> Int {
    var (rest, result) = (offset, 0)
    var weight = shape.elementCount
    for extent in shape.reversed() {
      weight /= extent
      result += rest % extent * weight
      rest /= extent
    }
    return result
  }

  package func macs(_ call: Invocation) -> Int { 0 }
}

extension MaxPool: KernelOperator {
  package func computation(_ call: Invocation) throws(CompileError) -> Computation? {
    guard call.results.count == 1, call.elementType(0)!.isFloatingPoint else { return nil }
    return try Pooling.computation(call, .maximum)
  }
}
