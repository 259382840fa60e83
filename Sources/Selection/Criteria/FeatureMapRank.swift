import PrunecCalibration
import PrunecCoupling
import PrunecGraphIR
import PrunecLinearAlgebra
import PrunecTensors

/// Mean rank of the feature maps of a channel (Lin et al., "HRank: Filter Pruning using High-Rank Feature Map", CVPR 2020, equation 5):
///
///     score(c) = mean over samples n of rank x[n, c, :, :]        x [N, C, H, W] what a layer reads
///
/// Of all layers that read the channel, on up to 32 samples: the paper takes 500, and finds that few tell as much. The maps are
/// those that layers read, after activations and pooling; in the paper those behind the convolution's activation. Channels without
/// maps `[N, C, H, W]` count the Euclidean norm of their weights.
public struct FeatureMapRank: ChannelCriterion {
  public let name = "hrank"
  public let summary = "mean rank of its feature maps (needs data)"
  public let needsSamples = true
  private static let sampleLimit = 32

  public init() {}

  public func scores(for inputs: ScoringInputs) throws(CompileError) -> [[Float]?] {
    guard let samples = inputs.samples else {
      throw CompileError(
        .usage, "criterion \(name): there are no samples", notes: ["say --calibration FILE"])
    }
    let run = try StagedRun(
      inputs.graph, SampleSubset(samples, count: Self.sampleLimit, for: inputs.graph))
    var ranks: [Axis: [Float]] = [:]
    for layer in inputs.layers {
      let axis = Axis(layer.data, layer.dataAxis)
      guard layer.dataAxis == 1, ranks[axis] == nil, inputs.coupling.isCuttable(axis) else {
        continue
      }
      try run.advance(before: layer.node)
      let maps = (0..<run.batchCount).compactMap { run.tensor(layer.data, ofBatch: $0) }
        .filter { $0.rank == 4 && $0.count > 0 }
      if !maps.isEmpty { ranks[axis] = Self.meanRanks(of: maps) }
    }
    let norms = try L2Norm().scores(for: inputs)
    return zip(inputs.groupScores(fromAxes: ranks), norms).map { $0 ?? $1 }
  }

  /// For each channel of tensors `[N, C, H, W]` the mean rank of its maps.
  private static func meanRanks(of tensors: [Tensor]) -> [Float] {
    let channels = tensors[0].shape[1]
    var (sums, count) = ([Float](repeating: 0, count: channels), 0)
    for tensor in tensors {
      let (height, width) = (tensor.shape[2], tensor.shape[3])
      let elements = tensor.floats
      let found = concurrentMap(Array(0..<(tensor.shape[0] * channels))) { map in
        let start = map * height * width
        return LinearAlgebra.rank(
          of: Array(elements[start..<(start + height * width)]), rows: height, columns: width) ?? 0
      }
      for (map, rank) in found.enumerated() { sums[map % channels] += Float(rank) }
      count += tensor.shape[0]
    }
    return sums.map { $0 / Float(max(1, count)) }
  }
}

extension ChannelCriterion where Self == FeatureMapRank {
  public static var featureMapRank: FeatureMapRank { FeatureMapRank() }
}
