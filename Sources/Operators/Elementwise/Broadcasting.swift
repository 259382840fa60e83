import PrunecGraphIR
import PrunecTensors

/// Multidirectional broadcasting, as numpy does it (ONNX, "Broadcasting in ONNX").
enum Broadcasting {
  /// The shape that `shapes` broadcast to; `nil` where a rank is unknown.
  static func shape(
    of shapes: [[Dimension]?], _ call: Invocation
  ) throws(CompileError) -> [Dimension]? {
    var result: [Dimension] = []
    for shape in shapes {
      guard let shape else { return nil }
      if shape.count > result.count {
        result = [Dimension](repeating: .fixed(1), count: shape.count - result.count) + result
      }
      let offset = result.count - shape.count
      for (axis, dimension) in shape.enumerated() {
        result[offset + axis] = try merge(result[offset + axis], dimension, call)
      }
    }
    return result
  }

  private static func merge(
    _ a: Dimension, _ b: Dimension, _ call: Invocation
  ) throws(CompileError) -> Dimension {
    switch (a.extent, b.extent) {
    case (.fixed(1), _): return b
    case (_, .fixed(1)): return a
    case (.fixed(let x), .fixed(let y)):
      guard x == y else { throw call.malformed("extents \(x) and \(y) do not broadcast") }
      return a
    // A number other than one decides: the unknown extent is that number or one.
    case (.fixed, _): return a
    case (_, .fixed): return b
    case (.symbol(let x), .symbol(let y)) where x == y: return a
    default: return .unknown
    }
  }

  /// The shape that fixed `shapes` broadcast to, which inference has found possible.
  static func shape(of shapes: [[Int]]) -> [Int] {
    let rank = shapes.map(\.count).max() ?? 0
    var result = [Int](repeating: 1, count: rank)
    for shape in shapes {
      for (axis, extent) in shape.enumerated() where extent != 1 {
        result[rank - shape.count + axis] = extent
      }
    }
    return result
  }

  /// Ties every axis of the operands to the result's axis that it becomes. An axis of extent one
  /// that is stretched asks for nothing; one whose extent is not known might be of any and pins.
  static func relate(
    _ call: Invocation, operands: some Sequence<Int>, _ relations: inout Relations
  ) {
    guard call.hasAllRanks, let output = call.results.first?.fixedExtents else { return }
    for index in operands {
      let extents = call.operand(index)?.fixedExtents ?? []
      guard !extents.isEmpty, extents.count <= output.count else { continue }
      let offset = output.count - extents.count
      for axis in extents.indices {
        let target = AxisReference.result(axis: offset + axis)
        if extents[axis] == nil {
          relations.pin(target, because: "an operand's extent along the axis is not known")
        } else if extents[axis] == output[offset + axis] {
          relations.equal(.operand(index, axis: axis), target)
        }
      }
    }
  }

  /// For every element of `shape`, in order, the offset of the element of an operand of
  /// `operandShape` that broadcasts to it.
  static func offsets(of operandShape: [Int], in shape: [Int]) -> [Int] {
    let lead = shape.count - operandShape.count
    let operandStrides = operandShape.rowMajorStrides
    var strides = [Int](repeating: 0, count: shape.count)
    for (axis, extent) in operandShape.enumerated() where extent != 1 {
      strides[lead + axis] = operandStrides[axis]
    }
    var offsets = [0]
    offsets.reserveCapacity(shape.elementCount)
    for axis in shape.indices {
      var next: [Int] = []
      next.reserveCapacity(offsets.count * shape[axis])
      for offset in offsets {
        for index in 0..<shape[axis] { next.append(offset + index * strides[axis]) }
      }
      offsets = next
    }
    return offsets
  }
}

extension Tensor {
  /// The tensor broadcast to `shape`, to which it can be.
  func stretched(to shape: [Int]) -> Tensor {
    if self.shape == shape { return self }
    let lead = shape.count - rank
    let own = self.shape.rowMajorStrides
    var strides = [Int](repeating: 0, count: shape.count)
    for (axis, extent) in self.shape.enumerated() where extent != 1 {
      strides[lead + axis] = own[axis]
    }
    return strided(shape: shape, strides: strides)
  }
}
