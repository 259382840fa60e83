import PrunecGraphIR
import PrunecTensors

/// AffineGrid (ONNX opset 20 to 28): the places at which to sample images of `size [N, C, d1 ... dr]`,
/// r 2 or 3, for the affine maps `theta [N, r, r + 1]`: `grid [N, d1 ... dr, r]`, what GridSample takes.
///
/// Channels: places are no channels, so that all axes are pinned.
struct AffineGrid: Operator {
  let signature = Signature(
    "AffineGrid", opsets: 20...28, operands: 2...2, attributes: ["align_corners": .int(0)])

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    let type = call.elementType(0)
    _ = try call.requiredInt("align_corners")
    try call.requireFloatingPoint(0)
    try call.requireIntegerList(1)
    let theta = call.shape(0)
    if let theta, theta.count != 3 { throw call.malformed("theta has \(theta.count) axes") }
    guard
      let size = call.operand(1)?.integers
        ?? call.unknownExtents(countedByOperand: 1)?.map(\.extent)
    else { return [ValueFacts(type, nil)] }
    guard size.count == 4 || size.count == 5 else {
      throw call.malformed("the size has \(size.count) elements")
    }
    let rank = size.count - 2
    let expected = [size[0], .fixed(rank), .fixed(rank + 1)]
    for (dimension, expected) in zip(theta ?? [], expected) {
      if let a = dimension.fixedExtent, let b = expected.number, a != b {
        throw call.malformed("theta has an extent of \(a) instead of \(b)")
      }
    }
    if let extent = size.lazy.compactMap(\.number).first(where: { $0 < 1 }) {
      throw call.malformed("an extent is \(extent)")
    }
    let shape = [size[0]] + size[2...] + [.fixed(rank)]
    return [ValueFacts(type, shape.map { Dimension($0) })]
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {}

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    let shape = try resolve(call, on: operands).results[0].fixedShape!
    let theta = try call.tensor(0, of: operands)
    let alignsCorners = try call.requiredInt("align_corners") != 0
    let image = Array(shape[1..<(shape.count - 1)])
    let rank = image.count
    let strides = image.rowMajorStrides
    let maps = theta.doubles
    var grid: [Double] = []
    grid.reserveCapacity(shape.elementCount)
    for n in 0..<shape[0] {
      for place in 0..<image.elementCount {
        // The last axis comes first.
        let point = image.indices.reversed().map { axis in
          Self.position(place / strides[axis] % image[axis], image[axis], alignsCorners)
        }
        for row in 0..<rank {
          let start = (n * rank + row) * (rank + 1)
          grid.append(
            point.indices.reduce(maps[start + rank]) { $0 + maps[start + $1] * point[$1] })
        }
      }
    }
    return [Tensor(rounding: grid, to: theta.elementType, shape: shape)]
  }

  /// Where the middle of element `index` lies on an axis that goes from -1 to 1.
  private static func position(_ index: Int, _ extent: Int, _ alignsCorners: Bool) -> Double {
    guard alignsCorners else { return (2 * Double(index) + 1) / Double(extent) - 1 }
    return extent == 1 ? -1 : 2 * Double(index) / Double(extent - 1) - 1
  }

  func macs(_ call: Invocation) -> Int { 0 }
}
