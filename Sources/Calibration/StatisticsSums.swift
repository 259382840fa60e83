import PrunecGraphIR

/// The sums that statistics consist of, apart from the graph that they are about. Those over parts of some samples add up to those
/// over all of them.
package struct StatisticsSums: Sendable {
  /// Sums by name: `layers/P` for the layer at place P in the order of execution (`LayerStatistics`), and those of heads
  /// (`HeadMoments`).
  package var moments: [String: Moments]
  /// A number for each sample (`SampleFingerprints`).
  package var samples: [UInt64]
  /// The types of the inputs, of a batch of these samples.
  package var inputTypes: [TensorType]

  package init(moments: [String: Moments], samples: [UInt64], inputTypes: [TensorType]) {
    (self.moments, self.samples, self.inputTypes) = (moments, samples, inputTypes)
  }

  /// Whether other sums are about the same layers and heads, so that they can be added.
  package func isAlike(_ other: StatisticsSums) -> Bool {
    moments.count == other.moments.count
      && moments.allSatisfy { other.moments[$0.key]?.inputs == $0.value.inputs }
  }

  /// Adds sums about the same layers and heads.
  package static func += (sums: inout StatisticsSums, more: StatisticsSums) {
    precondition(sums.isAlike(more))
    for (name, part) in more.moments { sums.moments[name]! += part }
    sums.samples += more.samples
  }

  /// The name of a layer's sums, by its place in the order of execution.
  package static func name(ofLayerAt place: Int) -> String { "layers/\(place)" }

  /// The place in the order of execution of the layer that a name is about; `nil` for one that is about heads.
  package static func place(ofLayer name: String) -> Int? {
    name.hasPrefix("layers/") ? Int(name.dropFirst("layers/".count)) : nil
  }
}

extension Moments {
  /// Sums over rows without targets: `second [K, K]`, of which the upper triangle counts, and `sum [K]`.
  package init(count: Int, second: [Double], sum: [Double]) {
    self.init(inputs: sum.count, outputs: 0)
    precondition(second.count == sum.count * sum.count)
    (self.count, self.second, inputSum) = (count, second, sum)
  }

  /// The upper triangle of `sum of x x^T`, row by row.
  package var packedSecond: [Double] {
    (0..<inputs).flatMap { second[($0 * inputs + $0)..<(($0 + 1) * inputs)] }
  }

  /// The matrix `[length, length]` with the upper triangle that `packedSecond` gives; zeros below.
  package static func unpacked(_ packed: [Double], length: Int) -> [Double] {
    var second = [Double](repeating: 0, count: length * length)
    var start = 0
    for row in 0..<length {
      let width = length - row
      second.replaceSubrange(
        (row * length + row)..<((row + 1) * length), with: packed[start..<(start + width)])
      start += width
    }
    return second
  }

  /// The sums of rows of which the elements `indices` are multiplied with `matrix [n, n]`, n their number.
  package func turned(_ indices: [Int], by matrix: [Double]) -> Moments {
    let n = indices.count
    var whole = covariance(isCentred: false)
    for index in whole.indices { whole[index] *= Double(max(1, count)) }
    // T S T^T: first the rows, then the columns.
    func turn(_ places: (Int, Int) -> Int) {
      for other in 0..<inputs {
        let old = indices.map { whole[places($0, other)] }
        for row in 0..<n {
          var sum = 0.0
          for column in 0..<n { sum += matrix[row * n + column] * old[column] }
          whole[places(indices[row], other)] = sum
        }
      }
    }
    turn { $0 * inputs + $1 }
    turn { $1 * inputs + $0 }
    var sums = inputSum
    for row in 0..<n {
      sums[indices[row]] = (0..<n).reduce(0) {
        $0 + matrix[row * n + $1] * inputSum[indices[$1]]
      }
    }
    return Moments(count: count, second: whole, sum: sums)
  }
}
