import PrunecCalibration
import PrunecGraphIR
import PrunecSemantics

extension HeldBatches {
  /// `count` batches of reproducible inputs for a graph, all different.
  package init(
    seeded graph: Graph, count: Int = 4, seed: UInt64 = 100, shapes: [String: [Int]] = [:]
  ) throws(CompileError) {
    self.init(
      try (0..<UInt64(count)).map { (index) throws(CompileError) in
        try SeededInputs(seed: seed + index).tensors(for: graph, shapes: shapes)
      })
  }
}
