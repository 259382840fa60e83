import Foundation
import PrunecLinearAlgebra

/// A layer that sums over channels which may go, with what it knows of its inputs.
public struct ChannelConsumer: Sendable {
  package let layer: FittableLayer
  /// Sums over the rows that it multiplies with its weight.
  package let moments: Moments
  /// `W [outputs, rowLength]`.
  package let matrix: [Double]
  /// For each channel the elements of a row that hold it.
  package let places: [[Int]]

  package init(layer: FittableLayer, moments: Moments, matrix: [Double], places: [[Int]]) {
    (self.layer, self.moments) = (layer, moments)
    (self.matrix, self.places) = (matrix, places)
  }

  /// The covariance of the rows, or their second moment where the layer can have no bias.
  package var covariance: [Double] {
    moments.covariance(isCentred: takesBias)
  }

  /// Part of the mean of the covariance's diagonal that is added to it.
  static let ridge = 1e-2

  /// The covariance with the ridge on its diagonal, C + r I; `nil` where the rows are always zero, or not finite.
  var ridgedCovariance: [Double]? {
    let length = moments.inputs
    var covariance = covariance
    let mean = (0..<length).reduce(0) { $0 + covariance[$1 * length + $1] } / Double(length)
    guard mean > 0, mean.isFinite else { return nil }
    for index in 0..<length { covariance[index * length + index] += Self.ridge * mean }
    return covariance
  }

  /// Whether the layer has a bias that can take up the means of what it reads, or may be given one.
  package var takesBias: Bool {
    if case .impossible = layer.bias { false } else { true }
  }

  /// For each element of a row, the sum of `term` over the weights that it is multiplied with.
  package func columnSums(_ term: (Double) -> Double) -> [Double] {
    let length = moments.inputs
    var sums = [Double](repeating: 0, count: length)
    for start in stride(from: 0, to: matrix.count, by: max(1, length)) {
      for column in 0..<length { sums[column] += term(matrix[start + column]) }
    }
    return sums
  }
}

