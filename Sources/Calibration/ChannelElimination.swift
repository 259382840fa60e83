import Foundation
import LinearAlgebra

/// A layer that sums over channels which may go, with what it knows of its inputs.
public struct ChannelConsumer: Sendable {
  public let layer: FittableLayer
  /// Sums over the rows that it multiplies with its weight.
  public let moments: Moments
  /// `W [outputs, rowLength]`.
  public let matrix: [Double]
  /// For each channel the elements of a row that hold it.
  public let places: [[Int]]

  public init(layer: FittableLayer, moments: Moments, matrix: [Double], places: [[Int]]) {
    (self.layer, self.moments) = (layer, moments)
    (self.matrix, self.places) = (matrix, places)
  }

  /// The covariance of the rows, or their second moment where the layer can have no bias.
  public var covariance: [Double] {
    moments.covariance(isCentred: takesBias)
  }

  /// Whether the layer has a bias that can take up the means of what it reads, or may be given one.
  public var takesBias: Bool {
    if case .impossible = layer.bias { false } else { true }
  }

  /// For each element of a row, the sum of `term` over the weights that it is multiplied with.
  public func columnSums(_ term: (Double) -> Double) -> [Double] {
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
public struct ChannelElimination {
  /// One consumer's state.
  private struct State {
    let places: [[Int]]
    let rows: Int
    let length: Int
    let power: Double
    var inverse: [Double]
    var matrix: [Double]
  }

  private var states: [State]
  private let count: Int

  /// Part of the mean of the diagonal that is added to it.
  private static let ridge = 1e-2
  /// Steps in which a unit is taken apart, at most: of wide ones several channels go at once.
  private static let stepLimit = 64

  /// `nil` where no consumer knows anything.
  public init?(_ consumers: [ChannelConsumer], channelCount: Int) {
    count = channelCount
    states = consumers.compactMap { consumer in
      let length = consumer.moments.inputs
      var covariance = consumer.covariance
      let mean = (0..<length).reduce(0) { $0 + covariance[$1 * length + $1] } / Double(length)
      guard mean > 0, mean.isFinite else { return nil }
      for index in 0..<length { covariance[index * length + index] += Self.ridge * mean }
      let rows = consumer.matrix.count / length
      let product = LinearAlgebra.product(
        consumer.matrix, covariance, m: rows, k: length, n: length)
      let power = zip(product, consumer.matrix).reduce(0) { $0 + $1.0 * $1.1 }
      guard power > 0, let inverse = LinearAlgebra.inverse(covariance, n: length) else {
        return nil
      }
      return State(
        places: consumer.places, rows: rows, length: length, power: power, inverse: inverse,
        matrix: consumer.matrix)
    }
    if states.isEmpty { return nil }
  }

  /// The channels in the order in which they go, with what each adds to the relative error.
  public mutating func run() -> [(channel: Int, error: Double)] {
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
    let (length, rows) = (state.length, state.rows)
    state.matrix.withUnsafeBufferPointer { matrix in
      for channel in channels {
        let places = state.places[channel]
        let size = places.count
        var block = [Double](repeating: 0, count: size * size)
        for (row, from) in places.enumerated() {
          for (column, to) in places.enumerated() {
            block[row * size + column] = state.inverse[from * length + to]
          }
        }
        guard let inverse = size == 1 ? [1 / block[0]] : LinearAlgebra.inverse(block, n: size)
        else {
          continue
        }
        var error = 0.0
        for row in 0..<rows {
          for a in 0..<size {
            let value = matrix[row * length + places[a]]
            guard value != 0 else { continue }
            var sum = 0.0
            for b in 0..<size { sum += inverse[a * size + b] * matrix[row * length + places[b]] }
            error += value * sum
          }
        }
        errors[channel] += max(0, error) / state.power
      }
    }
  }

  private static func eliminate(_ channels: [Int], from state: inout State) {
    let places = channels.flatMap { state.places[$0] }
    let (length, size, rows) = (state.length, places.count, state.rows)
    var block = [Double](repeating: 0, count: size * size)
    var strip = [Double](repeating: 0, count: size * length)
    var weights = [Double](repeating: 0, count: rows * size)
    for (row, from) in places.enumerated() {
      for column in 0..<length {
        strip[row * length + column] = state.inverse[from * length + column]
      }
      for (column, to) in places.enumerated() {
        block[row * size + column] = strip[row * length + to]
      }
      for output in 0..<rows { weights[output * size + row] = state.matrix[output * length + from] }
    }
    guard let inverse = LinearAlgebra.inverse(block, n: size) else { return }
    let projection = LinearAlgebra.product(inverse, strip, m: size, k: size, n: length)
    LinearAlgebra.subtractProduct(
      weights, projection, m: rows, k: size, n: length, from: &state.matrix)
    LinearAlgebra.subtractProduct(
      strip, projection, m: length, k: size, n: length, transposesA: true, from: &state.inverse)
    // What has gone stays gone.
    for place in places {
      for output in 0..<rows { state.matrix[output * length + place] = 0 }
      for other in 0..<length {
        state.inverse[place * length + other] = 0
        state.inverse[other * length + place] = 0
      }
      state.inverse[place * length + place] = 1
    }
  }
}
