import PrunecGraphIR
import PrunecOperators
import PrunecTensors

/// Scattering: updates may meet in one place, so that they are made one after the other on one thread.
extension Planner {
  mutating func lowerScatter(
    _ id: NodeID, axis: Int, _ reduction: ScatterReduction
  ) throws(CompileError) -> Bool {
    guard let views = try operandViews(id), let data = views[0], let places = views[1],
      let given = views[2], let output = graph[id].outputs[0],
      places.type == .int64 || places.type == .int32, data.type == .float32,
      data.shape.elementCount > 0, places.shape.elementCount > 0
    else { return false }
    let order = Array(data.shape.indices)
    let indices = dense(places, order: order, for: id)
    let updates = dense(given, order: order, for: id)
    let y = result(output)
    addCopy(id, from: data, to: y)
    let scatter = Scatter(
      shape: places.shape, strides: y.strides, axis: axis, extent: data.shape[axis])
    let location = graph.location(of: id)
    steps.append(
      Step(
        [id], "scatter", reads: [indices.buffer, updates.buffer, y.buffer], writes: [y.buffer],
        operations: places.shape.elementCount
      ) { memory in
        .preparation(
          { (memory) throws(CompileError) in
            let (target, updates) = (memory.floats(y), memory.floats(updates))
            let outside =
              indices.type == .int64
              ? scatter.run(
                memory[indices].assumingMemoryBound(to: Int64.self), updates, target, reduction)
              : scatter.run(
                memory[indices].assumingMemoryBound(to: Int32.self), updates, target, reduction)
            if let outside {
              throw CompileError(
                .malformed, "index \(outside) is out of range for an extent of \(scatter.extent)",
                at: location)
            }
          }, memory)
      })
    return true
  }
}

/// Places that the updates of a scattering go to.
private struct Scatter {
  /// The extents of indices and updates, and the strides of the result.
  let shape, strides: [Int]
  /// The axis that indices count along, and its extent in the result.
  let axis, extent: Int

  /// Makes all updates, in row-major order. The first index that is out of range is returned, and ends it.
  func run<Index: FixedWidthInteger>(
    _ indices: UnsafePointer<Index>, _ updates: UnsafePointer<Float>,
    _ y: UnsafeMutablePointer<Float>, _ reduction: ScatterReduction
  ) -> Int? {
    switch reduction {
    case .none: run(indices, updates, y) { $1 }
    case .add: run(indices, updates, y) { $0 + $1 }
    case .mul: run(indices, updates, y) { $0 * $1 }
    case .max: run(indices, updates, y) { max($0, $1) }
    case .min: run(indices, updates, y) { min($0, $1) }
    }
  }

  @inline(__always)
  private func run<Index: FixedWidthInteger>(
    _ indices: UnsafePointer<Index>, _ updates: UnsafePointer<Float>,
    _ y: UnsafeMutablePointer<Float>, _ combine: (Float, Float) -> Float
  ) -> Int? {
    let count = shape.last ?? 1
    let last = shape.count - 1
    let step = shape.isEmpty || axis == last ? 0 : strides[last]
    let stride = strides[axis]
    var place = [Int](repeating: 0, count: max(last, 0))
    for row in 0..<(shape.elementCount / max(count, 1)) {
      var start = 0
      for other in place.indices where other != axis { start += place[other] * strides[other] }
      for column in 0..<count {
        var index = Int(truncatingIfNeeded: indices[row * count + column])
        guard index >= -extent, index < extent else { return index }
        if index < 0 { index += extent }
        let target = start + column * step + index * stride
        y[target] = combine(y[target], updates[row * count + column])
      }
      for other in place.indices.reversed() {
        place[other] += 1
        if place[other] < shape[other] { break }
        place[other] = 0
      }
    }
    return nil
  }
}
