import Glibc

/// Mask (prunec's own, domain `ai.prunec`, opset 1): `Y` is `X` with every element whose index along
/// `axis` is not in `keep` (increasing) replaced. `fill` says by what: `"zero"`, or `"mean"`, the
/// mean over the kept elements along `axis` at the same position of the other axes. `X`, `Y` have
/// one shape.
///
/// What "the model with channels removed" means is defined by this operator: a sum over the axis
/// ignores zeros, so a shrunk model computes what the masked one does.
///
/// Where a normalisation runs over a cut axis its statistics leave the removed elements out, and
/// `fill = "mean"` expresses that in a model of the old size. Before a LayerNormalization over n
/// elements of which k stay, the mean over all n is that over the k kept, since the others are equal
/// to it; they add nothing to the sum of squared differences, so the variance over n is k/n of the
/// variance over k. A LayerNormalization with `epsilon k/n` for its epsilon and `scale sqrt(k/n)`
/// for its scale thus computes, at the kept indices, exactly the LayerNormalization of the kept
/// elements alone.
///
/// Channels: every axis of X is that of Y; when the masked axis is cut, `keep` is renumbered.
public struct Mask: Operator {
  public let signature = Signature(
    "Mask", domain: "ai.prunec", opsets: 1...1, operands: 1...1,
    attributes: ["axis": nil, "fill": .string(Array("zero".utf8)), "keep": nil])

  public init() {}

  public func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    let fill = call.string("fill")
    guard fill == "zero" || fill == "mean" else {
      throw call.malformed("'fill' must be \"zero\" or \"mean\"")
    }
    if fill == "mean" { try call.requireFloatingPoint(0) }
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
    guard call.string("fill") == "mean" else {
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
    var y = x.floats
    for row in 0..<outer {
      for position in 0..<inner {
        let start = row * extent * inner + position
        var sum = 0.0
        for index in keep { sum += Double(y[start + index * inner]) }
        let mean = Float(sum / Double(max(keep.count, 1)))
        for index in masked { y[start + index * inner] = mean }
      }
    }
    return [Tensor(rounding: y, to: x.elementType, shape: x.shape)]
  }

  public func macs(_ call: Invocation) -> Int { 0 }
}
