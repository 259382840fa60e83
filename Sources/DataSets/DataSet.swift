import PrunecGraphIR
import PrunecTensors

/// Inputs of one run of a model.
public struct Sample: Sendable {
  /// By the names of the model's inputs, each of the element type that the input takes and shape `[items, ...]`. There is
  /// one item, except in ONNX's test data, where there are as many as the files hold.
  public var inputs: [String: Tensor]
  /// The number of its class, from 0 on, where the set has labels.
  public var label: Int?

  public init(inputs: [String: Tensor], label: Int? = nil) {
    self.inputs = inputs
    self.label = label
  }
}

/// Knowledge of a sample before it is used.
public enum SampleState: Sendable {
  /// The shape of each input, in the model's order, and the label if the set has any.
  case usable(shapes: [[Int]], label: Int?)
  /// It cannot be used, but the others can: why.
  case damaged(String)
}

/// Samples for the inputs of a model, read from files when they are asked for.
public protocol DataSet: Sendable {
  /// The path that it was opened by, for messages. Errors name what lies within it.
  var name: String { get }
  var count: Int { get }
  var hasLabels: Bool { get }
  /// Samples left out when the set was opened.
  var warnings: [Diagnostic] { get }

  /// Looks at as much of a sample as shows whether it can be used.
  ///
  /// Throws where the set as a whole cannot.
  func state(at index: Int) throws(CompileError) -> SampleState

  /// Reads a sample.
  ///
  /// Throws a malformed error where its file breaks its format or it has values that are not finite, a usage error where
  /// the model cannot take it, and an input/output error where it cannot be read.
  func sample(at index: Int) throws(CompileError) -> Sample
}
