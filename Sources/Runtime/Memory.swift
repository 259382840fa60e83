import CKernels

/// The memory of one plan: the arena that its buffers share, and the constants.
///
/// Unchecked: a session runs a plan on one thread at a time, and kernels divide the elements among theirs.
final class Memory: @unchecked Sendable {
  let arena: UnsafeMutableRawPointer
  private let ownsArena: Bool
  private let buffers: [Buffer]
  private let offsets: [Int]
  private let weights: WeightCache
  /// The constants that have been asked for.
  private var constants: [Int: TensorStorage] = [:]
  /// Tensors that are in no buffer: strings, packed elements, and what has no fixed shape.
  var boxes: [Tensor?]

  convenience init(
    _ buffers: [Buffer], offsets: [Int], arenaSize: Int, boxCount: Int, weights: WeightCache
  ) {
    self.init(
      buffers, offsets: offsets, boxCount: boxCount, weights: weights,
      arena: .allocate(byteCount: max(arenaSize, 64), alignment: 64), ownsArena: true)
  }

  /// Memory in an arena that may belong to somebody else, who keeps it.
  init(
    _ buffers: [Buffer], offsets: [Int], boxCount: Int, weights: WeightCache,
    arena: UnsafeMutableRawPointer, ownsArena: Bool = false
  ) {
    (self.arena, self.ownsArena) = (arena, ownsArena)
    (self.buffers, self.offsets, self.weights) = (buffers, offsets, weights)
    boxes = [Tensor?](repeating: nil, count: boxCount)
  }

  deinit {
    if ownsArena { arena.deallocate() }
  }

  subscript(view: View) -> UnsafeMutableRawPointer {
    base(of: view.buffer) + view.offset * view.elementSize
  }

  /// Where a buffer begins. Constants are made ready when they are first asked for: weights that are packed never
  /// are.
  private func base(of buffer: Int) -> UnsafeMutableRawPointer {
    guard let constant = buffers[buffer].constant else { return arena + offsets[buffer] }
    let storage = constants[buffer] ?? weights.storage(of: constant)
    constants[buffer] = storage
    return UnsafeMutableRawPointer(mutating: storage.bytes.baseAddress!)
  }

  func floats(_ view: View) -> UnsafeMutablePointer<Float> {
    self[view].assumingMemoryBound(to: Float.self)
  }

  /// A tensor of a given element type with the elements of a view.
  func tensor(_ view: View, as type: ElementType) -> Tensor {
    let count = view.shape.elementCount
    let storage = TensorStorage(byteCount: count * view.elementSize) { bytes in
      guard count > 0 else { return }
      copy(from: self[view], view.strides, to: bytes.baseAddress!, view.shape.rowMajorStrides, view)
    }
    let tensor = Tensor(view.type, shape: view.shape, storage: storage)
    return type == view.type ? tensor : Tensor(rounding: tensor.floats, to: type, shape: view.shape)
  }

  /// Writes the elements of a tensor of the view's shape.
  func store(_ tensor: Tensor, to view: View) {
    precondition(tensor.shape == view.shape)
    guard tensor.count > 0 else { return }
    let stored =
      tensor.elementType == view.type ? tensor : Tensor(tensor.floats, shape: tensor.shape)
    stored.withUnsafeBytes { bytes in
      copy(
        from: bytes.baseAddress!, view.shape.rowMajorStrides, to: self[view], view.strides, view)
    }
  }

  private func copy(
    from source: UnsafeRawPointer, _ sourceStrides: [Int], to target: UnsafeMutableRawPointer,
    _ targetStrides: [Int], _ view: View
  ) {
    var (from, to) = (view, view)
    from.strides = sourceStrides
    to.strides = targetStrides
    KernelCall.copyNow(from: source, from, to: target, to)
  }
}

/// A piece of memory that views share.
struct Buffer {
  var byteCount: Int
  /// Set where the elements never change.
  var constant: Constant?
}

/// Elements that are the same in every run.
struct Constant {
  var tensor: Tensor
  /// Whose they are, where they are those of a value: what is made of them is then shared by all plans.
  var value: ValueID?
}
