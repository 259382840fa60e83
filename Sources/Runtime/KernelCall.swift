import CPrunecKernels

/// One kernel with its arguments.
///
/// Unchecked: the arguments are not changed once made.
final class KernelCall: @unchecked Sendable {
  /// How many units of work there are, which may run at once.
  let units: Int
  private let arguments: UnsafeMutableRawPointer
  private let function: Function

  private typealias Function = @convention(c) (UnsafeRawPointer?, Int, Int) -> Void

  /// `function` is a C function of a pointer to the arguments and the first and last unit.
  init<Arguments: BitwiseCopyable, CFunction>(
    _ arguments: Arguments, units: (UnsafePointer<Arguments>?) -> Int, _ function: CFunction
  ) {
    let pointer = UnsafeMutablePointer<Arguments>.allocate(capacity: 1)
    pointer.initialize(to: arguments)
    self.arguments = UnsafeMutableRawPointer(pointer)
    self.units = units(pointer)
    // The same calling convention: the struct's address in both cases.
    self.function = unsafeBitCast(function, to: Function.self)
  }

  deinit { arguments.deallocate() }

  func run(_ range: Range<Int>) {
    function(arguments, range.lowerBound, range.upperBound)
  }

  func run(on pool: ThreadPool) {
    pool.run(units, function, arguments)
  }
}

/// Threads that share the units of kernels.
final class ThreadPool: @unchecked Sendable {
  private let pool: OpaquePointer
  let threadCount: Int

  /// A pool of as many threads as the system gives, `threadCount` at most.
  init(threadCount: Int) {
    var count = max(1, threadCount)
    var pool = prunec_thread_pool_create(count)
    while pool == nil, count > 1 {
      count /= 2
      pool = prunec_thread_pool_create(count)
    }
    self.pool = pool!
    self.threadCount = count
  }

  deinit { prunec_thread_pool_destroy(pool) }

  func run(
    _ units: Int, _ function: @convention(c) (UnsafeRawPointer?, Int, Int) -> Void,
    _ arguments: UnsafeRawPointer
  ) {
    prunec_thread_pool_run(pool, units, function, arguments)
  }
}

/// The kernels of this processor.
enum Kernels {
  nonisolated(unsafe) static let table: UnsafePointer<prunec_kernels> = prunec_kernels_best()

  static var name: String { String(cString: table.pointee.name) }
}

extension View {
  /// Parts of two views of one shape that a kernel can copy at once: all, unless they have too many axes that
  /// do not merge.
  static func copyable(from source: View, to target: View) -> [(source: View, target: View)] {
    guard Loops([target, source], axes: target.order).rank > Int(prunec_max_rank) else {
      return [(source, target)]
    }
    let axis = target.shape.indices.filter { target.shape[$0] > 1 }
      .min { target.shape[$0] < target.shape[$1] }!
    return (0..<target.shape[axis]).flatMap { index in
      copyable(from: source.selecting(index, of: axis), to: target.selecting(index, of: axis))
    }
  }

  private func selecting(_ index: Int, of axis: Int) -> View {
    var view = self
    view.offset += index * strides[axis]
    view.shape[axis] = 1
    return view
  }
}

extension KernelCall {
  /// Copies elements between views of one shape into memory that begins at given addresses, on the threads of a pool if
  /// there is one.
  static func copyNow(
    from source: UnsafeRawPointer, _ from: View, to target: UnsafeMutableRawPointer, _ to: View,
    on pool: ThreadPool? = nil
  ) {
    for part in View.copyable(from: from, to: to) {
      let (start, end) = (part.source.offset - from.offset, part.target.offset - to.offset)
      let call = copy(
        from: source + start * from.elementSize, part.source,
        to: target + end * to.elementSize, part.target)
      if let pool { call.run(on: pool) } else { call.run(0..<call.units) }
    }
  }

  /// A copy of elements between views of one shape, at given addresses.
  static func copy(
    from source: UnsafeRawPointer, _ from: View, to target: UnsafeMutableRawPointer, _ to: View
  ) -> KernelCall {
    let loops = Loops([to, from], axes: to.order)
    var arguments = prunec_copy()
    arguments.element_size = to.elementSize
    arguments.rank = loops.rank
    arguments.x = source
    arguments.y = target
    fill(&arguments.shape, loops.shape)
    fill(&arguments.y_strides, loops.strides[0])
    fill(&arguments.x_strides, loops.strides[1])
    return KernelCall(
      arguments, units: Kernels.table.pointee.copy_units, Kernels.table.pointee.copy)
  }
}

/// Writes `values` to the beginning of a C array, which Swift sees as a tuple.
func fill<Values>(_ array: inout Values, _ values: [Int]) {
  withUnsafeMutableBytes(of: &array) { bytes in
    let elements = bytes.bindMemory(to: Int.self)
    precondition(values.count <= elements.count, "too many axes for a kernel")
    for (index, value) in values.enumerated() { elements[index] = value }
  }
}
