import PrunecCalibration
import PrunecCoupling
import PrunecGraphIR
import PrunecONNXText
import PrunecPassKit
import PrunecSelection
import PrunecSemantics

extension PassRun {
  /// Runs a pipeline on a graph in ONNX's textual syntax.
  package init(
    _ pipeline: String, on text: String, direction: SplitDirection = .inner,
    calibration: (any CalibrationBatches)? = nil
  ) throws(CompileError) {
    try self.init(pipeline, on: parseModel(text), direction: direction, calibration: calibration)
  }

  /// What each mask keeps, by the name of the value it masks.
  package var keptByValue: [String: [Int]] {
    get throws(CompileError) {
      let facts = try GraphFacts(of: graph)
      var kept: [String: [Int]] = [:]
      for id in graph.nodes {
        guard let mask = MaskNode(id, graph, facts) else { continue }
        kept[graph[mask.axis.value].name] = mask.keep
      }
      return kept
    }
  }

  /// The scores of the group of channels that lie on an axis of the value called `name`.
  package func scores(of name: String, axis: Int) throws(CompileError) -> [Float]? {
    let facts = try GraphFacts(of: graph)
    let coupling = CouplingAnalysis(of: graph, facts, options: context.couplingOptions)
    guard let value = graph.value(named: name),
      let (group, _) = coupling.channel(of: Axis(value, axis), index: 0)
    else { return nil }
    return context.scores?.scores(of: coupling.groups[group])
  }
}

/// The error that `body` throws, if it is a `CompileError`.
package func compileError(_ body: () throws -> Void) -> CompileError? {
  do {
    try body()
    return nil
  } catch {
    return error as? CompileError
  }
}
