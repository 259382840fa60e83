/// The weights by which pixels along one axis become those of another size: a triangle as wide as two pixels of the smaller
/// of both sizes, which is bilinear interpolation where an image grows, and keeps it free of aliasing where it shrinks.
///
/// As `resize` of PIL and, with `antialias`, of PyTorch.
struct ResamplingWeights {
  /// The first pixel that each result reads.
  private(set) var starts: [Int] = []
  /// The weights of the pixels from there on; their sum is 1.
  private(set) var weights: [[Float]] = []

  /// The weights for the results in `part` when `source` pixels become `target`.
  init(from source: Int, to target: Int, part: Range<Int>) {
    let scale = Double(source) / Double(target)
    let reach = max(scale, 1)
    for index in part {
      let center = (Double(index) + 0.5) * scale
      let start = max(0, Int(center - reach + 0.5))
      let end = min(source, Int(center + reach + 0.5))
      let row = (start..<end).map { max(0, 1 - abs((Double($0) + 0.5 - center) / reach)) }
      let sum = row.reduce(0, +)
      starts.append(start)
      weights.append(row.map { Float($0 / sum) })
    }
  }

  /// The pixels that all results read.
  var sources: Range<Int> {
    guard let first = starts.first, let last = starts.last else { return 0..<0 }
    return first..<(last + weights[weights.count - 1].count)
  }
}

extension Image {
  /// A part of the image at another size: `[rows, columns, channels]`, from 0 to 255, not rounded. The image is resized to
  /// `size`, of which `rows` and `columns` are kept.
  func resampled(
    to size: DataSetOptions.Size, rows: Range<Int>, columns: Range<Int>
  ) -> [Float] {
    let across = ResamplingWeights(from: width, to: size.width, part: columns)
    let down = ResamplingWeights(from: height, to: size.height, part: rows)
    let narrow = narrowed(by: across, rows: down.sources)
    let stride = columns.count * channels
    var result = [Float](repeating: 0, count: rows.count * stride)
    for (row, (start, weights)) in zip(down.starts, down.weights).enumerated() {
      for (offset, weight) in weights.enumerated() {
        let source = (start - down.sources.lowerBound + offset) * stride
        narrow.withUnsafeBufferPointer { narrow in
          result.withUnsafeMutableBufferPointer { result in
            for index in 0..<stride {
              result[row * stride + index] += weight * narrow[source + index]
            }
          }
        }
      }
    }
    return result
  }

  /// Some rows of the image, resampled along them: `[rows, results, channels]`.
  private func narrowed(by across: ResamplingWeights, rows: Range<Int>) -> [Float] {
    let count = across.starts.count
    var result = [Float](repeating: 0, count: rows.count * count * channels)
    pixels.withUnsafeBufferPointer { pixels in
      result.withUnsafeMutableBufferPointer { result in
        for (column, (start, weights)) in zip(across.starts, across.weights).enumerated() {
          weights.withUnsafeBufferPointer { weights in
            for row in rows {
              let source = (row * width + start) * channels
              let target = ((row - rows.lowerBound) * count + column) * channels
              for channel in 0..<channels {
                var sum: Float = 0
                for offset in 0..<weights.count {
                  sum += weights[offset] * Float(pixels[source + offset * channels + channel])
                }
                result[target + channel] = sum
              }
            }
          }
        }
      }
    }
    return result
  }
}
