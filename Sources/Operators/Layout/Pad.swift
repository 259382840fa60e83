import PrunecGraphIR
import PrunecTensors

/// Pad (ONNX opset 7 to 28): `data` with elements put before and after along each axis, or taken away
/// where a number is negative. What is put there is a constant, or is taken from `data`: mirrored at
/// the border (`reflect`), the border itself (`edge`) or the other end (`wrap`). The numbers are an
/// attribute before opset 11 and an operand since; since opset 18 they may be for some `axes` only.
///
/// Channels: along an axis padded with a constant the operand is a section of the result, and the
/// padding may be cut by itself. Padding taken from `data`, and taking away, pins the axis.
struct Pad: Operator {
  let signature = Signature(
    "Pad", operands: 1...4,
    attributes: ["mode": .string(Array("constant".utf8)), "pads": nil, "value": .float(0)])

  /// The padding of one axis, with the places of its numbers in the list.
  private struct AxisPadding {
    var before: SymbolicInteger = .fixed(0)
    var after: SymbolicInteger = .fixed(0)
    var beforeIndex: Int?
    var afterIndex: Int?

    /// Both numbers, where they are known.
    var known: (before: Int, after: Int)? {
      guard case .fixed(let before) = before, case .fixed(let after) = after else { return nil }
      return (before, after)
    }

    var isNone: Bool { known.map { $0 == (0, 0) } ?? false }
  }

  /// No axis is so long.
  private static let limit = 1 << 40

  /// The padding of every axis; `nil` where it is not known which are padded.
  private func paddings(_ call: Invocation, rank: Int) throws(CompileError) -> [AxisPadding]? {
    var axes = Array(0..<rank)
    if call.opset >= 18, let operand = call.operand(3) {
      guard let listed = operand.constantIntegers else { return nil }
      axes = try call.normalizedAxes(listed, rank: rank)
    }
    let pads: [SymbolicInteger]
    switch try call.integers(attribute: "pads", operand: 1, since: 11) {
    case .absent: throw call.malformed("there are no pads")
    case .known(let given): pads = given.map { .fixed($0) }
    case .unknown:
      guard let given = call.operand(1)?.integers else { return nil }
      pads = given
    }
    guard pads.count == 2 * axes.count else {
      throw call.malformed("\(pads.count) pads are given for \(axes.count) axes")
    }
    for case .fixed(let pad) in pads where !(-Self.limit...Self.limit).contains(pad) {
      throw call.malformed("a padding of \(pad) is out of range")
    }
    var paddings = [AxisPadding](repeating: AxisPadding(), count: rank)
    for (index, axis) in axes.enumerated() {
      let end = index + axes.count
      paddings[axis] = AxisPadding(
        before: pads[index], after: pads[end], beforeIndex: index, afterIndex: end)
    }
    return paddings
  }

  /// Whether the numbers can be written anew.
  private func isAdaptable(_ call: Invocation) -> Bool {
    call.opset < 11 || call.operand(1)?.constantIntegers != nil
  }

