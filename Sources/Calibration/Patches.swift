import PrunecOperators

/// The patches of `X [N, C, D1 ... Dn]` that the positions of a convolution's result depend on.
struct Patches {
  private let computation: ConvolutionComputation
  private let extents: [Int]
  private let result: [Int]
  private let channelCount: Int
  /// The index of each tap along each spatial axis.
  private let taps: [[Int]]

  /// `data` is the shape of X, `result` that of the convolution's result.
  init(_ computation: ConvolutionComputation, data: [Int], result: [Int]) {
    self.computation = computation
    extents = Array(data[2...])
    self.result = Array(result[2...])
    channelCount = data[1]
    var taps: [[Int]] = [[]]
    for extent in computation.kernel {
      taps = taps.flatMap { tap in (0..<extent).map { tap + [$0] } }
    }
    self.taps = taps
  }

  /// For each position, for each channel, for each tap, the element of X; zero outside of X.
  func rows(
    of elements: UnsafeBufferPointer<Float>, at positions: [Int], channels: Range<Int>
  ) -> [Float] {
    let area = result.reduce(1, *)
    let volume = extents.reduce(1, *)
    let length = channels.count * taps.count
    return [Float](unsafeUninitializedCapacity: positions.count * length) { target, count in
      nonisolated(unsafe) let (target, elements) = (target, elements)
      concurrentParts(of: positions.count, grain: 1 + 100_000 / max(1, length)) { part in
        var place = part.lowerBound * length
        for position in positions[part] {
          let (item, pixel) = position.quotientAndRemainder(dividingBy: area)
          let offsets = offsets(ofPixel: pixel)
          for channel in channels {
            let base = (item * channelCount + channel) * volume
            for offset in offsets {
              target.initializeElement(at: place, to: offset < 0 ? 0 : elements[base + offset])
              place += 1
            }
          }
        }
      }
      count = positions.count * length
    }
  }

  /// Where in a channel of X each tap reads for a pixel of the result; -1 outside.
  private func offsets(ofPixel pixel: Int) -> [Int] {
    var coordinates = [Int](repeating: 0, count: result.count)
    var rest = pixel
    for axis in result.indices.reversed() {
      (rest, coordinates[axis]) = rest.quotientAndRemainder(dividingBy: result[axis])
    }
    return taps.map { tap in
      var offset = 0
      for axis in tap.indices {
        guard let index = index(coordinates[axis], tap[axis], axis) else { return -1 }
        offset = offset * extents[axis] + index
      }
      return offset
    }
  }

  /// The index of X that a tap reads along an axis; `nil` outside.
  private func index(_ coordinate: Int, _ tap: Int, _ axis: Int) -> Int? {
    let (stride, dilation) = (computation.strides[axis], computation.dilations[axis])
    let padding = computation.padding[axis].before
    let index: Int
    if computation.isTransposed {
      let (quotient, remainder) = (coordinate + padding - tap * dilation)
        .quotientAndRemainder(dividingBy: stride)
      guard remainder == 0 else { return nil }
      index = quotient
    } else {
      index = coordinate * stride - padding + tap * dilation
    }
    return (0..<extents[axis]).contains(index) ? index : nil
  }
}
