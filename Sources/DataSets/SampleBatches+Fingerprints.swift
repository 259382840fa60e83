import PrunecGraphIR
import PrunecTensors

extension SampleBatches {
  /// A number for all samples, their labels and their order.
  ///
  /// Throws what the set throws.
  public func fingerprint() throws(CompileError) -> UInt64 {
    var fingerprint = Fingerprint()
    for batch in 0..<count {
      for tensor in try tensors(ofBatch: batch) { fingerprint.add(tensor) }
      for label in labels(ofBatch: batch) ?? [] {
        fingerprint.add(UInt64(bitPattern: Int64(label)))
      }
    }
    return fingerprint.value
  }

  /// A number for each sample that depends on nothing but what the model gets of it: equal samples have equal ones, and
  /// others almost certainly different ones. Reads all samples.
  ///
  /// Throws what the set throws.
  public func fingerprints() throws(CompileError) -> Set<UInt64> {
    var fingerprints: Set<UInt64> = []
    for batch in 0..<count {
      for index in sampleIndices(ofBatch: batch) {
        let sample = try set.sample(at: index)
        var fingerprint = Fingerprint()
        for input in inputs where !input.isLabels {
          fingerprint.add(sample.inputs[input.name]!)
        }
        fingerprints.insert(fingerprint.value)
      }
    }
    return fingerprints
  }
}
