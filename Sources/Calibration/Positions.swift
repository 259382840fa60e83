import PrunecTensors

/// A seeded choice of positions that covers all of them evenly: one at random from each of as many equal stretches as there are
/// to be positions.
struct Positions {
  private var generator: SplitMix64

  init(seed: UInt64) { generator = SplitMix64(seed: seed) }

  /// At most `limit` of `count` positions, increasing.
  mutating func choose(_ limit: Int, of count: Int) -> [Int] {
    guard limit < count else { return Array(0..<count) }
    let stretch = Double(count) / Double(limit)
    return (0..<limit).map { index in
      let start = Double(index) * stretch
      return min(count - 1, Int(start + Double(generator.nextUniform()) * stretch))
    }
  }
}
