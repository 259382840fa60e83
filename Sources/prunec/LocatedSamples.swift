import PrunecCalibration
import PrunecDataSets
import PrunecDriver
import PrunecGraphIR
import PrunecTensors

/// Samples with the path that they come from, which errors about them name: they are read while it is the model that is
/// worked on.
struct LocatedSamples: CalibrationBatches {
  let batches: SampleBatches
  let path: String

  var count: Int { batches.count }

  func sampleCount(ofBatch index: Int) -> Int { batches.sampleCount(ofBatch: index) }

  func tensors(ofBatch index: Int) throws(CompileError) -> [Tensor] {
    try CompileError.about("\(path):") { () throws(CompileError) in
      try batches.tensors(ofBatch: index)
    }
  }
}
