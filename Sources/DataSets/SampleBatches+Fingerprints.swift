extension SampleBatches {
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
        for input in inputs { fingerprint.add(sample.inputs[input.name]!) }
        fingerprints.insert(fingerprint.value)
      }
    }
    return fingerprints
  }
}
