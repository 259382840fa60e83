import PrunecGraphIR
import PrunecTensors

/// How the heads of an attention lie in a tensor: as an axis of their own, `[N, H, S, E]`, or in
/// the axis of channels together with their dimensions, `[N, S, H E]`.
struct AttentionHeads {
  /// Number of heads, and of dimensions of each.
  let count: Int
  let width: Int
  let isSeparate: Bool

  /// The heads of a tensor of `shape`, of which there are `count` where no axis says so; `nil`
  /// where too little is known. Throws where it cannot be.
  init?(
    _ shape: [Dimension]?, count: Int?, _ call: Invocation
  ) throws(CompileError) {
    guard let shape else { return nil }
    switch shape.count {
    case 4:
      guard let heads = shape[1].fixedExtent, let width = shape[3].fixedExtent else { return nil }
      (self.count, self.width, isSeparate) = (heads, width, true)
    case 3:
      guard let count else { throw call.malformed("the number of heads is not given") }
      guard count > 0 else { throw call.malformed("there are \(count) heads") }
      guard let whole = shape[2].fixedExtent else { return nil }
      guard whole % count == 0 else {
        throw call.malformed("\(whole) channels do not divide into \(count) heads")
      }
      (self.count, width, isSeparate) = (count, whole / count, false)
    default: throw call.malformed("there are \(shape.count) axes instead of 3 or 4")
    }
  }

  /// What products of queries and keys are multiplied with; onnxruntime takes 0 for the default.
  func scale(_ call: Invocation) -> Float {
    guard let given = call.float("scale"), given != 0 || call.signature.operation.domain.isEmpty
    else {
      return 1 / Float(width).squareRoot()
    }
    return given
  }

  /// What stays of the heads and of their dimensions when `kept` stays of the axis that they share.
  func remaining(_ kept: [Int]?) -> (count: Int, width: Int) {
    guard let kept, width > 0, !kept.isEmpty else { return (count, width) }
    let heads = Set(kept.map { $0 / width }).count
    return (heads, kept.count / heads)
  }

  /// Ties the axes of a tensor with such heads, whose axes `reference` gives, to those of heads and
  /// of dimensions.
  func relate(
    _ reference: (Int) -> AxisReference, heads: AxisReference, dimensions: AxisReference,
    _ relations: inout Relations
  ) {
    if isSeparate {
      if reference(1) != heads { relations.equal(reference(1), heads) }
      if reference(3) != dimensions { relations.equal(reference(3), dimensions) }
    } else {
      relations.split(reference(2), into: [heads, dimensions])
    }
  }

  /// Ties the axis of heads of operand `index`, which broadcasts to scores `[N, H, S, T]`, to that
  /// of heads.
  func relateBias(
    _ call: Invocation, _ index: Int, heads: AxisReference, _ relations: inout Relations
  ) {
    guard let shape = call.shape(index), shape.count >= 3 else { return }
    let axis = shape.count - 3
    guard let extent = shape[axis].fixedExtent else {
      relations.pin(heads, because: "the mask may have one for each head")
      return
    }
    if extent == count { relations.equal(.operand(index, axis: axis), heads) }
  }

  /// The tensor as `[N, H, S, E]`.
  func separated(_ tensor: Tensor) -> Tensor {
    if isSeparate { return tensor }
    let (batch, steps) = (tensor.shape[0], tensor.shape[1])
    return tensor.reshaped([batch, steps, count, width]).transposed([0, 2, 1, 3])
  }

  /// A tensor of shape `[N, H, S, E]` in the form that these heads have.
  func joined(_ tensor: Tensor) -> Tensor {
    if isSeparate { return tensor }
    let shape = tensor.shape
    return tensor.transposed([0, 2, 1, 3]).reshaped([shape[0], shape[2], shape[1] * shape[3]])
  }
}
