import PrunecGraphIR
import PrunecTensors

/// Numbers for samples that depend on nothing but what the model gets of them: equal samples have equal ones, and others almost
/// certainly different ones.
package enum SampleFingerprints {
  /// A number for each of the first `count` samples of a batch, along the first axis of its tensors.
  package static func all(of tensors: [Tensor], count: Int) -> [UInt64] {
    guard count > 1, tensors.allSatisfy({ $0.shape.first ?? 0 >= count }) else {
      var fingerprint = Fingerprint()
      let isPart = count == 1 && tensors.allSatisfy { $0.shape.first ?? 0 >= 1 }
      for tensor in tensors {
        fingerprint.add(isPart ? tensor.slice(0..<1, alongAxis: 0) : tensor)
      }
      return [UInt64](repeating: fingerprint.value, count: count)
    }
    return (0..<count).map { sample in
      var fingerprint = Fingerprint()
      for tensor in tensors {
        fingerprint.add(tensor.slice(sample..<(sample + 1), alongAxis: 0))
      }
      return fingerprint.value
    }
  }

  /// Those of all samples of `batches`, which are read for it.
  package static func all(of batches: some CalibrationBatches) throws(CompileError) -> [UInt64] {
    var numbers: [UInt64] = []
    for batch in 0..<batches.count {
      numbers += all(
        of: try batches.tensors(ofBatch: batch), count: batches.sampleCount(ofBatch: batch))
    }
    return numbers
  }
}
