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

/// A hash that is the same in every process. After FNV-1a (Fowler, Noll, Vo), by eight bytes at a time, with the upper half
/// mixed into the lower.
private struct Fingerprint {
  private(set) var value: UInt64 = 0xCBF2_9CE4_8422_2325

  mutating func add(_ tensor: Tensor) {
    for extent in tensor.shape { add(UInt64(extent)) }
    tensor.withUnsafeBytes { bytes in
      let whole = bytes.count / 8 * 8
      for offset in stride(from: 0, to: whole, by: 8) {
        add(bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
      }
      for byte in bytes[whole...] { add(UInt64(byte)) }
    }
  }

  private mutating func add(_ word: UInt64) {
    value = (value ^ word) &* 0x0000_0100_0000_01B3
    value ^= value >> 32
  }
}
