import PrunecTensors

/// Where a layer's bias, of one element an output, lies in its tensor.
///
/// It is the tensor; or, of recurrent layers, the first half of each of D rows `[D, 2 G H]`, whose second half goes with the state.
package struct BiasForm: Sendable {
  /// Number of rows, of blocks in each, and of elements of a block.
  private let rows, blocks, width: Int

  static func vector(_ count: Int) -> BiasForm { BiasForm(rows: 1, blocks: 1, width: count) }

  /// `shape` is that of the weight.
  static func recurrent(_ shape: [Int]) -> BiasForm {
    BiasForm(rows: shape[0], blocks: 2, width: shape[1])
  }

  /// Number of elements of the bias.
  var count: Int { rows * width }
  /// The shape of the tensor.
  var shape: [Int] { blocks == 1 ? [width] : [rows, blocks * width] }

  func elements(of tensor: Tensor) -> [Float] {
    let all = tensor.floats
    return blocks == 1
      ? all : (0..<rows).flatMap { all[($0 * blocks * width)..<(($0 * blocks + 1) * width)] }
  }

  /// The tensor with another bias.
  func replacing(_ old: Tensor, by elements: [Float]) -> Tensor {
    var all = old.floats
    for row in 0..<rows {
      all.replaceSubrange(
        (row * blocks * width)..<((row * blocks + 1) * width),
        with: elements[(row * width)..<((row + 1) * width)])
    }
    return Tensor(rounding: all, to: old.elementType, shape: old.shape)
  }

  /// The indices, along the last axis of a bias's tensor that has so many blocks of `count` elements, that go with the outputs `kept`.
  package static func indices(of kept: [Int], count: Int, blocks: Int) -> [Int] {
    (0..<blocks).flatMap { block in kept.map { block * count + $0 } }
  }
}
