import Foundation
import PrunecTensors

/// Images of overlapping shapes, the model of natural images that has their edges, flat parts and scale: each is 2 to 24 shapes of
/// random places, sizes and colours, the later before the earlier ("dead leaves": Lee, Mumford, Huang, "Occlusion Models for
/// Natural Images", IJCV 2001, with uniform sizes here).
///
/// Shapes are ellipses and boxes, upright or turned. Each is shaded from one side to the other and may have waves, and the images
/// differ in contrast and brightness: networks that have been fitted to flat colours alone do worse on photographs
/// (Baradad et al., "Learning to See by Looking at Noise", NeurIPS 2021, compares such models).
struct DeadLeaves {
  let channels, height, width: Int
  private var generator: SplitMix64

  /// Images `[channels, height, width]` of values around zero.
  init(channels: Int, height: Int, width: Int, seed: UInt64) {
    (self.channels, self.height, self.width) = (channels, height, width)
    generator = SplitMix64(seed: seed)
  }

  /// Standard deviation of the images' elements, about.
  private static let deviation: Float = 0.29

  mutating func image() -> [Float] {
    let ground = colour()
    var image = (0..<channels).flatMap {
      [Float](repeating: ground[$0], count: height * width)
    }
    let count = 2 + Int(generator.nextUniform() * 23)
    for _ in 0..<count { draw(onto: &image) }
    let contrast = exp(0.4 * generator.nextNormal())
    let brightness = 0.4 * Self.deviation * generator.nextNormal()
    for index in image.indices { image[index] = contrast * image[index] + brightness }
    return image
  }

  /// Draws one more shape, before those that are there, onto an image that begins at `start`.
  mutating func draw(onto images: inout [Float], at start: Int = 0) {
    let (rows, columns) = (Float(height), Float(width))
    let kind = generator.nextUniform()
    let centre = (y: generator.nextUniform() * rows, x: generator.nextUniform() * columns)
    let half = (y: halfExtent(rows), x: halfExtent(columns))
    let isEllipse = kind < 0.4
    let turn = kind < 0.7 ? 0 : generator.nextUniform() * .pi
    let (sine, cosine) = (sin(turn), cos(turn))
    let colour = colour()
    let shade = (
      y: 0.5 * generator.nextNormal() / rows, x: 0.5 * generator.nextNormal() / columns
    )
    let wave = wave()
    let reach = turn == 0 ? half : (y: half.y + half.x, x: half.y + half.x)
    for row in range(centre.y, reach.y, height) {
      for column in range(centre.x, reach.x, width) {
        let (dy, dx) = (Float(row) - centre.y, Float(column) - centre.x)
        let (u, v) = ((cosine * dx + sine * dy) / half.x, (cosine * dy - sine * dx) / half.y)
        guard isEllipse ? u * u + v * v <= 1 : abs(u) <= 1 && abs(v) <= 1 else { continue }
        let light =
          shade.y * dy + shade.x * dx
          + wave.height * sin(wave.y * Float(row) + wave.x * Float(column) + wave.phase)
        for channel in 0..<channels {
          images[start + (channel * height + row) * width + column] = colour[channel] + light
        }
      }
    }
  }

  private mutating func halfExtent(_ whole: Float) -> Float {
    (0.04 + 0.36 * generator.nextUniform()) * whole
  }

  /// The pixels of one axis within `reach` of a centre.
  private func range(_ centre: Float, _ reach: Float, _ count: Int) -> Range<Int> {
    let start = min(count, max(0, Int(centre - reach)))
    return start..<max(start, min(count, Int(centre + reach) + 1))
  }

  /// A wave of any direction, from two pixels to most of the image long; most are faint.
  private mutating func wave() -> (height: Float, y: Float, x: Float, phase: Float) {
    let longest = 0.75 * Float(max(3, min(height, width)))
    let length = 2.2 * pow(longest / 2.2, generator.nextUniform())
    let direction = generator.nextUniform() * .pi
    let share = generator.nextUniform()
    return (
      0.5 * share * share, 2 * .pi / length * sin(direction), 2 * .pi / length * cos(direction),
      2 * .pi * generator.nextUniform()
    )
  }

  private mutating func colour() -> [Float] {
    (0..<channels).map { _ in generator.nextUniform() - 0.5 }
  }
}
