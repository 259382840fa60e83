import PrunecCoupling
import PrunecGraphIR
import PrunecOperators
import PrunecRuntime
import PrunecSemantics
import PrunecTensors

/// A linear layer as products of rows with a matrix, for each of its groups
///
///     result[position, group, output] = sum over (channel, tap) of row[position, group, channel, tap] W[group, output, channel, tap] + bias
///
/// A row holds what one position of the result depends on: a patch of `X [N, C, D1 ... Dn]` under a convolution, a patch with
/// holes under a transposed one, and a row of `X [..., K]` under a matrix product, which has one tap.
package struct LayerForm: Sendable {
  package let layer: LinearLayer
  package let groups: Int
  /// Channels that a group reads, and that it makes.
  package let inputs, outputs: Int
  /// Elements of a kernel; 1 for matrix products.
  package let taps: Int
  private let convolution: ConvolutionComputation?
  /// Whether a matrix product's weight is `[K, N]` rather than `[N, K]`.
  private let isColumnMajor: Bool

  /// Whether results have the channels along axis 1, not the last.
  var isConvolution: Bool { convolution != nil }

  /// Length of a row.
  package var rowLength: Int { inputs * taps }

  /// `nil` where the layer is none of these, or computes more than the sum. `facts` have numbers for all extents.
  package init?(_ layer: LinearLayer, _ graph: Graph, _ facts: GraphFacts) {
    guard layer.recurrent == nil, layer.weightOperand == 1,
      let weight = facts[layer.weight].fixedShape,
      let computation = try? facts.kernelComputation(of: layer.node)
    else { return nil }
    self.layer = layer
    switch computation {
    case .convolution(let form) where form.activation == .identity:
      groups = form.groups
      taps = form.kernel.reduce(1, *)
      inputs = form.isTransposed ? weight[0] / form.groups : weight[1]
      outputs = form.isTransposed ? weight[1] : weight[0] / form.groups
      (convolution, isColumnMajor) = (form, false)
    case .matrixProduct(let form):
      guard weight.count == 2, !form.transposesA, form.alpha == 1, form.beta == 1,
        facts[layer.data].rank ?? 0 >= 2
      else { return nil }
      groups = 1
      taps = 1
      inputs = form.transposesB ? weight[1] : weight[0]
      outputs = form.transposesB ? weight[0] : weight[1]
      (convolution, isColumnMajor) = (nil, !form.transposesB)
    default: return nil
    }
  }

  // MARK: Weights

  /// The matrix `[outputs, rowLength]` of a group.
  package func matrix(of weight: Tensor, group: Int) -> [Float] {
    let elements = weight.floats
    return (0..<(outputs * rowLength)).map { elements[place($0, group)] }
  }

  /// Puts the matrix of a group into the elements of a weight.
  package func put(_ matrix: [Float], group: Int, into elements: inout [Float]) {
    for index in matrix.indices { elements[place(index, group)] = matrix[index] }
  }

  /// Where an element of a group's matrix lies in the weight.
  private func place(_ index: Int, _ group: Int) -> Int {
    let (output, rest) = index.quotientAndRemainder(dividingBy: rowLength)
    if let convolution {
      guard convolution.isTransposed else { return (group * outputs + output) * rowLength + rest }
      let (input, tap) = rest.quotientAndRemainder(dividingBy: taps)
      return ((group * inputs + input) * outputs + output) * taps + tap
    }
    return isColumnMajor ? rest * outputs + output : index
  }

  // MARK: Rows

  /// Number of positions of a result.
  package func positionCount(ofResult shape: [Int]) -> Int {
    convolution == nil
      ? shape.dropLast().reduce(1, *) : shape[0] * shape[2...].reduce(1, *)
  }

  /// The rows `[positions, rowLength]` that a group's results at `positions` depend on. `result` is the result's shape.
  package func rows(
    of data: Tensor, at positions: [Int], result: [Int], group: Int
  ) -> [Float] {
    guard let convolution else {
      return data.withFloats { Self.pick(positions, of: $0, length: inputs) }
    }
    let patches = Patches(convolution, data: data.shape, result: result)
    return data.withFloats { elements in
      patches.rows(
        of: elements, at: positions, channels: (group * inputs)..<((group + 1) * inputs))
    }
  }

  /// The results `[positions, channels]` at some positions and channels of all groups.
  package func results(of result: Tensor, at positions: [Int], channels: [Int]) -> [Float] {
    let shape = result.shape
    let width = convolution == nil ? shape.last! : shape[1]
    let area = convolution == nil ? 1 : shape[2...].reduce(1, *)
    return result.withFloats { elements in
      let length = channels.count
      return [Float](unsafeUninitializedCapacity: positions.count * length) { target, count in
        nonisolated(unsafe) let (target, elements) = (target, elements)
        concurrentParts(of: positions.count, grain: 1 + 100_000 / max(1, length)) { part in
          var place = part.lowerBound * length
          for position in positions[part] {
            let (item, pixel) = position.quotientAndRemainder(dividingBy: area)
            let base = item * width * area + pixel
            for channel in channels {
              target.initializeElement(at: place, to: elements[base + channel * area])
              place += 1
            }
          }
        }
        count = positions.count * length
      }
    }
  }

  private static func pick(
    _ rows: [Int], of elements: UnsafeBufferPointer<Float>, length: Int
  ) -> [Float] {
    [Float](unsafeUninitializedCapacity: rows.count * length) { target, count in
      for row in rows {
        (target.baseAddress! + count).initialize(
          from: elements.baseAddress! + row * length, count: length)
        count += length
      }
    }
  }
}

extension Tensor {
  /// Calls `body` with the elements in single precision.
  func withFloats<R>(_ body: (UnsafeBufferPointer<Float>) -> R) -> R {
    if elementType == .float32 { return withElements(as: Float.self, body) }
    return floats.withUnsafeBufferPointer(body)
  }
}
