import PrunecGraphIR
import PrunecTensors

/// Samples that a model is run on, in batches that fit its inputs.
public protocol CalibrationBatches: Sendable {
  /// Number of batches.
  var count: Int { get }

  /// Number of samples in a batch; what its tensors hold beyond them fills up a batch of fixed size and is not counted.
  func sampleCount(ofBatch index: Int) -> Int

  /// One tensor for each input of the model, in its order, the samples along the first axis. Throws where a sample cannot be
  /// read.
  func tensors(ofBatch index: Int) throws(CompileError) -> [Tensor]
}

extension CalibrationBatches {
  /// Number of samples of all batches.
  public var sampleCount: Int { (0..<count).reduce(0) { $0 + sampleCount(ofBatch: $1) } }

  /// The types of the inputs of the first batch; `nil` where there is none. Throws where a sample cannot be read.
  package func inputTypes() throws(CompileError) -> [TensorType]? {
    guard count > 0 else { return nil }
    return try tensors(ofBatch: 0).map { TensorType($0.elementType, fixed: $0.shape) }
  }
}

/// Batches that are held in memory.
public struct HeldBatches: CalibrationBatches {
  private let batches: [(tensors: [Tensor], sampleCount: Int)]

  /// `batches` have one tensor for each input, with as many samples as the extent of the first axis.
  public init(_ batches: [[Tensor]]) {
    self.batches = batches.map { ($0, $0.first?.shape.first ?? 1) }
  }

  public var count: Int { batches.count }

  public func sampleCount(ofBatch index: Int) -> Int { batches[index].sampleCount }

  public func tensors(ofBatch index: Int) throws(CompileError) -> [Tensor] {
    batches[index].tensors
  }
}
