import PrunecCoupling
import PrunecGraphIR
import PrunecOperators
import PrunecRuntime
import PrunecSemantics
import PrunecTensors

/// A layer that multiplies and sums over axes of its data and of its weight together: a matrix product, an Einsum of an activation
/// with a weight, or the part of a recurrent layer that reads its input.
///
///     MatMul    X [..., K]              W [K, N]
///     Einsum    X [b, t, h, d]          W [h, d, m]        (bthd,hdm->btm)
///     LSTM      X [S, N, I]             W [D, G H, I]      of which the gates' arguments are the products
///
/// Elements of a row, and outputs, are counted in row-major order over their axes.
struct ContractionForm: Sendable {
  /// The data's axes that are summed over, and the weight's that meet them.
  let dataAxes, weightInputs: [Int]
  /// The weight's axes that become outputs, in the order of the result's.
  let weightOutputs: [Int]
  /// The result's axes of the outputs, and those of the data's other axes in the data's order; `nil` where the products are not the
  /// result.
  let resultAxes: (outputs: [Int], positions: [Int])?
  /// The operand that the layer takes a bias as, if it may.
  let biasOperand: Int?
  /// Offsets in the weight of the elements of a row, and of the outputs.
  let inputOffsets, outputOffsets: [Int]
  private let weightShape: [Int]

  private init(
    dataAxes: [Int], weightInputs: [Int], weightOutputs: [Int],
    resultAxes: (outputs: [Int], positions: [Int])?, biasOperand: Int?, weightShape: [Int]
  ) {
    (self.dataAxes, self.weightInputs, self.weightOutputs) = (dataAxes, weightInputs, weightOutputs)
    (self.resultAxes, self.biasOperand, self.weightShape) = (resultAxes, biasOperand, weightShape)
    inputOffsets = Self.offsets(along: weightInputs, of: weightShape)
    outputOffsets = Self.offsets(along: weightOutputs, of: weightShape)
  }

  /// `nil` where the layer is none of these, or computes more than the sum.
  init?(_ layer: LinearLayer, _ graph: Graph, _ facts: GraphFacts) {
    guard let weight = facts[layer.weight].fixedShape, let rank = facts[layer.data].rank else {
      return nil
    }
    if layer.recurrent != nil {
      self.init(recurrent: layer, graph, weight)
      return
    }
    switch try? facts.kernelComputation(of: layer.node) {
    case .matrixProduct(let form):
      guard layer.weightOperand == 1, weight.count == 2, !form.transposesA, form.alpha == 1,
        form.beta == 1, rank >= 2
      else { return nil }
      self.init(
        dataAxes: [rank - 1], weightInputs: [form.transposesB ? 1 : 0],
        weightOutputs: [form.transposesB ? 0 : 1],
        resultAxes: ([rank - 1], Array(0..<(rank - 1))), biasOperand: 2, weightShape: weight)
    case .contraction(let form):
      self.init(form, layer, rank: rank, weight)
    default: return nil
    }
  }

  /// The input's part of a recurrent layer whose sequences are of equal length: steps behind the end of one would count like others.
  private init?(recurrent layer: LinearLayer, _ graph: Graph, _ weight: [Int]) {
    let operands = graph[layer.node].inputs
    guard layer.weightOperand == 1, weight.count == 3, operands.count <= 4 || operands[4] == nil
    else { return nil }
    self.init(
      dataAxes: [2], weightInputs: [2], weightOutputs: [0, 1], resultAxes: nil, biasOperand: 3,
      weightShape: weight)
  }

