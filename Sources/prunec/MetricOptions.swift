import ArgumentParser
import PrunecCommandLineSupport
import PrunecDriver
import PrunecGraphIR

/// The metric that models are measured by.
struct MetricOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      """
      Measure: top-1 (classes), miou (mean intersection over union), f1 (macro-averaged), mse (mean squared error), or an \
      ONNX graph with a scalar output, whose inputs are called like the model's outputs and arrays of the samples; more of it is \
      better, but of an output called loss. Labels are an array y, but for a graph.
      """, valueName: "name"))
  var metric = "top-1"

  private static let metrics: [any Metric] = [Top1(), MeanIoU(), MacroF1(), MeanSquaredError()]

  private var isGraph: Bool { [".onnx", ".onnxtxt"].contains(where: metric.hasSuffix) }

  func validate() throws {
    guard isGraph || Self.metrics.contains(where: { $0.name == metric }) else {
      let names = Self.metrics.map(\.name).joined(separator: ", ")
      throw ValidationError("'\(metric)' is no metric: \(names), or a graph (.onnx)")
    }
  }

  /// The metric for the outputs of `graph`.
  func metric(for graph: Graph) throws -> any Metric {
    if let metric = Self.metrics.first(where: { $0.name == metric }) { return metric }
    return try LocatedError.at(metric) { () throws(CompileError) in
      var measuring = try ModelFile(metric).model.inPlainForm().graph
      measuring.unlistInitializers()
      return try GraphMetric(metric, measuring, outputs: graph.outputs.map(\.name))
    }
  }
}
