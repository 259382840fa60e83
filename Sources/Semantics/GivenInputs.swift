import PrunecGraphIR
import PrunecTensors

/// What a caller says of the inputs of a model that is to be run: arrays, and shapes of those that are made up.
public struct GivenInputs: Sendable {
  /// By name of input.
  public var arrays: [String: Tensor]
  /// By name of input; none where there is an array.
  public var shapes: [String: [Int]]

  public init(arrays: [String: Tensor] = [:], shapes: [String: [Int]] = [:]) {
    self.arrays = arrays
    self.shapes = shapes
  }

  /// The shapes of all inputs of `graph`, those not given decided on.
  ///
  /// Throws a usage error where what is given does not fit what the inputs declare, or is all there is and the graph
  /// refuses it.
  public func inputShapes(for graph: Graph) throws(CompileError) -> InputShapes {
    let known = shapes.merging(arrays.mapValues(\.shape)) { $1 }
    try InputShapes.validate(known, for: graph)
    for input in graph.inputs {
      guard let array = arrays[graph[input].name], let type = graph[input].tensorType?.elementType,
        type != array.elementType
      else { continue }
      throw CompileError(
        .usage, "the array is of type \(array.elementType.name), the model declares \(type.name)",
        at: .value(graph[input].name))
    }
    let found = InputShapes(for: graph, given: known)
    if let refusal = found.refusal, graph.inputs.allSatisfy({ known[graph[$0].name] != nil }) {
      throw CompileError(
        .usage, "the model does not run on inputs of the shapes that are given: \(refusal.message)",
        at: refusal.location)
    }
    return found
  }
}
