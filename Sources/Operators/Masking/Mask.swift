import Glibc
import PrunecGraphIR
import PrunecTensors

/// Mask (prunec's own, domain `ai.prunec`, opset 1): `Y` is `X` with every element whose index along
/// `axis` is not in `keep` (increasing) replaced. `fill` says by what. `X`, `Y` have one shape.
///
/// What "the model with channels removed" means is defined by this operator.
///
/// `fill = "zero"`: by zero, or by the integer `zero` that stands for it. A sum over the axis then ignores
/// the removed channels.
///
/// `fill = "mean"`: by the mean of the kept elements along the axis. A mean over the axis is then that of
/// the kept elements alone: where a mean runs over a cut axis, masking means that it leaves the masked
/// channels out.
///
/// `fill = "moments"`: so that mean and variance along the axis become those of the kept elements. A
/// LayerNormalization over the masked axis computes, at the kept indices, exactly that of the kept
/// elements alone: its statistics leave the masked channels out. With mean m and standard deviation s of
/// the kept elements (per position of the other axes), removed element i becomes `m + s c_i`, where the
/// pattern c sums to zero and its squares sum to the number of removed elements: +1, -1, +1, -1, ... for
/// an even number; for an odd one the first three are sqrt(3/2), -sqrt(3/2), 0. A single element has no
/// such pattern. With `blocks` = b the axis is that of b blocks of equal length, each with a mean and a
/// deviation of its own (the groups of a GroupNormalization); a block of which nothing is kept becomes
/// zero.
///
/// `fill = "lowest"`, `"highest"`: by minus infinity or infinity. An extremum over the axis, or a softmax
/// along it, then ignores the removed channels.
///
/// Channels: every axis of X is that of Y; when the masked axis is cut, `keep` is renumbered.
package struct Mask: Operator {
  package let signature = Signature(
    "Mask", domain: Mask.domain, opsets: 1...1, operands: 1...1,
    attributes: [
      "axis": nil, "blocks": .int(1), "fill": .string(Array(Fill.zero.rawValue.utf8)), "keep": nil,
      "zero": .int(0),
    ])

  /// The operator set of prunec's own operators.
  package static let domain = "ai.prunec"

  package init() {}

  /// The pattern c of `fill = "moments"` for an axis of `extent` indices: zero at those of `keep`.
  package static func pattern(extent: Int, keep: [Int], blocks: Int = 1) -> [Float] {
    let kept = Set(keep)
    var pattern = [Float](repeating: 0, count: extent)
    let root = Float(1.5).squareRoot()
    for block in Self.blocks(extent, blocks) {
      let removed = block.filter { !kept.contains($0) }
      guard removed.count < block.count else { continue }
      let wide = removed.count % 2 == 1 ? [root, -root, 0] : []
      for (position, index) in removed.enumerated() {
        pattern[index] =
          position < wide.count ? wide[position] : ((position - wide.count) % 2 == 0 ? 1 : -1)
      }
    }
    return pattern
  }

  /// The indices of each block of an axis.
  package static func blocks(_ extent: Int, _ count: Int) -> [Range<Int>] {
    (0..<count).map { ($0 * extent / count)..<(($0 + 1) * extent / count) }
  }

  package func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    guard let fill = call.string("fill").flatMap(Fill.init) else {
      let names = Fill.allCases.map(\.rawValue).joined(separator: ", ")
      throw call.malformed("'fill' is none of \(names)")
    }
    if fill != .zero { try call.requireFloatingPoint(0) }
    let axis = try call.requiredInt("axis")
    let blocks = try call.requiredInt("blocks")
    guard blocks >= 1, blocks == 1 || fill == .moments else {
      throw call.malformed("\(blocks) blocks do not go with fill \(fill.rawValue)")
    }
    let zero = try call.requiredInt("zero")
    if zero != 0, let type = call.elementType(0) {
      guard fill == .zero, type.isInteger, type.integerRange.contains(zero) else {
        throw call.malformed(
          "a zero of \(zero) does not go with fill \(fill.rawValue) of \(type.name)")
      }
    }
    guard let keep = try call.optionalInts("keep") else {
      throw call.malformed("'keep' is missing")
    }
    guard keep.first ?? 0 >= 0, zip(keep, keep.dropFirst()).allSatisfy({ $0 < $1 }) else {
      throw call.malformed("'keep' must increase from zero or more")
    }
    if let shape = call.shape(0),
      let extent = shape[try call.normalizedAxis(axis, rank: shape.count)].fixedExtent
    {
      if let last = keep.last, last >= extent {
        throw call.malformed("'keep' has index \(last) of an axis of extent \(extent)")
      }
      if fill == .moments { try requirePattern(call, extent: extent, keep: keep, blocks: blocks) }
      if fill == .mean, keep.isEmpty { throw call.malformed("a mean needs a kept element") }
    }
    return [ValueFacts(call.operand(0)?.type)]
  }

  private func requirePattern(
    _ call: Invocation, extent: Int, keep: [Int], blocks: Int
  ) throws(CompileError) {
    guard extent % blocks == 0, extent >= blocks else {
      throw call.malformed("an extent of \(extent) does not divide into \(blocks) blocks")
    }
    guard !keep.isEmpty else { throw call.malformed("moments need a kept element") }
    let length = extent / blocks
    var kept = [Int](repeating: 0, count: blocks)
    for index in keep { kept[index / length] += 1 }
    if length > 1, kept.contains(length - 1) {
      throw call.malformed("moments need none or two removed elements")
    }
  }

  package func relate(_ call: Invocation, _ relations: inout Relations) {
    Broadcasting.relate(call, operands: 0..<1, &relations)
  }

  package func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] {
    guard let rank = call.shape(0)?.count, let given = call.int("axis"),
      let keep = call.ints("keep")
    else { return [] }
    let axis = try call.normalizedAxis(given, rank: rank)
    guard let kept = cut[.operand(0, axis: axis)] else { return [] }
    let masked = Set(keep)
    let renumbered = kept.indices.filter { masked.contains(kept[$0]) }
    return [.attribute(Attribute("keep", renumbered))]
  }

  package func evaluate(
    _ call: Invocation, _ operands: [Tensor?]
  ) throws(CompileError) -> [Tensor] {
    _ = try resolve(call, on: operands)
    let x = operands[0]!
    let axis = try call.normalizedAxis(call.requiredInt("axis"), rank: x.rank)
    let keep = call.ints("keep")!
    let fill = Fill(rawValue: call.string("fill")!)!
    guard x.count > 0, keep.count < x.shape[axis] else { return [x] }
    if fill == .zero { return [try zeroed(x, axis, keep, call)] }
    let masked = Set(0..<x.shape[axis]).subtracting(keep).sorted()
    let lanes = AxisLanes(x.shape, axis: axis)
    var y = x.floats
    if let constant = fill.constant {
      for start in lanes.starts {
        for index in masked { y[start + index * lanes.stride] = constant }
      }
    } else {
      let blocks = call.int("blocks")!
      let pattern = Self.pattern(extent: lanes.count, keep: keep, blocks: blocks)
      let parts = Self.blocks(lanes.count, blocks).map { block in
        (kept: keep.filter(block.contains), masked: masked.filter(block.contains))
      }
      for start in lanes.starts {
        for part in parts where !part.masked.isEmpty {
          let moments = Self.moments(y, start, lanes.stride, part.kept)
          for index in part.masked {
            let spread = fill == .mean ? 0 : moments.deviation * Double(pattern[index])
            y[start + index * lanes.stride] = Float(moments.mean + spread)
          }
        }
      }
    }
    return [Tensor(rounding: y, to: x.elementType, shape: x.shape)]
  }

  private func zeroed(
    _ x: Tensor, _ axis: Int, _ keep: [Int], _ call: Invocation
  ) throws(CompileError) -> Tensor {
    guard x.elementType.isByteAligned else {
      throw CompileError(
        .unsupported, "Mask of \(x.elementType.name) is not evaluated", at: call.location)
    }
    let masked = Set(0..<x.shape[axis]).subtracting(keep).sorted()
    if let zero = call.int("zero"), zero != 0 {
      let lanes = AxisLanes(x.shape, axis: axis)
      var elements = x.integers
      for start in lanes.starts {
        for index in masked { elements[start + index * lanes.stride] = zero }
      }
      return Tensor(wrapping: elements, to: x.elementType, shape: x.shape)
    }
    let outer = x.shape[..<axis].reduce(1, *)
    let (extent, inner) = (x.shape[axis], x.shape[(axis + 1)...].reduce(1, *))
    let block = inner * x.elementType.bitWidth / 8
    var y = x
    y.withUnsafeMutableBytes { bytes in
      for row in 0..<outer {
        for index in masked {
          memset(bytes.baseAddress! + (row * extent + index) * block, 0, block)
        }
      }
    }
    return y
  }

  /// Mean and standard deviation of some elements of a lane; zero where there are none.
  private static func moments(
    _ y: [Float], _ start: Int, _ stride: Int, _ indices: [Int]
  ) -> (mean: Double, deviation: Double) {
    guard !indices.isEmpty else { return (0, 0) }
    var sum = 0.0
    for index in indices { sum += Double(y[start + index * stride]) }
    let mean = sum / Double(indices.count)
    var squares = 0.0
    for index in indices {
      let difference = Double(y[start + index * stride]) - mean
      squares += difference * difference
    }
    return (mean, (squares / Double(indices.count)).squareRoot())
  }

  package func macs(_ call: Invocation) -> Int { 0 }
}

extension Mask: KernelOperator {
  package func computation(_ call: Invocation) throws(CompileError) -> Computation? {
    let shape = call.operand(0)!.fixedShape!
    guard call.elementType(0)!.isFloatingPoint, let keep = call.ints("keep"),
      let fill = call.string("fill").flatMap(Fill.init)
    else { return nil }
    let axis = try call.normalizedAxis(call.requiredInt("axis"), rank: shape.count)
    guard keep.count < shape[axis] else { return .reshape(call) }
    guard let number = fill == .zero ? 0 : fill.constant else { return nil }
    var flags = [Float](repeating: 0, count: shape[axis])
    for index in keep { flags[index] = 1 }
    let broadcast = [shape[axis]] + [Int](repeating: 1, count: shape.count - axis - 1)
    return .elementwise(
      ElementwiseFormula(
        operandCount: 1, constants: [Tensor(flags, shape: broadcast)],
        [.init(.number(number), []), .init(.select, [1, 0, 2])]))
  }
}
