/// One position of a convolution's kernel, and the pairs of elements that it connects: an element of
/// the convolution's output with the element of its input that the position lies on. A transposed
/// convolution reads the pairs the other way round.
struct ConvolutionTap {
  /// Kernel index along the last axis.
  let last: Int
  /// Output indices along the last axis whose input lies within the image.
  let columns: Range<Int>
  /// Pairs of output row and input row, rows being all spatial axes but the last, flattened.
  let rows: [(output: Int, input: Int)]

  /// The tap at row-major position `flat` of the kernel, between planes of extents `input` and
  /// `output`.
  init(_ geometry: ConvolutionGeometry, _ flat: Int, input: [Int], output: [Int]) {
    var position = [Int](repeating: 0, count: input.count)
    var rest = flat
    for axis in position.indices.reversed() {
      position[axis] = rest % geometry.kernel[axis]
      rest /= geometry.kernel[axis]
    }
    let lastAxis = input.count - 1
    let inside = (0..<output[lastAxis]).filter {
      (0..<input[lastAxis]).contains(
        geometry.inputIndex($0, kernel: position[lastAxis], axis: lastAxis))
    }
    last = position[lastAxis]
    columns = inside.isEmpty ? 0..<0 : inside[0]..<(inside[inside.count - 1] + 1)
    var rows = [(output: 0, input: 0)]
    for axis in 0..<lastAxis {
      rows = rows.flatMap { row in
        (0..<output[axis]).compactMap { index in
          let source = geometry.inputIndex(index, kernel: position[axis], axis: axis)
          guard (0..<input[axis]).contains(source) else { return nil }
          return (row.output * output[axis] + index, row.input * input[axis] + source)
        }
      }
    }
    self.rows = rows
  }
}
