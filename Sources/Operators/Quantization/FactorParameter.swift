import PrunecGraphIR
import PrunecTensors

/// A scale or zero point of a factor of a matrix product: one for the whole factor, or one for each row of
/// A or column of B, as a vector or with as many axes as the factor.
struct FactorParameter {
  /// The place of the parameter among the operands, and that of its factor.
  let index: Int
  let factor: Int
  /// Whether there is one for each row, rather than for each column.
  let isByRow: Bool

  /// For each of the parameter's axes that is not one for all, the factor's axis that it goes along;
  /// `nil` where that is not known. Throws where the two do not fit.
  func axes(_ call: Invocation) throws(CompileError) -> [Int: Int]? {
    guard call.operand(index) != nil else { return [:] }
    guard let own = call.shape(index) else { return nil }
    if own.allSatisfy({ $0.fixedExtent == 1 }) { return [:] }
    guard let shape = call.shape(factor) else { return nil }
    let mismatch = call.malformed("operand \(index) does not fit operand \(factor)")
    let matrixAxis = shape.count - (isByRow ? 2 : 1)
    let inner = isByRow ? shape.count - 1 : max(0, shape.count - 2)
    guard own.count == 1 || own.count == shape.count, matrixAxis >= 0, shape.count > 1 else {
      throw mismatch
    }
    var axes: [Int: Int] = [:]
    for axis in own.indices {
      guard let extent = own[axis].fixedExtent else { return nil }
      let target = own.count == 1 ? matrixAxis : axis
      if extent == 1, own.count > 1 { continue }
      guard target != inner, shape[target].fixedExtent ?? extent == extent else { throw mismatch }
      axes[axis] = target
    }
    return axes
  }

  /// Ties the parameter's axes to those of its factor.
  func relate(_ call: Invocation, _ relations: inout Relations) {
    guard let axes = try? axes(call) else { return }
    for axis in axes.keys.sorted() {
      relations.equal(.operand(index, axis: axis), .operand(factor, axis: axes[axis]!))
    }
  }

  /// The offset in the parameter of what belongs to each element of a tensor of `shape`, which is the
  /// factor's but for the axis that is summed over, or the factor itself.
  func offsets(of own: [Int], in shape: [Int]) -> [Int] {
    let isVector = own.count == 1 && own[0] != 1
    let aligned = own.elementCount == 1 ? [] : isVector && isByRow ? own + [1] : own
    return Broadcasting.offsets(of: aligned, in: shape)
  }
}

extension FactorParameter {
  /// The elements of a factor, each less its zero point.
  static func shifted(_ factor: Tensor, by zeroPoint: Tensor?, _ parameter: FactorParameter)
    -> [Int]
  {
    guard let zeroPoint else { return factor.integers }
    let zeros = zeroPoint.integers
    return zip(factor.integers, parameter.offsets(of: zeroPoint.shape, in: factor.shape)).map {
      $0 - zeros[$1]
    }
  }

  /// The sums of products of two stacks of matrices of integers.
  static func products(_ a: [Int], _ aShape: [Int], _ b: [Int], _ bShape: [Int], count: Int)
    -> [Int]
  {
    var sums = [Int](repeating: 0, count: count)
    a.withUnsafeBufferPointer { left in
      b.withUnsafeBufferPointer { right in
        MatrixProductPlan(aShape, bShape).run(left, right, into: &sums, MatrixProduct.accumulate)
      }
    }
    return sums
  }
}
