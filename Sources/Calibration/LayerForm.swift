import PrunecCoupling
import PrunecGraphIR
import PrunecOperators
import PrunecRuntime
import PrunecSemantics
import PrunecTensors

/// A linear layer as products of rows with a matrix, for each of its groups
///
///     product[position, group, output] = sum over (channel, tap) of row[position, group, channel, tap] W[group, output, channel, tap] + bias
///
/// A row holds what one position of the result depends on: a patch of `X [N, C, D1 ... Dn]` under a convolution, a patch with
/// holes under a transposed one, and what is summed over, with one tap, under a matrix product, an Einsum, or a recurrent layer, whose
/// gates' arguments are products and other terms (`ContractionForm`).
package struct LayerForm: Sendable {
  private enum Kind {
    case convolution(ConvolutionComputation)
    case contraction(ContractionForm)
  }

  package let layer: LinearLayer
  package let groups: Int
  /// Channels that a group reads, and that it makes.
  package let inputs, outputs: Int
  /// Elements of a kernel; 1 for others than convolutions.
  package let taps: Int
  /// The layer's bias, if it has one.
  let bias: BiasForm
  private let kind: Kind

  /// Length of a row.
  package var rowLength: Int { inputs * taps }

  /// `nil` where the layer is none of these, or computes more than the sum. `facts` have numbers for all extents.
  package init?(_ layer: LinearLayer, _ graph: Graph, _ facts: GraphFacts) {
    guard let weight = facts[layer.weight].fixedShape else { return nil }
    self.layer = layer
    if layer.recurrent == nil, layer.weightOperand == 1,
      case .convolution(let form)? = try? facts.kernelComputation(of: layer.node),
      form.activation == .identity
    {
      groups = form.groups
      taps = form.kernel.reduce(1, *)
      inputs = form.isTransposed ? weight[0] / form.groups : weight[1]
      outputs = form.isTransposed ? weight[1] : weight[0] / form.groups
      bias = .vector(groups * outputs)
      kind = .convolution(form)
    } else if let form = ContractionForm(layer, graph, facts) {
      (groups, taps) = (1, 1)
      (inputs, outputs) = (form.inputOffsets.count, form.outputOffsets.count)
      bias = form.resultAxes == nil ? .recurrent(weight) : .vector(outputs)
      kind = .contraction(form)
    } else {
      return nil
    }
  }

  /// Whether the products are the layer's result; of recurrent layers they are but a part of what makes it.
  package var makesResult: Bool {
    if case .contraction(let form) = kind { form.resultAxes != nil } else { true }
  }

  /// Whether it is a convolution, or sums over the data's last axis and makes the result's last.
  package var isPlain: Bool {
    if case .contraction(let form) = kind { form.isMatrixProduct } else { true }
  }

  /// The operand that takes a bias, where the operator has one.
  var biasOperand: Int? {
    if case .contraction(let form) = kind { form.biasOperand } else { 2 }
  }

  /// The extents of the outputs' axes where those are the result's last, so that a tensor of theirs can be added.
  var trailingExtents: [Int]? {
    if case .contraction(let form) = kind { form.trailingExtents } else { nil }
  }

  /// The axes along which outputs lie, of the result or, where that is more than the products, of the weight.
  package var outputAxes: [Axis] {
    guard case .contraction(let form) = kind else { return [Axis(layer.result, layer.resultAxis)] }
    return form.resultAxes?.outputs.map { Axis(layer.result, $0) }
      ?? form.weightOutputs.map { Axis(layer.weight, $0) }
  }

  // MARK: Weights

  /// The weight's axes that are summed over, where all groups have them in common.
  package var inputAxes: [Int] {
    if case .contraction(let form) = kind { return form.weightInputs }
    return layer.inputAxis.map { [$0] } ?? []
  }

  /// For each index of one of `inputAxes` the elements of a row that meet it.
  package func rowElements(alongInput axis: Int) -> [[Int]] {
    if case .contraction(let form) = kind { return form.rowElements(alongInput: axis) }
    return (0..<inputs).map { Array(($0 * taps)..<(($0 + 1) * taps)) }
  }

  /// The matrix `[outputs, rowLength]` of a group.
  package func matrix(of weight: Tensor, group: Int) -> [Float] {
    let places = places(ofGroup: group)
    return weight.withFloats { $0.gathered(places.outputs, places.row) }
  }

  /// Puts the matrix of a group into the elements of a weight.
  package func put(_ matrix: [Float], group: Int, into elements: inout [Float]) {
    let places = places(ofGroup: group)
    for (row, base) in places.outputs.enumerated() {
      for (column, offset) in places.row.enumerated() {
        elements[base + offset] = matrix[row * places.row.count + column]
      }
    }
  }

  /// Where a group's matrix lies in the weight: an element at the sum of a place of its output and one of its place in the row.
  private func places(ofGroup group: Int) -> (outputs: [Int], row: [Int]) {
    switch kind {
    case .contraction(let form): return (form.outputOffsets, form.inputOffsets)
    case .convolution(let form) where form.isTransposed:
      let (first, size) = (group * inputs * outputs * taps, outputs * taps)
      let row = (0..<inputs).flatMap { input in (0..<taps).map { input * size + $0 } }
      return ((0..<outputs).map { first + $0 * taps }, row)
    case .convolution:
      return ((0..<outputs).map { (group * outputs + $0) * rowLength }, Array(0..<rowLength))
    }
  }

  // MARK: Rows

  /// Number of positions of a result, whose shape that of its products is.
  package func positionCount(ofResult shape: [Int]) -> Int {
    switch kind {
    case .convolution: shape[0] * shape[2...].reduce(1, *)
    case .contraction(let form):
      form.resultAxes.map { $0.positions.reduce(1) { $0 * shape[$1] } }
        ?? shape.dropLast().reduce(1, *)
    }
  }

  /// Number of positions at which a layer that reads data of one shape makes a result of another.
  package func positionCount(data: [Int], result: [Int]) -> Int {
    if case .contraction(let form) = kind, !makesResult {
      return form.positionCount(ofData: data)
    }
    return positionCount(ofResult: result)
  }

  /// Arrangement of samples among the positions at which a layer that reads data of one shape makes a result of another;
  /// `axis` is the data's axis that the samples lie along.
  func layout(
    data: [Int], result: [Int], samplesAlong axis: Int?
  ) -> SamplePositions.Layout {
    switch kind {
    case .convolution:
      SamplePositions.Layout(
        extents: [result[0]] + result[2...], axis: axis.flatMap { $0 == 0 ? 0 : nil })
    case .contraction(let form):
      form.layout(ofData: data, samplesAlong: axis)
    }
  }

  /// Whether there is a row in `data` for each of so many positions.
  func hasRows(_ count: Int, inData shape: [Int]) -> Bool {
    if case .contraction(let form) = kind { return form.positionCount(ofData: shape) == count }
    return true
  }

  /// The rows `[positions, rowLength]` that a group's results at `positions` depend on. `result` is the result's shape.
  package func rows(
    of data: Tensor, at positions: [Int], result: [Int], group: Int
  ) -> [Float] {
    switch kind {
    case .contraction(let form): return form.rows(of: data, at: positions)
    case .convolution(let form):
      let patches = Patches(form, data: data.shape, result: result)
      return data.withFloats { elements in
        patches.rows(
          of: elements, at: positions, channels: (group * inputs)..<((group + 1) * inputs))
      }
    }
  }

  /// The results `[positions, channels]` at some positions and channels of all groups, of a layer that makes its result.
  package func results(of result: Tensor, at positions: [Int], channels: [Int]) -> [Float] {
    let shape = result.shape
    let (outputAxes, positionAxes): ([Int], [Int])
    if case .contraction(let form) = kind, let axes = form.resultAxes {
      (outputAxes, positionAxes) = (axes.outputs, axes.positions)
    } else {
      (outputAxes, positionAxes) = ([1], shape.indices.filter { $0 != 1 })
    }
    let bases = ContractionForm.offsets(of: positions, along: positionAxes, of: shape)
    let offsets = ContractionForm.offsets(along: outputAxes, of: shape)
    return result.withFloats { $0.gathered(bases, channels.map { offsets[$0] }) }
  }
}

extension Tensor {
  /// Calls `body` with the elements in single precision.
  func withFloats<R>(_ body: (UnsafeBufferPointer<Float>) -> R) -> R {
    if elementType == .float32 { return withElements(as: Float.self, body) }
    return floats.withUnsafeBufferPointer(body)
  }
}
