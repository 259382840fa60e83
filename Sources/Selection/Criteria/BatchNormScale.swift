import PrunecGraphIR
import PrunecTensors

/// Magnitude of the batch normalization's scale (Liu et al., "Learning Efficient Convolutional Networks
/// through Network Slimming", ICCV 2017).
public struct BatchNormScale: ChannelCriterion {
  public let name = "bn-scale"
  public let summary = "scale of its batch normalization"
  public let measuresNormalizations = true

  public init() {}

  public func scores(for inputs: ScoringInputs) throws(CompileError) -> [[Float]?] {
    let graph = inputs.graph
    var magnitudes: [Axis: [Float]] = [:]
    for id in graph.nodes where graph[id].operation == OperationName("BatchNormalization") {
      if let scale = graph[id].inputs[1], let tensor = graph[scale].constant, tensor.hasData {
        magnitudes[Axis(scale, 0)] = tensor.floats.map(abs)
      }
    }
    let scores = inputs.groupScores(fromAxes: magnitudes)
    guard scores.contains(where: { $0 != nil }) else {
      throw CompileError(
        .usage, "criterion \(name): the model has no batch normalization with constant scales",
        notes: ["exporters fold them into convolutions; take a criterion that measures weights"])
    }
    return scores
  }
}

extension ChannelCriterion where Self == BatchNormScale {
  public static var bnScale: BatchNormScale { BatchNormScale() }
}
