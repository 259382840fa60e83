import PrunecGraphIR
import PrunecTensors

/// The first samples of some batches, spread over all of them.
///
/// Only inputs that take any number of samples can have fewer than a whole batch; of others the subset has whole batches.
package struct SampleSubset: CalibrationBatches {
  private let batches: any CalibrationBatches
  private let indices: [Int]
  /// Samples of each batch that are taken at most; `nil` for whole batches.
  private let limit: Int?

  /// About `count` samples for the inputs of `graph`: at least that many where there are as many.
  package init(_ batches: any CalibrationBatches, count: Int, for graph: Graph) {
    self.batches = batches
    let mean = max(1, batches.sampleCount / max(1, batches.count))
    let taken = min(batches.count, max(1, (count + mean - 1) / mean))
    indices = (0..<taken).map { $0 * batches.count / taken }
    let isOpen = graph.inputs.allSatisfy { input in
      guard let shape = graph[input].tensorType?.shape else { return true }
      return shape.first.map { $0.fixedExtent == nil } ?? false
    }
    limit = isOpen ? (count + taken - 1) / taken : nil
  }

  package var count: Int { indices.count }

  package func sampleCount(ofBatch index: Int) -> Int {
    let whole = batches.sampleCount(ofBatch: indices[index])
    return limit.map { min($0, whole) } ?? whole
  }

  package func tensors(ofBatch index: Int) throws(CompileError) -> [Tensor] {
    let tensors = try batches.tensors(ofBatch: indices[index])
    let whole = batches.sampleCount(ofBatch: indices[index])
    let count = sampleCount(ofBatch: index)
    guard count < whole, tensors.allSatisfy({ $0.shape.first == whole }) else { return tensors }
    return tensors.map { $0.slice(0..<count, alongAxis: 0) }
  }
}
