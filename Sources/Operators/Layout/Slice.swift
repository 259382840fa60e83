import PrunecGraphIR
import PrunecTensors

/// Slice (ONNX opset 7 to 28): along each of `axes`, the indices `start, start + step, ...` before
/// `end`; negative positions count from the end, and what is out of range is clamped. All are
/// attributes before opset 10 (without `steps`) and operands since.
///
/// Channels: along a sliced axis the result is a section of the operand. A cut recomputes start and
/// end, which picks the elements that stay only if neighbours are picked. Of every so many elements one
/// (each second, in an interleaved rotary embedding) is the inner factor of the axis at a fixed place:
/// the runs may be cut, and start and end stay as they are counted from. Other steps pin the axis.
struct Slice: Operator {
  let signature = Signature(
    "Slice", operands: 1...5, attributes: ["axes": nil, "ends": nil, "starts": nil])

  /// What is taken along one axis.
  private struct Range {
    var axis: Int
    /// The first index, the step, and the number of indices; `nil` where not known.
    var taken: (start: Int, step: Int, count: Int)?
    /// Whether everything is taken, whatever the extent.
    var isWhole: Bool
  }

  /// The range of every sliced axis; `nil` where the axes are not known.
  private func ranges(
    _ call: Invocation, _ input: [Dimension]
  ) throws(CompileError) -> [Range]? {
    let starts = try call.integers(attribute: "starts", operand: 1, since: 10)
    let ends = try call.integers(attribute: "ends", operand: 2, since: 10)
    let givenAxes = try call.integers(attribute: "axes", operand: 3, since: 10)
    var steps = GivenIntegers.absent
    if call.opset >= 10 {
      steps = try call.integers(attribute: "starts", operand: 4, since: 10)
    }
    if case .absent = starts { throw call.malformed("there are no starts") }
    if case .absent = ends { throw call.malformed("there are no ends") }

    let lengths = [starts, ends, givenAxes, steps].compactMap { $0.values?.count }
    if let first = lengths.first, lengths.contains(where: { $0 != first }) {
      throw call.malformed("starts, ends, axes and steps are of different lengths")
    }
    var axes: [Int]
    switch givenAxes {
    case .unknown: return nil
    case .known(let given): axes = try call.normalizedAxes(given, rank: input.count)
    case .absent:
      guard let count = lengths.first else { return nil }
      guard count <= input.count else {
        throw call.malformed("\(count) positions are given for \(input.count) axes")
      }
      axes = Array(0..<count)
    }
    var ranges: [Range] = []
    for (index, axis) in axes.enumerated() {
      var range = Range(axis: axis, taken: nil, isWhole: false)
      if let start = starts.values?[index], let end = ends.values?[index] {
        var step: Int? = 1
        if case .unknown = steps {
          step = nil
        } else if let steps = steps.values {
          step = steps[index]
        }
        if let step {
          guard step != 0 else { throw call.malformed("a step is zero") }
          if let extent = input[axis].fixedExtent {
            range.taken = taken(start, end, step, extent)
          } else {
            range.isWhole = start == 0 && step == 1 && end >= Int(Int32.max)
          }
        }
      }
      ranges.append(range)
    }
    return ranges
  }

