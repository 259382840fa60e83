import PrunecOperators
import PrunecTensors

/// Images that are made up for one input of a model: floats or bytes `[N, C, H, W]` or `[N, H, W, C]`, C from 1 to 4.
///
/// They are scenes `[N, C, H, W]` of values around zero, which a line then brings to the mean and deviation of the input.
struct SyntheticImages: Sendable {
  private let type: ElementType
  private let distribution: SyntheticSamples.Distribution
  /// Number of images in a batch.
  let count: Int
  let channels, height, width: Int
  private let isChannelLast: Bool

  /// `nil` where a tensor of this type and shape is no batch of images.
  init?(_ type: ElementType, _ shape: [Int], _ distribution: SyntheticSamples.Distribution) {
    guard type.isFloatingPoint || type == .uint8, shape.count == 4 else { return nil }
    isChannelLast = !(1...4).contains(shape[1])
    guard !isChannelLast || (1...4).contains(shape[3]) else { return nil }
    (self.type, self.distribution, count) = (type, distribution, shape[0])
    (channels, height, width) =
      isChannelLast ? (shape[3], shape[1], shape[2]) : (shape[1], shape[2], shape[3])
  }

  /// Number of elements of an image.
  var elementCount: Int { channels * height * width }

  func leaves(seed: UInt64) -> DeadLeaves {
    DeadLeaves(channels: channels, height: height, width: width, seed: seed)
  }

  /// Scenes of a batch.
  func scenes(seed: UInt64) -> [Float] {
    var leaves = leaves(seed: seed)
    var scenes: [Float] = []
    scenes.reserveCapacity(count * elementCount)
    for _ in 0..<count { scenes += leaves.image() }
    return scenes
  }

  /// Line that gives values another mean and deviation.
  struct Line {
    let scale, shift: Float
  }

  /// The line that brings scenes to the mean and deviation of the input.
  func standardization(of scenes: [Float]) -> Line {
    let count = Double(max(1, scenes.count))
    let mean = scenes.reduce(0.0) { $0 + Double($1) } / count
    let variance = scenes.reduce(0.0) { $0 + (Double($1) - mean) * (Double($1) - mean) } / count
    let scale = distribution.deviation / Float(max(variance, 1e-12).squareRoot())
    return Line(scale: scale, shift: distribution.mean - scale * Float(mean))
  }

  /// The input that holds scenes of a batch.
  func tensor(of scenes: [Float], by line: Line) -> Tensor {
    let elements = scenes.map { line.scale * $0 + line.shift }
    let shape = [count, channels, height, width]
    let images =
      type.isFloatingPoint
      ? Tensor(rounding: elements, to: type, shape: shape)
      : Tensor(
        wrapping: elements.map { Int(min(max($0, 0), 255).rounded()) }, to: type, shape: shape)
    return isChannelLast ? images.transposed([0, 2, 3, 1]) : images
  }
}
