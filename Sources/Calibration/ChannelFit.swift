import PrunecTensors

/// For each channel the scale and shift that bring one tensor closest to another,
///
///     scale = (cov(x, y) + r) / (var(x) + r),  shift = mean(y) - scale mean(x)
///
/// with r a hundredth of the variance: what tells nothing stays as it was.
struct ChannelFit {
  private var count = 0.0
  private var sums: [(x: Double, y: Double, xx: Double, xy: Double)]

  init(count channels: Int) {
    sums = [(x: Double, y: Double, xx: Double, xy: Double)](
      repeating: (0, 0, 0, 0), count: channels)
  }

  private static let strength = 1e-2

  /// Adds two tensors of one shape, whose channels lie along `axis`.
  mutating func add(_ x: Tensor, _ y: Tensor, axis: Int) {
    let inner = x.shape[(axis + 1)...].reduce(1, *)
    let channels = sums.count
    x.withFloats { x in
      y.withFloats { y in
        for start in stride(from: 0, to: x.count, by: max(1, inner)) {
          let channel = start / max(1, inner) % channels
          var sum = sums[channel]
          for index in start..<(start + inner) {
            let (a, b) = (Double(x[index]), Double(y[index]))
            sum.x += a
            sum.y += b
            sum.xx += a * a
            sum.xy += a * b
          }
          sums[channel] = sum
        }
      }
    }
    count += Double(x.count / max(1, channels))
  }

  /// The scale and shift of every channel; one and zero where nothing is known.
  var factors: [(scale: Double, shift: Double)] {
    sums.map { sum in
      let (mean, target) = (sum.x / max(1, count), sum.y / max(1, count))
      let variance = max(0, sum.xx / max(1, count) - mean * mean)
      let covariance = sum.xy / max(1, count) - mean * target
      let ridge = Self.strength * variance
      guard variance > 0, covariance.isFinite, variance.isFinite else {
        return (1, (target - mean).isFinite ? target - mean : 0)
      }
      let scale = (covariance + ridge) / (variance + ridge)
      return (scale, target - scale * mean)
    }
  }
}

extension Tensor {
  /// `x scale + shift`, for each index of an axis its own.
  func scaled(_ factors: [(scale: Double, shift: Double)], alongAxis axis: Int) -> Tensor {
    let inner = max(1, shape[(axis + 1)...].reduce(1, *))
    var elements = floats
    for index in elements.indices {
      let factor = factors[index / inner % factors.count]
      elements[index] = elements[index] * Float(factor.scale) + Float(factor.shift)
    }
    return Tensor(rounding: elements, to: elementType, shape: shape)
  }
}
