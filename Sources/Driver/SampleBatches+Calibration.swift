import PrunecCalibration
import PrunecDataSets

extension SampleBatches: CalibrationBatches {
  public func sampleCount(ofBatch index: Int) -> Int { itemCount(ofBatch: index) }
}
