import Foundation
import PrunecGraphIR
import PrunecTensors

/// The array of an `.npy` file that stays in its file: its parts are read when they are asked for.
///
/// The file is mapped into memory.
package struct MappedArray: Sendable {
  package let header: ArrayHeader
  private let layout: NumPyFormat.Layout
  private let elements: Data

  /// Maps the file at `path`.
  ///
  /// Throws an input/output error where it cannot be read, and a malformed error where its header breaks the format.
  package init(_ path: String) throws(CompileError) {
    let bytes = try ArrayFile.mapped(path)
    layout = try NumPyFormat.layout(of: bytes, byteCount: bytes.count)
    header = layout.header
    elements = bytes.dropFirst(layout.start)
  }

  /// The part of the array in `range` along its first axis, which must exist. An array in Fortran order is read whole for
  /// each part, since its parts lie scattered.
  package func rows(_ range: Range<Int>) -> Tensor {
    let shape = header.shape
    if layout.isFortran {
      return layout.tensor(elements, shape: shape).slice(range, alongAxis: 0)
    }
    let rowBytes = shape[0] == 0 ? 0 : elements.count / shape[0]
    let start = elements.startIndex + range.lowerBound * rowBytes
    return layout.tensor(
      elements[start..<(start + range.count * rowBytes)], shape: [range.count] + shape.dropFirst())
  }
}
