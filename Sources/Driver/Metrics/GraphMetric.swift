import PrunecGraphIR
import PrunecRuntime
import PrunecTensors

/// A metric that is an ONNX graph: its one output, a scalar, for the outputs and labels of all samples together.
///
/// An input that is called like an output of the model gets that output, any other one the labels of its name, all along
/// their first axis. More is better, but of an output that is called `loss`.
public struct GraphMetric: Metric {
  public let name: String
  public let labels: MetricLabels
  public let scale: MetricScale

  private let graph: Graph
  private var items = 0
  /// By name of the graph's inputs, what each batch has for it.
  private var parts: [String: [Tensor]] = [:]

  /// The metric `name` that `graph` computes from outputs of the given names.
  ///
  /// Throws a usage error where it has not one output, or reads none of the model's.
  public init(_ name: String, _ graph: Graph, outputs: [String]) throws(CompileError) {
    let inputs = graph.inputs.map { graph[$0].name }
    guard graph.outputs.count == 1 else {
      throw CompileError(.usage, "a metric has one output, this has \(graph.outputs.count)")
    }
    guard inputs.contains(where: outputs.contains) else {
      throw CompileError(
        .usage, "a metric reads an output of the model, and none of its inputs is called like one",
        notes: [
          "its inputs are \(inputs.joined(separator: ", ")), the outputs \(outputs.joined(separator: ", "))"
        ])
    }
    self.name = name
    self.graph = graph
    labels = .arrays(inputs.filter { !outputs.contains($0) })
    scale = .number(isLowerBetter: graph.outputs[0].name == "loss")
  }

  public mutating func add(_ batch: EvaluatedBatch) throws(CompileError) {
    items += batch.items.count
    for input in graph.inputs.map({ graph[$0].name }) {
      let output = batch.outputs.first { $0.name == input }?.tensor
      guard let tensor = output ?? batch.labels[input] else { continue }
      let first = parts[input]?.first
      guard tensor.rank > 0, first.map({ $0.shape[1...] == tensor.shape[1...] }) ?? true else {
        throw CompileError(
          .usage, "'\(input)' has shape \(tensor.shape), which cannot be put together for a metric")
      }
      parts[input, default: []].append(tensor)
    }
  }

  public func result() throws(CompileError) -> MetricResult {
    let tensors = parts.mapValues {
      $0.count == 1 ? $0[0] : Tensor.concatenated($0, alongAxis: 0)
    }
    let value = try CompileError.about("the metric \(name):") { () throws(CompileError) in
      let output = try Session(graph).run(tensors).values.first
      guard let output, output.count == 1 else {
        throw CompileError(.usage, "its output is no scalar")
      }
      return Double(output.floats[0])
    }
    return MetricResult(self, items: items, value: value)
  }
}
