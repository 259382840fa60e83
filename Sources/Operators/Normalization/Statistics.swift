import PrunecGraphIR
import PrunecTensors

/// Mean and spread of a run of elements, as the normalisations compute them.
struct Statistics {
  let mean: Double
  /// `1 / sqrt(variance + epsilon)`, the variance being that of the population.
  let inverseDeviation: Double

  init(_ elements: UnsafeBufferPointer<Float>, epsilon: Float) {
    var sum = 0.0
    for element in elements { sum += Double(element) }
    let mean = sum / Double(elements.count)
    var squares = 0.0
    for element in elements {
      let difference = Double(element) - mean
      squares += difference * difference
    }
    self.mean = mean
    let variance = squares / Double(elements.count)
    inverseDeviation = 1 / (variance + Double(epsilon)).squareRoot()
  }
}

extension Statistics {
  /// `(x - mean) / sqrt(variance + epsilon) * scale + bias`, with the statistics of each of `groups`
  /// groups of neighbouring channels of `x [N, C, ...]`, and scale and bias of each channel.
  static func normalize(
    _ x: Tensor, groups: Int, epsilon: Float, scale: [Float], bias: [Float]
  ) -> [Float] {
    var y = x.floats
    guard !y.isEmpty else { return y }
    let channels = x.shape[1]
    let channelCount = x.shape[2...].reduce(1, *)
    let count = channels / groups * channelCount
    y.withUnsafeMutableBufferPointer { y in
      for start in stride(from: 0, to: y.count, by: count) {
        let run = UnsafeBufferPointer(rebasing: y[start..<(start + count)])
        let statistics = Statistics(run, epsilon: epsilon)
        for index in start..<(start + count) {
          let channel = index / channelCount % channels
          let standard = (Double(y[index]) - statistics.mean) * statistics.inverseDeviation
          y[index] = Float(standard) * scale[channel] + bias[channel]
        }
      }
    }
    return y
  }
}

/// What the normalisations over the last axes share: LayerNormalization and RMSNormalization.
enum TrailingNormalization {
  /// The first axis that is normalised, once the operands are found to fit.
  static func firstAxis(
    _ call: Invocation, rank: Int, scales: Range<Int>
  ) throws(CompileError) -> Int {
    let axis = try call.normalizedAxis(call.requiredInt("axis"), rank: rank)
    for index in scales {
      guard let scale = call.shape(index) else { continue }
      guard scale.count <= rank else {
        throw call.malformed("operand \(index) has \(scale.count) axes, X has \(rank)")
      }
      for (extent, other) in zip(scale.reversed(), call.shape(0)!.reversed()) {
        guard let extent = extent.fixedExtent, let other = other.fixedExtent else { continue }
        guard extent == 1 || extent == other else {
          throw call.malformed("operand \(index) does not broadcast: \(extent) to \(other)")
        }
      }
    }
    return axis
  }

  /// Ties the axes of X, Y and whatever of `operands` is not stretched. The normalised axes may be cut:
  /// elements that leave mean and variance along one axis what they are leave those of all together
  /// what they are.
  static func relate(_ call: Invocation, operands: Range<Int>, _ relations: inout Relations) {
    guard call.hasAllRanks, let rank = call.shape(0)?.count, let given = call.int("axis") else {
      return
    }
    Broadcasting.relate(call, operands: operands, &relations)
    for axis in (given < 0 ? given + rank : given)..<rank {
      relations.normalize(over: .operand(0, axis: axis))
    }
  }
}
