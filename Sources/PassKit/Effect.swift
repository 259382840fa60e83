/// What a pass does to the function that a graph computes; what check-each holds it to.
public enum Effect: Sendable, Hashable {
  /// The outputs stay the same up to this relative error.
  case preserving(tolerance: Double)
  /// Channels are masked: the function changes, on purpose.
  case masking
  /// Masked channels are taken out: the outputs stay those of the masked graph.
  case shrinking
  /// The graph stays as it is; something is found out about it.
  case annotating
}
