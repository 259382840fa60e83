import PrunecGraphIR

/// What a node computes, in the terms that kernels exist for.
///
/// It says nothing of where elements lie: which layouts to use, what to fuse and what to leave in place is
/// for whoever executes or emits the graph.
package enum Computation: Sendable {
  /// The results hold elements of operand 0, as the steps of each, one after the other, pick and arrange them. Others
  /// than the first that have steps may not be asked for.
  case views([[ViewStep]])
  /// All operands, one after the other along an axis.
  case concatenation(axis: Int)
  case elementwise(ElementwiseFormula)
  case convolution(ConvolutionComputation)
  case matrixProduct(MatrixComputation)
  case pooling(PoolingComputation)
  /// Operand 0 divided into rows along an axis: their exponentials divided by the sum of these, or the logarithm.
  case softmax(axis: Int, isLogarithm: Bool)
  case normalization(NormalizationComputation)
  case localResponse(LocalResponseComputation)
  /// Operand 0 reduced along some of its axes.
  case reduction(ReductionKind, axes: [Int])
  /// Slices of operand 0 along an axis, at the places that the integers of operand 1 say.
  case gather(axis: Int)
  /// Operand 0 with elements replaced by those of operand 2, or combined with them, at the places along an axis that the
  /// integers of operand 1 say.
  case scatter(axis: Int, ScatterReduction)
  /// Operand 0 with as many elements before and behind along each axis; what is taken away is negative.
  case padding(before: [Int], after: [Int], Padding)
  case contraction(ContractionComputation)
  case recurrence(RecurrenceComputation)
  /// Operand 0 resampled along each axis that has neighbours.
  case resampling([ResamplingNeighbours?])
}

extension Computation {
  /// Operand 0 under the shape of the result.
  static func reshape(_ call: Invocation) -> Computation {
    .views([[.reshape(call.results[0].fixedShape!)]])
  }
}

/// Elements that are put around those of a tensor.
package enum Padding: Sendable {
  case number(Float)
  /// For each axis, one after the other, the runs of elements before and behind: where each begins in the result, and
  /// which of its elements, from `source` on and `step` apart, it repeats.
  case runs([[Run]])

  package struct Run: Sendable {
    package var start, count, source, step: Int
  }
}

/// How elements of a tensor are picked and arranged without being changed.
package enum ViewStep: Sendable, Hashable {
  /// The same elements in row-major order under another shape.
  case reshape([Int])
  /// Axis `i` of the result is axis `order[i]`.
  case permute([Int])
  /// Along each axis the indices `start, start + step, ...`, of which there are `count`.
  case select([Selection])
  /// Broadcast to a shape of at least as many axes.
  case broadcast([Int])

  package struct Selection: Sendable, Hashable {
    package var (start, step, count): (Int, Int, Int)

    package init(start: Int, step: Int, count: Int) {
      (self.start, self.step, self.count) = (start, step, count)
    }
  }
}

/// `Y [N, M, E1 ... En]` from `X [N, C, D1 ... Dn]` (operand 0), `W` (operand 1) and, where it is given, `B [M]`
/// (operand 2), followed by an activation.
package struct ConvolutionComputation: Sendable {
  package var groups: Int
  /// For each spatial axis.
  package var kernel, strides, dilations: [Int]
  package var padding: [(before: Int, after: Int)]
  /// Whether it is the transpose of a convolution, and `W [C, M/groups, ...]` instead of `[M, C/groups, ...]`.
  package var isTransposed: Bool
  package var activation = Activation.identity
}

/// `Y = alpha A B + beta C` of matrices, or of matrices along leading axes that broadcast: operands 0, 1 and,
/// where it is given, 2, which broadcasts to Y.
package struct MatrixComputation: Sendable {
  /// Whether the last two axes change places first.
  package var transposesA = false
  package var transposesB = false
  package var alpha: Float = 1
  package var beta: Float = 1

  /// Nothing but the product.
  package static let plain = MatrixComputation()
}

/// The greatest elements or means of windows over the spatial axes of `X [N, C, D1 ... Dn]`.
package struct PoolingComputation: Sendable {
  package enum Kind: Sendable {
    case maximum
    /// The mean of the elements inside of X, or of those and the zeros of the padding.
    case average(countsPadding: Bool)
  }
  package var kind: Kind
  package var kernel, strides, dilations: [Int]
  package var padding: [(before: Int, after: Int)]
}

extension PoolingComputation {
  /// Means of so many elements along one axis, with zeros for those that are not there.
  package init(average size: Int, padding: (before: Int, after: Int)) {
    self.init(
      kind: .average(countsPadding: true), kernel: [size], strides: [1], dilations: [1],
      padding: [padding])
  }
}

/// Products of matrices whose rows, columns and inner extents are several axes each: of operands 0 and 1, both in
/// as many stacks.
package struct ContractionComputation: Sendable {
  /// An operand's axes: of stacks, of rows (of operand 0) or columns (of operand 1), and those to sum over.
  package typealias Axes = (stacks: [Int], outer: [Int], inner: [Int])
  package var left, right: Axes
  /// For each axis of the result which one it is of those of stacks, rows and columns, one after the other.
  package var order: [Int]
}

/// LSTM, GRU and RNN with their default activation functions, without peepholes. Operand 4, where it is given, has the
/// lengths of the sequences.
package struct RecurrenceComputation: Sendable {
  package enum Cell: Sendable {
    case longShortTermMemory
    /// Whether the state goes through the weights before it is reset.
    case gatedUnit(isLinearBeforeReset: Bool)
    case plain
  }
  package var cell: Cell
  /// Whether the axis of sequences comes first in operand 0, the states and the results.
  package var isBatchFirst: Bool
  /// For each direction whether it begins at the last step.
  package var directions: [Bool]
}

/// What each index of a result's axis takes from the operand's axis: the sum of one or two elements, each with a weight.
package struct ResamplingNeighbours: Sendable {
  /// No axis is longer, of the operand or of the result: numbers in a small file can ask for any tables.
  package static let extentLimit = 1 << 22

  /// The first neighbours of all indices, and where there are two, the second.
  package var indices: [[Int]]
  package var weights: [[Float]]

  package init(indices: [[Int]], weights: [[Float]]) {
    (self.indices, self.weights) = (indices, weights)
  }
}

package enum ReductionKind: Sendable {
  case sum, mean, maximum, minimum, product, sumOfSquares, l1, l2
}

/// A normalization of operand 0 with scale and bias from other operands, where they are given.
package struct NormalizationComputation: Sendable {
  package enum Statistics: Sendable {
    /// Of the axes from `axis` on; scale and bias broadcast to X.
    case trailing(axis: Int, keepsMean: Bool)
    /// Of each of so many groups of channels over all pixels; scale and bias are of one element a channel.
    case groups(Int)
    /// Given ones, of one element a channel.
    case given(mean: Int, variance: Int)
  }
  package var statistics: Statistics
  package var epsilon: Float
  package var scale: Int?
  package var bias: Int?
}

/// `X / (bias + alpha m)^beta` where `m` is the mean of the squares of `size` neighbouring channels, some of which may be
/// beyond the last and zero.
package struct LocalResponseComputation: Sendable {
  package var size: Int
  package var alpha, beta, bias: Float
}

/// An operator that has kernels. Others are executed by their `evaluate`.
package protocol KernelOperator: Operator {
  /// What the node computes, given facts in which every extent is a number; `nil` where the kernels do not
  /// cover this form of it.
  func computation(_ call: Invocation) throws(CompileError) -> Computation?
}
