/// The loops of a kernel over the axes of several views at once: axes of extent one go, and neighbours that every
/// view runs through evenly become one.
struct Loops {
  /// Extents, outermost first.
  var shape: [Int]
  /// For each view the stride of each loop.
  var strides: [[Int]]

  /// The loops over `axes`, in that order, of views of the same shape.
  init(_ views: [View], axes: [Int]) {
    shape = []
    strides = views.map { _ in [] }
    for axis in axes where views[0].shape[axis] != 1 {
      let extent = views[0].shape[axis]
      let merges =
        !shape.isEmpty
        && views.indices.allSatisfy { strides[$0].last! == views[$0].strides[axis] * extent }
      if merges {
        shape[shape.count - 1] *= extent
        for (index, view) in views.enumerated() {
          strides[index][shape.count - 1] = view.strides[axis]
        }
      } else {
        shape.append(extent)
        for (index, view) in views.enumerated() { strides[index].append(view.strides[axis]) }
      }
    }
  }

  var rank: Int { shape.count }
}