  private func taken(
    _ start: Int, _ end: Int, _ step: Int, _ extent: Int
  ) -> (start: Int, step: Int, count: Int) {
    // No sum overflows: an extent is only ever added to a negative number.
    var first = start < 0 ? start + extent : start
    var last = end < 0 ? end + extent : end
    let stride = step == .min ? Int.max : abs(step)
    if step > 0 {
      first = min(max(first, 0), extent)
      last = min(max(last, 0), extent)
      return (first, stride, last > first ? (last - first - 1) / stride + 1 : 0)
    }
    first = min(max(first, 0), extent - 1)
    last = min(max(last, -1), extent - 1)
    return (first, -stride, first > last ? (first - last - 1) / stride + 1 : 0)
  }

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    let type = call.elementType(0)
    guard let input = call.shape(0) else { return [ValueFacts(type, nil)] }
    guard let ranges = try ranges(call, input) else {
      return [ValueFacts(type, [Dimension](repeating: .unknown, count: input.count))]
    }
    var shape = input
    for range in ranges where !range.isWhole {
      shape[range.axis] = range.taken.map { .fixed($0.count) } ?? .unknown
    }
    return [ValueFacts(type, shape, contents: movedContents(call, of: 0..<1, to: shape))]
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    guard let input = call.shape(0), let ranges = try? ranges(call, input) else { return }
    let isAdaptable = isAdaptable(call)
    for axis in input.indices {
      let (part, whole) = (AxisReference.result(axis: axis), AxisReference.operand(0, axis: axis))
      guard let range = ranges.first(where: { $0.axis == axis }) else {
        relations.equal(whole, part)
        continue
      }
      if !isAdaptable || range.taken == nil {
        relations.pin(whole, because: "what is sliced is not constant")
        relations.pin(part, because: "what is sliced is not constant")
      } else if let (start, step, count) = range.taken, abs(step) == 1, count > 0 {
        relations.section(part, of: whole, start: start, step: step)
      } else if let taken = range.taken, let extent = input[axis].fixedExtent,
        Self.takesOneOfEveryRun(taken, extent)
      {
        let place = relations.virtualAxis(extent: taken.step)
        relations.pin(place, because: "the slice takes one index of every \(taken.step)")
        relations.split(whole, into: [part, place])
      } else {
        relations.pin(whole, because: "the slice takes no neighbouring indices")
        relations.pin(part, because: "the slice takes no neighbouring indices")
      }
    }
  }

  /// Whether what is taken is the index at one place of each run of as many as the step.
  private static func takesOneOfEveryRun(
    _ taken: (start: Int, step: Int, count: Int), _ extent: Int
  ) -> Bool {
    taken.step > 1 && taken.start < taken.step && extent % taken.step == 0
      && taken.count == extent / taken.step
  }

  /// Whether all positions are known, so that they can be written anew.
  private func isAdaptable(_ call: Invocation) -> Bool {
    guard call.opset >= 10 else { return true }
    return call.operand(1)?.constantIntegers != nil && call.operand(2)?.constantIntegers != nil
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] {
    guard let input = call.shape(0), let ranges = try ranges(call, input),
      var starts = try call.integers(attribute: "starts", operand: 1, since: 10).values,
      var ends = try call.integers(attribute: "ends", operand: 2, since: 10).values
    else { return [] }
    var isChanged = false
    for (index, range) in ranges.enumerated() {
      guard let kept = cut[.operand(0, axis: range.axis)],
        let (start, step, count) = range.taken
      else { continue }
      isChanged = true
      if step > 1, count > 1 {
        (starts[index], ends[index]) = (start, kept.count)
        continue
      }
      let last = start + (count - 1) * step
      let least = min(start, last)
      let before = kept.prefix { $0 < least }.count
      let within = kept.prefix { $0 <= max(start, last) }.count - before
      if step > 0 {
        (starts[index], ends[index]) = (before, before + within)
      } else {
        starts[index] = before + within - 1
        // The place before the first index has no number of its own: -1 is the last index.
        ends[index] = before > 0 ? before - 1 : -kept.count - 1
      }
    }
    guard isChanged else { return [] }
    return [
      call.adaptation(starts, attribute: "starts", operand: 1, since: 10),
      call.adaptation(ends, attribute: "ends", operand: 2, since: 10),
    ]
  }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    let resolved = try resolve(call, on: operands)
    let data = try call.tensor(0, of: operands)
    let shape = resolved.results[0].fixedShape!
    if shape.contains(0) { return [data.emptied(shape)] }
    var strides = data.shape.rowMajorStrides
    var offset = 0
    guard let ranges = try ranges(resolved, data.shape.map { .fixed($0) }) else {
      throw call.unsupported("what is sliced is not known")
    }
    for range in ranges {
      guard let taken = range.taken else { throw call.unsupported("what is sliced is not known") }
      offset += taken.start * strides[range.axis]
      // A single index may come with any step, which the product need not hold.
      strides[range.axis] *= taken.count == 1 ? 1 : taken.step
    }
    return [data.strided(shape: shape, strides: strides, offset: offset)]
  }

  func macs(_ call: Invocation) -> Int { 0 }
}

extension Tensor {
  /// A tensor of the same element type without elements; `shape` has an extent of zero.
  func emptied(_ shape: [Int]) -> Tensor {
    elementType == .string
      ? Tensor(strings: [], shape: shape) : Tensor(zeros: elementType, shape: shape)
  }
}

extension Slice: KernelOperator {
  func computation(_ call: Invocation) throws(CompileError) -> Computation? {
    let input = call.shape(0)!
    guard let ranges = try ranges(call, input) else { return nil }
    var selections = input.map { ViewStep.Selection(start: 0, step: 1, count: $0.fixedExtent!) }
    for range in ranges {
      guard let taken = range.taken else { return nil }
      selections[range.axis] = ViewStep.Selection(
        start: taken.start, step: taken.count > 1 ? taken.step : 1, count: taken.count)
    }
    return .views([[.select(selections)]])
  }
}