  private func mode(_ call: Invocation) throws(CompileError) -> String {
    guard let mode = call.string("mode"), ["constant", "reflect", "edge", "wrap"].contains(mode)
    else { throw call.malformed("'mode' is none of constant, reflect, edge and wrap") }
    return mode
  }

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    let type = call.elementType(0)
    let mode = try mode(call)
    guard let input = call.shape(0) else { return [ValueFacts(type, nil)] }
    guard let paddings = try paddings(call, rank: input.count) else {
      return [ValueFacts(type, [Dimension](repeating: .unknown, count: input.count))]
    }
    var shape: [Dimension] = []
    for (dimension, padding) in zip(input, paddings) {
      let sum = try Dimension.sum([padding.before, dimension.extent, padding.after], call)
      if let extent = sum.fixedExtent, extent < 0 {
        throw call.malformed("the pads leave an extent of \(extent)")
      }
      if mode != "constant", dimension.fixedExtent == 0, sum.fixedExtent != 0 {
        throw call.malformed("there is nothing to pad with")
      }
      shape.append(padding.isNone ? dimension : sum)
    }
    return [ValueFacts(type, shape, contents: movedContents(call, of: 0..<1, to: shape))]
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    guard let input = call.shape(0), let mode = try? mode(call),
      let paddings = try? paddings(call, rank: input.count)
    else { return }
    let isAdaptable = isAdaptable(call)
    for (axis, padding) in paddings.enumerated() {
      let (part, whole) = (AxisReference.operand(0, axis: axis), AxisReference.result(axis: axis))
      if padding.isNone {
        relations.equal(part, whole)
      } else if mode == "constant", isAdaptable, let (before, after) = padding.known, before >= 0,
        after >= 0
      {
        relations.section(part, of: whole, start: before)
      } else {
        for reference in [part, whole] {
          relations.pin(
            reference, because: "what is added to the axis depends on it, or is not constant")
        }
      }
    }
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] {
    guard let input = call.shape(0), let paddings = try paddings(call, rank: input.count),
      var pads = try call.integers(attribute: "pads", operand: 1, since: 11).values
    else { return [] }
    let old = pads
    for axis in cut.axes(ofResult: 0) {
      let padding = paddings[axis]
      guard let kept = cut[.result(axis: axis)], let extent = input[axis].fixedExtent,
        let beforeIndex = padding.beforeIndex, let afterIndex = padding.afterIndex,
        let (before, _) = padding.known
      else { continue }
      pads[beforeIndex] = kept.prefix { $0 < before }.count
      pads[afterIndex] = kept.filter { $0 >= before + extent }.count
    }
    return pads == old ? [] : [call.adaptation(pads, attribute: "pads", operand: 1, since: 11)]
  }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    let resolved = try resolve(call, on: operands)
    let shape = resolved.results[0].fixedShape!
    var result = try call.tensor(0, of: operands)
    let mode = try mode(call)
    let filling = mode == "constant" ? try filling(call, operands, result.elementType) : nil
    guard let paddings = try paddings(resolved, rank: result.rank) else {
      throw call.unsupported("the pads are not known")
    }
    for (axis, padding) in paddings.enumerated() where !padding.isNone {
      let extent = result.shape[axis]
      guard let (before, _) = padding.known else {
        throw call.unsupported("the pads are not known")
      }
      let positions = (0..<shape[axis]).map { $0 - before }
      guard let filling else {
        let sources = positions.map { Self.source(of: $0, extent: extent, mode: mode) }
        result = result.keeping(sources, alongAxis: axis)
        continue
      }
      var parts = [
        result.keeping(positions.filter { (0..<extent).contains($0) }, alongAxis: axis)
      ]
      var border = result.shape
      border[axis] = positions.prefix { $0 < 0 }.count
      parts.insert(Tensor(repeating: filling, shape: border), at: 0)
      border[axis] = positions.filter { $0 >= extent }.count
      parts.append(Tensor(repeating: filling, shape: border))
      result = .concatenated(parts, alongAxis: axis)
    }
    return [result]
  }

  /// The index that padding at `position`, which lies outside of an extent or within, repeats.
  private static func source(of position: Int, extent: Int, mode: String) -> Int {
    func modulo(_ number: Int, _ divisor: Int) -> Int {
      let rest = number % divisor
      return rest < 0 ? rest + divisor : rest
    }
    switch mode {
    case "edge": return min(max(position, 0), extent - 1)
    case "wrap": return modulo(position, extent)
    default:
      guard extent > 1 else { return 0 }
      let phase = modulo(position, 2 * (extent - 1))
      return phase < extent ? phase : 2 * (extent - 1) - phase
    }
  }

  /// The element to pad with.
  private func filling(
    _ call: Invocation, _ operands: [Tensor?], _ type: ElementType
  ) throws(CompileError) -> Tensor {
    if call.opset < 11 {
      let value = Tensor([try call.requiredFloat("value")], shape: [])
      guard let converted = value.converted(to: type) else {
        throw call.unsupported("padding of \(type.name) is not evaluated")
      }
      return converted
    }
    guard operands.count > 2, let value = operands[2] else {
      return type == .string ? Tensor(strings: [[]], shape: []) : Tensor(zeros: type, shape: [])
    }
    guard value.count == 1, value.elementType == type else {
      throw call.malformed("the padding is no \(type.name) scalar")
    }
    return value
  }

  func macs(_ call: Invocation) -> Int { 0 }
}

extension Pad: KernelOperator {
  func computation(_ call: Invocation) throws(CompileError) -> Computation? {
    let shape = call.operand(0)!.fixedShape!
    guard let paddings = try paddings(call, rank: shape.count) else { return nil }
    let known = paddings.compactMap(\.known)
    guard known.count == paddings.count else { return nil }
    let mode = try mode(call)
    guard mode == "constant" else {
      // Elements that a negative pad takes away may be those to be repeated.
      guard !shape.contains(0), known.allSatisfy({ $0.before >= 0 && $0.after >= 0 }) else {
        return nil
      }
      let runs = zip(known, shape).map { Self.runs($0, extent: $1, mode: mode) }
      guard runs.allSatisfy({ $0.count <= Self.runLimit }) else { return nil }
      return .padding(before: known.map(\.before), after: known.map(\.after), .runs(runs))
    }
    var value: Float = 0
    if call.opset < 11 {
      value = try call.requiredFloat("value")
    } else if let operand = call.operand(2) {
      guard let constant = operand.constant?.floats.first else { return nil }
      value = constant
    }
    return .padding(before: known.map(\.before), after: known.map(\.after), .number(value))
  }

  /// More runs than that are not worth a step each.
  private static let runLimit = 16

  /// Elements that are repeated before and behind an axis, in runs that lie evenly.
  private static func runs(
    _ padding: (before: Int, after: Int), extent: Int, mode: String
  ) -> [Padding.Run] {
    var runs: [Padding.Run] = []
    let end = padding.before + extent
    for range in [0..<padding.before, end..<(end + padding.after)] {
      var start = range.lowerBound
      while start < range.upperBound, runs.count <= runLimit {
        func place(_ position: Int) -> Int {
          padding.before + source(of: position - padding.before, extent: extent, mode: mode)
        }
        let first = place(start)
        let step = start + 1 < range.upperBound ? place(start + 1) - first : 0
        var count = 1
        while start + count < range.upperBound, abs(step) <= 1,
          place(start + count) == first + count * step
        { count += 1 }
        runs.append(Padding.Run(start: start, count: count, source: first, step: step))
        start += count
      }
    }
    return runs
  }
}
