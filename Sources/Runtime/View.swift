import PrunecOperators
import PrunecTensors

/// Where the elements of a value lie: in which buffer, from which element on, and how far from one index of
/// each axis to the next.
///
/// Layouts are nothing but strides: channels last are the axes `[N, C, H, W]` with the strides
/// `[H W C, 1, W C, C]`. Axes are always those of the ONNX value.
struct View: Hashable, Sendable {
  var buffer: Int
  /// In elements.
  var offset: Int
  var shape: [Int]
  var strides: [Int]
  /// As stored: every floating point type is float32.
  var type: ElementType

  init(buffer: Int, offset: Int = 0, type: ElementType, shape: [Int], order: [Int]? = nil) {
    (self.buffer, self.offset, self.type, self.shape) = (buffer, offset, type, shape)
    strides = [Int](repeating: 1, count: shape.count)
    var stride = 1
    for axis in (order ?? Array(shape.indices)).reversed() {
      strides[axis] = stride
      stride *= max(shape[axis], 1)
    }
  }

  var elementSize: Int { type.bitWidth / 8 }

  /// The type that elements of `type` are stored as, if views can hold them.
  static func storage(of type: ElementType) -> ElementType? {
    if type.isFloatingPoint { return .float32 }
    return type.isInteger || type == .bool ? type : nil
  }

  /// No tensor of more elements is planned for: numbers in a small file can ask for any amount of memory.
  static let elementLimit = 1 << 36

  /// Copies of more axes would be cut into too many.
  private static let axisLimit = 12

  /// Whether a view can hold a value: a tensor of known extents, whose elements are whole bytes.
  static func holds(_ facts: ValueFacts) -> Bool {
    guard let type = facts.elementType, storage(of: type) != nil, let shape = facts.fixedShape,
      let count = shape.checkedElementCount
    else { return false }
    return count <= elementLimit && shape.count <= axisLimit
  }

  /// The axes from the outermost to the innermost. Those of extent one stay where they were among the others.
  var order: [Int] {
    let moving = shape.indices.filter { shape[$0] != 1 && strides[$0] != 0 }
    let sorted = moving.sorted { (strides[$0], $1) > (strides[$1], $0) }
    var order = Array(shape.indices)
    for (place, axis) in zip(moving, sorted) { order[place] = axis }
    return order
  }

  /// Whether the elements lie in the row-major order of `order` without gaps.
  func isDense(inOrder order: [Int]) -> Bool {
    var stride = 1
    for axis in order.reversed() where shape[axis] != 1 {
      guard strides[axis] == stride else { return false }
      stride *= shape[axis]
    }
    return true
  }

  var isRowMajor: Bool {
    var stride = 1
    for axis in shape.indices.reversed() where shape[axis] != 1 {
      guard strides[axis] == stride else { return false }
      stride *= shape[axis]
    }
    return true
  }

  // MARK: Steps

  /// The view after `step`, or `nil` where elements have to move for it.
  func applying(_ step: ViewStep) -> View? {
    switch step {
    case .permute(let order):
      var view = self
      view.shape = order.map { shape[$0] }
      view.strides = order.map { strides[$0] }
      return view
    case .select(let selections):
      var view = self
      for (axis, selection) in selections.enumerated() {
        view.offset += selection.start * strides[axis]
        view.strides[axis] *= selection.step
        view.shape[axis] = selection.count
      }
      return view
    case .broadcast(let target):
      return broadcast(to: target)
    case .reshape(let target):
      return reshaped(target)
    }
  }

  /// The view under a shape of at least as many axes that it broadcasts to.
  func broadcast(to target: [Int]) -> View {
    var view = self
    // Expand may also be asked for ones where the value has more.
    let rank = max(target.count, shape.count)
    let own = [Int](repeating: 1, count: rank - shape.count) + shape
    let ownStrides = [Int](repeating: 0, count: rank - shape.count) + strides
    let asked = [Int](repeating: 1, count: rank - target.count) + target
    view.shape = zip(own, asked).map { $0 == 1 ? $1 : $0 }
    view.strides = zip(zip(own, ownStrides), view.shape).map { $0.0 == 1 && $1 != 1 ? 0 : $0.1 }
    return view
  }

  /// The view under another shape of as many elements: each run of axes that are merged or divided has
  /// to be evenly strided.
  private func reshaped(_ target: [Int]) -> View? {
    guard !shape.contains(0) else {
      return View(buffer: buffer, offset: offset, type: type, shape: target)
    }
    let axes = shape.indices.filter { shape[$0] != 1 }
    var newStrides = [Int](repeating: 1, count: target.count)
    var (i, j) = (0, 0)
    let targets = target.indices.filter { target[$0] != 1 }
    while i < axes.count, j < targets.count {
      var (iEnd, jEnd) = (i + 1, j + 1)
      var (own, asked) = (shape[axes[i]], target[targets[j]])
      while own != asked {
        if own < asked {
          own *= shape[axes[iEnd]]
          iEnd += 1
        } else {
          asked *= target[targets[jEnd]]
          jEnd += 1
        }
      }
      for axis in i..<(iEnd - 1)
      where strides[axes[axis]] != strides[axes[axis + 1]] * shape[axes[axis + 1]] {
        return nil
      }
      var stride = strides[axes[iEnd - 1]]
      for place in (j..<jEnd).reversed() {
        newStrides[targets[place]] = stride
        stride *= target[targets[place]]
      }
      (i, j) = (iEnd, jEnd)
    }
    var view = self
    view.shape = target
    view.strides = newStrides
    return view
  }
}
