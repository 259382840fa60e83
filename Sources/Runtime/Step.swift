import PrunecGraphIR

/// One step of a plan, before and after it gets its memory.
struct Step {
  /// What it computes; the first gives it its name.
  var nodes: [NodeID]
  /// The kernel's name.
  var kernel: String
  /// Buffers.
  var reads: [Int]
  var writes: [Int]
  /// Operands whose memory the result may take over, with the result: views of equal strides.
  var replaceable: [(operand: View, result: View)] = []
  /// Multiplications and additions.
  var operations = 0
  /// How much memory outside of the arena its operands are copied to. Views of few elements can show many.
  var copiedByteCount = 0
  /// Makes what is run, once every buffer has its place.
  let bind: (Memory) throws(CompileError) -> Bound

  enum Bound {
    case kernel(KernelCall)
    /// A kernel that is left out where a number, which an earlier step writes, is zero.
    case conditional(KernelCall, condition: UnsafePointer<Float>)
    case reference(ReferenceStep, Memory)
    /// What has to be done before a kernel, on one thread: it may find that the inputs are out of range.
    case preparation((Memory) throws(CompileError) -> Void, Memory)
  }

  init(
    _ nodes: [NodeID], _ kernel: String, reads: [Int], writes: [Int], operations: Int = 0,
    bind: @escaping (Memory) throws(CompileError) -> Bound
  ) {
    (self.nodes, self.kernel, self.reads, self.writes) = (nodes, kernel, reads, writes)
    self.operations = operations
    self.bind = bind
  }
}
