import Glibc

/// Mask (prunec's own, domain `ai.prunec`, opset 1): `Y` is `X` with every element whose index along
/// `axis` is not in `keep` (increasing) replaced. `fill` says by what. `X`, `Y` have one shape.
///
/// What "the model with channels removed" means is defined by this operator.
///
/// `fill = "zero"`: by zero. A sum over the axis then ignores the removed channels.
///
/// `fill = "moments"`: so that mean and variance along the axis become those of the kept elements. A
/// LayerNormalization over the masked axis computes, at the kept indices, exactly that of the kept
/// elements alone: where a normalisation runs over a cut axis, masking means that its statistics leave
/// the masked channels out. With mean m and standard deviation s of the kept elements (per position
/// of the other axes), removed element i becomes `m + s c_i`, where the pattern c sums to zero and its
/// squares sum to the number of removed elements: +1, -1, +1, -1, ... for an even number; for an odd one
/// the first three are sqrt(3/2), -sqrt(3/2), 0. A single element has no such pattern.
///
/// Channels: every axis of X is that of Y; when the masked axis is cut, `keep` is renumbered.
public struct Mask: Operator {
  public let signature = Signature(
    "Mask", domain: Mask.domain, opsets: 1...1, operands: 1...1,
    attributes: ["axis": nil, "fill": .string(Array(Fill.zero.rawValue.utf8)), "keep": nil])

  /// The operator set of prunec's own operators.
  public static let domain = "ai.prunec"

  /// What removed elements are replaced by.
  public enum Fill: String, Sendable, Hashable, CaseIterable {
    case zero
    case moments
  }

  public init() {}

  /// The pattern c of `fill = "moments"` for an axis of `extent` indices: zero at those of `keep`.
  public static func pattern(extent: Int, keep: [Int]) -> [Float] {
    let kept = Set(keep)
    let removed = (0..<extent).filter { !kept.contains($0) }
    var pattern = [Float](repeating: 0, count: extent)
    let root = Float(1.5).squareRoot()
    let wide = removed.count % 2 == 1 ? [root, -root, 0] : []
    for (position, index) in removed.enumerated() {
      pattern[index] =
        position < wide.count ? wide[position] : ((position - wide.count) % 2 == 0 ? 1 : -1)
    }
    return pattern
  }

  public func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    guard let fill = call.string("fill").flatMap(Fill.init) else {
      throw call.malformed("'fill' must be \"zero\" or \"moments\"")
    }
    if fill == .moments { try call.requireFloatingPoint(0) }
    let axis = try call.requiredInt("axis")
    guard let keep = try call.optionalInts("keep") else {
      throw call.malformed("'keep' is missing")
    }
    guard keep.first ?? 0 >= 0, zip(keep, keep.dropFirst()).allSatisfy({ $0 < $1 }) else {
      throw call.malformed("'keep' must increase from zero or more")
    }
    if let shape = call.shape(0) {
      let extent = shape[try call.normalizedAxis(axis, rank: shape.count)].fixedExtent
      if let extent, let last = keep.last, last >= extent {
        throw call.malformed("'keep' has index \(last) of an axis of extent \(extent)")
      }
      if fill == .moments, let extent, extent - keep.count == 1 || keep.isEmpty {
        throw call.malformed("moments need a kept element, and none or two removed ones")
      }
    }
    return [ValueFacts(call.operand(0)?.type)]
  }

  public func relate(_ call: Invocation, _ relations: inout Relations) {
    Broadcasting.relate(call, operands: 0..<1, &relations)
  }

  public func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] {
    guard let rank = call.shape(0)?.count, let given = call.int("axis"),
      let keep = call.ints("keep")
    else { return [] }
    let axis = try call.normalizedAxis(given, rank: rank)
    guard let kept = cut[.operand(0, axis: axis)] else { return [] }
    let masked = Set(keep)
    let renumbered = kept.indices.filter { masked.contains(kept[$0]) }
    return [.attribute(Attribute("keep", renumbered))]
  }

  public func evaluate(
    _ call: Invocation, _ operands: [Tensor?]
  ) throws(CompileError) -> [Tensor] {
    _ = try resolve(call, on: operands)
    let x = operands[0]!
    let axis = try call.normalizedAxis(call.requiredInt("axis"), rank: x.rank)
    let keep = call.ints("keep")!
    guard x.count > 0 else { return [x] }
    let masked = Set(0..<x.shape[axis]).subtracting(keep).sorted()
    let outer = x.shape[..<axis].reduce(1, *)
    let (extent, inner) = (x.shape[axis], x.shape[(axis + 1)...].reduce(1, *))
    guard !masked.isEmpty else { return [x] }
    guard call.string("fill") == Fill.moments.rawValue else {
      guard x.elementType.isByteAligned else {
        throw CompileError(
          .unsupported, "Mask of \(x.elementType.name) is not evaluated", at: call.location)
      }
      var y = x
      let block = inner * x.elementType.bitWidth / 8
      y.withUnsafeMutableBytes { bytes in
        for row in 0..<outer {
          for index in masked {
            memset(bytes.baseAddress! + (row * extent + index) * block, 0, block)
          }
        }
      }
      return [y]
    }
    let pattern = Self.pattern(extent: extent, keep: keep)
    var y = x.floats
    for row in 0..<outer {
      for position in 0..<inner {
        let start = row * extent * inner + position
        var sum = 0.0
        for index in keep { sum += Double(y[start + index * inner]) }
        let mean = sum / Double(keep.count)
        var squares = 0.0
        for index in keep {
          let deviation = Double(y[start + index * inner]) - mean
          squares += deviation * deviation
        }
        let deviation = (squares / Double(keep.count)).squareRoot()
        for index in masked {
          y[start + index * inner] = Float(mean + deviation * Double(pattern[index]))
        }
      }
    }
    return [Tensor(rounding: y, to: x.elementType, shape: x.shape)]
  }

  public func macs(_ call: Invocation) -> Int { 0 }
}
