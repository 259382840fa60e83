import CPrunecKernels
import PrunecGraphIR
import PrunecTensors

/// The memory of one plan: the arena that its buffers share, and the constants.
///
/// Unchecked: a session runs a plan on one thread at a time, and kernels divide the elements among theirs.
final class Memory: @unchecked Sendable {
  let arena: UnsafeMutableRawPointer
  private let ownsArena: Bool
  private let buffers: [Buffer]
  private let offsets: [Int]
  private let weights: WeightCache
  /// The constants that steps read.
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

  private func base(of buffer: Int) -> UnsafeMutableRawPointer {
    guard buffers[buffer].constant != nil else { return arena + offsets[buffer] }
    guard let storage = constants[buffer] else {
      preconditionFailure("the constant of buffer \(buffer) is read and has not been prepared")
    }
    return UnsafeMutableRawPointer(mutating: storage.bytes.baseAddress!)
  }

  /// Makes what a step runs, with the constants that it reads: weights that are packed are none of them.
  func bind(_ step: Step) throws(CompileError) -> Step.Bound {
    for buffer in step.reads { try prepare(buffer) }
    return try step.bind(self)
  }

  /// Evaluates a buffer's constant, if it has one, for views of it to be read.
  func prepare(_ buffer: Int) throws(CompileError) {
    guard constants[buffer] == nil, let constant = buffers[buffer].constant else { return }
    constants[buffer] = try weights.storage(of: constant)
  }

  func contents(of packed: PackedWeights) throws(CompileError) -> PackedWeights.Contents {
    try packed.contents(weights)
  }

  func floats(_ view: View) -> UnsafeMutablePointer<Float> {
    self[view].assumingMemoryBound(to: Float.self)
  }

  /// A tensor of a given element type with the elements of a view, copied by the threads of a pool if there is one.
  func tensor(_ view: View, as type: ElementType, on pool: ThreadPool? = nil) -> Tensor {
    let count = view.shape.elementCount
    let storage = TensorStorage(byteCount: count * view.elementSize) { bytes in
      guard count > 0 else { return }
      copy(from: self[view], view.strides, to: bytes.baseAddress!, nil, view, on: pool)
    }
    let tensor = Tensor(view.type, shape: view.shape, storage: storage)
    return type == view.type ? tensor : Tensor(rounding: tensor.floats, to: type, shape: view.shape)
  }

  /// Writes the elements of a tensor of the view's shape, in the same way.
  func store(_ tensor: Tensor, to view: View, on pool: ThreadPool? = nil) {
    precondition(tensor.shape == view.shape)
    guard tensor.count > 0 else { return }
    let stored =
      tensor.elementType == view.type ? tensor : Tensor(tensor.floats, shape: tensor.shape)
    stored.withUnsafeBytes { bytes in
      copy(from: bytes.baseAddress!, nil, to: self[view], view.strides, view, on: pool)
    }
  }

  /// Copies of fewer elements are not worth more than one thread.
  private static let sharedCount = 1 << 12

  /// Copies the elements of a view, on one side as they lie in it, and on the other in row-major order, where there are no
  /// strides.
  private func copy(
    from source: UnsafeRawPointer, _ sourceStrides: [Int]?, to target: UnsafeMutableRawPointer,
    _ targetStrides: [Int]?, _ view: View, on pool: ThreadPool?
  ) {
    let count = view.shape.elementCount
    if pool == nil || count < Self.sharedCount, view.isRowMajor {
      target.copyMemory(from: source, byteCount: count * view.elementSize)
      return
    }
    var (from, to) = (view, view)
    from.strides = sourceStrides ?? view.shape.rowMajorStrides
    to.strides = targetStrides ?? view.shape.rowMajorStrides
    KernelCall.copyNow(from: source, from, to: target, to, on: pool)
  }
}

/// A piece of memory that views share.
struct Buffer {
  var byteCount: Int
  /// Set where the elements never change.
  var constant: Constant?
}

/// Elements that are the same in every run.
enum Constant {
  case tensor(Tensor)
  /// Those of a fixed value: they are evaluated once they are read, and what is made of them is shared by all plans.
  case value(ValueID)
  /// Those that a view shows of others, in an order of its axes and without gaps.
  indirect case rearranged(Constant, View, order: [Int])
}
