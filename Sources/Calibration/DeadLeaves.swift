import PrunecTensors

/// Images of overlapping shapes, the model of natural images that has their edges, flat parts and scale: each is 2 to 24 boxes and
/// discs of random places, sizes and colours, the later before the earlier ("dead leaves": Lee, Mumford, Huang, "Occlusion Models for
/// Natural Images", IJCV 2001, with uniform sizes here).
struct DeadLeaves {
  private var generator: SplitMix64

  init(seed: UInt64) { generator = SplitMix64(seed: seed) }

  /// An image `[channels, height, width]` of values around zero.
  mutating func image(channels: Int, height: Int, width: Int) -> [Float] {
    var image = [Float](repeating: 0, count: channels * height * width)
    let ground = colour(channels)
    for channel in 0..<channels {
      for pixel in 0..<(height * width) {
        image[channel * height * width + pixel] = ground[channel]
      }
    }
    let count = 2 + Int(generator.nextUniform() * 23)
    for _ in 0..<count { draw(&image, channels, height, width) }
    return image
  }

  private mutating func draw(_ image: inout [Float], _ channels: Int, _ height: Int, _ width: Int) {
    let isDisc = generator.nextUniform() < 0.5
    let y = generator.nextUniform() * Float(height)
    let x = generator.nextUniform() * Float(width)
    let half = (0.04 + 0.36 * generator.nextUniform()) * Float(height)
    let other = isDisc ? half : (0.04 + 0.36 * generator.nextUniform()) * Float(width)
    let colour = colour(channels)
    let rows = max(0, Int(y - half))..<max(max(0, Int(y - half)), min(height, Int(y + half) + 1))
    let columns =
      max(0, Int(x - other))..<max(max(0, Int(x - other)), min(width, Int(x + other) + 1))
    for row in rows {
      for column in columns {
        let (dy, dx) = (Float(row) - y, Float(column) - x)
        if isDisc, dy * dy + dx * dx > half * half { continue }
        for channel in 0..<channels {
          image[(channel * height + row) * width + column] = colour[channel]
        }
      }
    }
  }

  private mutating func colour(_ channels: Int) -> [Float] {
    (0..<channels).map { _ in generator.nextUniform() - 0.5 }
  }
}