/// The order in which the channels of a unit go if each time those go that can be missed best, the rest making up for them.
///
/// The structured form of Optimal Brain Surgeon (Hassibi and Stork, NeurIPS 1992; for whole channels Kurtic, Frantar, Alistarh:
/// "ZipLM", NeurIPS 2023, section 3.1). For every consumer with covariance C of its inputs, H = (C + r I)^-1: without channel c the best
/// weights are `W - W_c (H_cc)^-1 H_c` and the squared error of the results grows by `tr(W_c (H_cc)^-1 W_c^T)`, which counts
/// relative to the power `tr(W C W^T)` of the consumer's results; that of all consumers is added up.
package struct ChannelElimination {
  /// One consumer's state, without most of what has gone.
  private struct State {
    /// For each channel the rows that hold it.
    var places: [[Int]]
    /// Number of results.
    let outputs: Int
    let power: Double
    /// H `[length, length]`, of which the upper triangle is kept.
    var inverse: [Double]
    /// The transpose of W, `[length, outputs]`: a channel's weights lie together.
    var columns: [Double]
    var length: Int
  }

  private var states: [State]
  private let count: Int

  /// Steps in which a unit is taken apart, at most: of wide ones several channels go at once.
  private static let stepLimit = 64

  /// `nil` where no consumer knows anything.
  package init?(_ consumers: [ChannelConsumer], channelCount: Int) {
    count = channelCount
    states = consumers.compactMap(Self.state)
    if states.isEmpty { return nil }
  }

  private static func state(of consumer: ChannelConsumer) -> State? {
    let length = consumer.moments.inputs
    guard let covariance = consumer.ridgedCovariance else { return nil }
    let rows = consumer.matrix.count / length
    let product = LinearAlgebra.product(consumer.matrix, covariance, m: rows, k: length, n: length)
    let power = zip(product, consumer.matrix).reduce(0) { $0 + $1.0 * $1.1 }
    guard power > 0, let inverse = LinearAlgebra.inverse(covariance, n: length) else { return nil }
    let columns = (0..<length).flatMap { place in
      (0..<rows).map { consumer.matrix[$0 * length + place] }
    }
    return State(
      places: consumer.places, outputs: rows, power: power, inverse: inverse, columns: columns,
      length: length)
  }

  /// The channels in the order in which they go, with what each adds to the relative error.
  package mutating func run() -> [(channel: Int, error: Double)] {
    var left = Array(0..<count)
    var order: [(channel: Int, error: Double)] = []
    let step = max(1, count / Self.stepLimit)
    while left.count > 1 {
      var errors = [Double](repeating: 0, count: count)
      for state in states { Self.addErrors(state, left, to: &errors) }
      let going = left.sorted { (errors[$0], $0) < (errors[$1], $1) }
        .prefix(min(step, left.count - 1))
      order += going.map { ($0, errors[$0]) }
      let gone = Set(going)
      left.removeAll { gone.contains($0) }
      for index in states.indices { Self.eliminate(Array(going), from: &states[index]) }
    }
    return order + left.map { ($0, .infinity) }
  }

  /// Adds for each channel that is left what its going would cost.
  private static func addErrors(_ state: State, _ channels: [Int], to errors: inout [Double]) {
    for channel in channels {
      let places = state.places[channel]
      let size = places.count
      guard size > 0 else { continue }
      let block = LinearAlgebra.symmetricRows(
        places, of: state.inverse, width: state.length, columns: places)
      guard let inverse = size == 1 ? [1 / block[0]] : LinearAlgebra.inverse(block, n: size)
      else { continue }
      let weights = LinearAlgebra.submatrix(of: state.columns, width: state.outputs, rows: places)
      // tr(W_c (H_cc)^-1 W_c^T) = sum of (H_cc)^-1 times W_c^T W_c, element by element.
      let products = LinearAlgebra.product(
        weights, weights, m: size, k: state.outputs, n: size, transposesB: true)
      let error = zip(inverse, products).reduce(0) { $0 + $1.0 * $1.1 }
      errors[channel] += max(0, error) / state.power
    }
  }

  private static func eliminate(_ channels: [Int], from state: inout State) {
    let places = channels.flatMap { state.places[$0] }
    let (length, size) = (state.length, places.count)
    guard size > 0 else { return }
    let strip = LinearAlgebra.symmetricRows(places, of: state.inverse, width: length)
    let block = LinearAlgebra.submatrix(of: strip, width: length, columns: places)
    let weights = LinearAlgebra.submatrix(of: state.columns, width: state.outputs, rows: places)
    // With H_cc = L L^T, H_c^T (H_cc)^-1 H_c is the product of L^-1 H_c with itself.
    if let factor = CholeskyFactor(block, n: size) {
      let half = factor.halfSolve(strip, columns: length)
      LinearAlgebra.subtractProduct(
        half, factor.halfSolve(weights, columns: state.outputs), m: length, k: size,
        n: state.outputs, transposesA: true, from: &state.columns)
      LinearAlgebra.subtractGram(
        ofColumnsOf: half, rows: size, columns: length, fromUpperTriangleOf: &state.inverse)
    }
    for channel in channels { state.places[channel] = [] }
    drop(places, from: &state)
  }

  /// Takes out rows that have gone.
  private static func drop(_ places: [Int], from state: inout State) {
    let gone = places.sorted()
    LinearAlgebra.remove(rows: gone, columns: gone, from: &state.inverse, width: state.length)
    LinearAlgebra.remove(rows: gone, from: &state.columns, width: state.outputs)
    let isGone = Set(gone)
    let stays = (0..<state.length).filter { !isGone.contains($0) }
    var newPlaces = [Int](repeating: 0, count: state.length)
    for (new, old) in stays.enumerated() { newPlaces[old] = new }
    state.places = state.places.map { $0.map { newPlaces[$0] } }
    state.length = stays.count
  }
}