  private init?(
    _ form: ContractionComputation, _ layer: LinearLayer, rank: Int, _ weight: [Int]
  ) {
    let weightIsLeft = layer.weightOperand == 0
    let (own, data) = weightIsLeft ? (form.left, form.right) : (form.right, form.left)
    guard own.stacks.isEmpty, !own.inner.isEmpty, !own.outer.isEmpty else { return nil }
    let pairs = zip(data.inner, own.inner).sorted { $0.0 < $1.0 }
    /// The result's axis of each of an operand's outer axes.
    func places(_ axes: [Int], isLeft: Bool) -> [(axis: Int, result: Int)] {
      let first = isLeft ? 0 : form.left.outer.count
      return axes.enumerated().map { ($1, form.order.firstIndex(of: first + $0)!) }
    }
    let outputs = places(own.outer, isLeft: weightIsLeft).sorted { $0.result < $1.result }
    let positions = places(data.outer, isLeft: !weightIsLeft).sorted { $0.axis < $1.axis }
    self.init(
      dataAxes: pairs.map(\.0), weightInputs: pairs.map(\.1), weightOutputs: outputs.map(\.axis),
      resultAxes: (outputs.map(\.result), positions.map(\.result)), biasOperand: nil,
      weightShape: weight)
  }

  /// Whether rows lie along the data's last axis and outputs along the result's, of a weight of two axes.
  var isMatrixProduct: Bool {
    guard let resultAxes, weightInputs.count == 1, weightOutputs.count == 1 else { return false }
    return resultAxes.outputs == [resultAxes.positions.count]
      && dataAxes == [resultAxes.positions.count]
  }

  /// The extents of the outputs' axes where those are the result's last.
  var trailingExtents: [Int]? {
    guard let resultAxes else { return nil }
    let first = resultAxes.positions.count
    return resultAxes.outputs == Array(first..<(first + resultAxes.outputs.count))
      ? weightOutputs.map { weightShape[$0] } : nil
  }

  // MARK: Elements

  /// For each index of an axis of the weight that is summed over, the elements of a row that meet it.
  func rowElements(alongInput axis: Int) -> [[Int]] {
    let place = weightInputs.firstIndex(of: axis)!
    let inner = weightInputs[(place + 1)...].reduce(1) { $0 * weightShape[$1] }
    var elements = [[Int]](repeating: [], count: weightShape[axis])
    for element in inputOffsets.indices {
      elements[element / inner % weightShape[axis]].append(element)
    }
    return elements
  }

  /// Axes of data that are not summed over: the positions of rows lie along them.
  private func positionAxes(ofData shape: [Int]) -> [Int] {
    shape.indices.filter { !dataAxes.contains($0) }
  }

  /// Number of rows of data.
  func positionCount(ofData shape: [Int]) -> Int {
    positionAxes(ofData: shape).reduce(1) { $0 * shape[$1] }
  }

  /// Arrangement of samples along an axis of data among the positions.
  func layout(ofData shape: [Int], samplesAlong axis: Int?) -> SamplePositions.Layout {
    let axes = positionAxes(ofData: shape)
    return SamplePositions.Layout(
      extents: axes.map { shape[$0] }, axis: axis.flatMap { axes.firstIndex(of: $0) })
  }

  /// The rows at some positions.
  func rows(of data: Tensor, at positions: [Int]) -> [Float] {
    let axes = positionAxes(ofData: data.shape)
    return data.withFloats {
      $0.gathered(
        Self.offsets(of: positions, along: axes, of: data.shape),
        Self.offsets(along: dataAxes, of: data.shape))
    }
  }

  /// Offsets of all combinations of indices of some axes of a tensor, in row-major order.
  static func offsets(along axes: [Int], of shape: [Int]) -> [Int] {
    let strides = shape.rowMajorStrides
    return axes.reduce([0]) { offsets, axis in
      offsets.flatMap { offset in (0..<shape[axis]).map { offset + $0 * strides[axis] } }
    }
  }

  /// Offsets of some of the combinations of indices of some axes.
  static func offsets(of positions: [Int], along axes: [Int], of shape: [Int]) -> [Int] {
    let strides = shape.rowMajorStrides
    return positions.map { position in
      var (rest, offset) = (position, 0)
      for axis in axes.reversed() {
        offset += rest % shape[axis] * strides[axis]
        rest /= shape[axis]
      }
      return offset
    }
  }
}
