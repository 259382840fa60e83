/// The lanes of a row-major tensor along some neighbouring axes: runs of elements that differ only
/// in their index there, `stride` elements apart.
struct AxisLanes {
  /// Number of elements of a lane, and the distance from one to the next.
  let (count, stride): (Int, Int)
  private let outer: Int

  init(_ shape: [Int], axes: Range<Int>) {
    count = shape[axes].reduce(1, *)
    stride = shape[axes.upperBound...].reduce(1, *)
    outer = shape[..<axes.lowerBound].reduce(1, *)
  }

  init(_ shape: [Int], axis: Int) { self.init(shape, axes: axis..<(axis + 1)) }

  /// The offset of the first element of every lane, in row-major order.
  var starts: [Int] {
    (0..<outer).flatMap { row in (0..<stride).map { row * count * stride + $0 } }
  }
}
